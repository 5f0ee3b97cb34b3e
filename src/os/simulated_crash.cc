// What a crash leaves of a simulated disk, and the copies in which one is tried.
#include <algorithm>

#include "os/simulated_file_system.h"

namespace headrace::os {

namespace {

constexpr size_t kSectorBytes = 512;

// Calls `visit(sector, piece)` with each sector's part of what a write changed; nothing for a change of size.
template <typename Change, typename Visit>
void for_each_sector(const Change& change, Visit visit) {
  uint64_t end = change.offset + change.bytes.size();
  for (uint64_t at = change.offset; at < end;) {
    uint64_t next = std::min<uint64_t>(end, (at / kSectorBytes + 1) * kSectorBytes);
    auto from = change.bytes.begin() + static_cast<ptrdiff_t>(at - change.offset);
    visit(at / kSectorBytes, Change{at, Bytes(from, from + static_cast<ptrdiff_t>(next - at)), {}});
    at = next;
  }
}

}  // namespace

void SimulatedFileSystem::crash_after(uint64_t operations) {
  std::lock_guard lock(mutex_);
  operations_left_ = operations;
}

bool SimulatedFileSystem::crashed() const {
  std::lock_guard lock(mutex_);
  return crashed_locked();
}

void SimulatedFileSystem::before_each_operation(Function<void(SimulatedFileSystem&)> watcher) {
  std::lock_guard lock(mutex_);
  watcher_ = std::move(watcher);
}

std::unique_ptr<SimulatedFileSystem> SimulatedFileSystem::copy() const {
  std::lock_guard lock(mutex_);
  auto out = std::make_unique<SimulatedFileSystem>();
  copy_to(*out);
  return out;
}

// Files keep their identity over their names, synced and not.
void SimulatedFileSystem::copy_to(SimulatedFileSystem& copy) const {
  std::map<const Inode*, std::shared_ptr<Inode>> copies;
  auto copy_of = [&](std::shared_ptr<Inode>& inode) {
    if (!inode) return;
    auto& own = copies[inode.get()];
    if (!own) own = std::make_shared<Inode>(*inode);
    inode = own;
  };
  copy.names_ = names_;
  copy.durable_names_ = durable_names_;
  copy.unsynced_names_ = unsynced_names_;
  for (auto& [path, inode] : copy.names_) copy_of(inode);
  for (auto& [path, inode] : copy.durable_names_) copy_of(inode);
  for (NameChange& change : copy.unsynced_names_) copy_of(change.inode);
  copy.graves_ = graves_;
  copy.capacity_ = capacity_;
}

void SimulatedFileSystem::restart(CrashMode mode, uint64_t seed) {
  std::lock_guard lock(mutex_);
  if (mode != CrashMode::kKill) lose_power(mode, seed);
  locked_.clear();
  operations_left_.reset();
  fault_.reset();
  ++generation_;
}

void SimulatedFileSystem::lose_power(CrashMode mode, uint64_t seed) {
  Random random(seed);
  std::map<std::string, size_t> kept;  // Per directory: how many of its changes survive.
  for (const NameChange& change : unsynced_names_) ++kept[change.directory];
  for (auto& [directory, count] : kept) {
    if (mode == CrashMode::kDrop) count = 0;
    if (mode == CrashMode::kRandom) count = random.below(count + 1);
  }
  std::vector<NameChange> lost;
  for (const NameChange& change : unsynced_names_) {
    if (kept[change.directory] == 0) {
      lost.push_back(change);
      continue;
    }
    --kept[change.directory];
    apply_name_change(durable_names_, change);
  }
  unsynced_names_.clear();
  bring_back(lost);
  // With the name of a directory goes what was in it. Parents come first.
  for (auto at = durable_names_.begin(); at != durable_names_.end();) {
    at = durable_names_.contains(parent_directory(at->first)) ? std::next(at) : durable_names_.erase(at);
  }
  names_ = durable_names_;
  for (auto& [path, inode] : names_) {
    if (inode) lose_unsynced(*inode, mode, random);
  }
}

void SimulatedFileSystem::lose_unsynced(Inode& inode, CrashMode mode, Random& random) {
  // A sector goes to the disk as it is at that moment, with all that was written into it until then: of the writes to
  // one sector the first ones survive.
  std::map<uint64_t, uint64_t> kept;
  for (const Change& change : inode.unsynced) {
    for_each_sector(change, [&](uint64_t sector, const Change&) { ++kept[sector]; });
  }
  for (auto& [sector, writes] : kept) writes = random.below(writes + 1);

  for (size_t i = 0; i < inode.unsynced.size(); ++i) {
    const Change& change = inode.unsynced[i];
    if (mode == CrashMode::kDrop) break;
    bool last = i + 1 == inode.unsynced.size();
    if (mode == CrashMode::kKeep || (mode == CrashMode::kTear && !last)) {
      apply(inode.durable, change);
    } else if (change.resize) {
      if (random.chance(0.5)) apply(inode.durable, change);
    } else {
      uint64_t middle = change.offset + change.bytes.size() / 2;
      for_each_sector(change, [&](uint64_t sector, const Change& piece) {
        bool torn_keeps = piece.offset + piece.bytes.size() <= middle;
        bool random_keeps = kept[sector] > 0;
        if (random_keeps) --kept[sector];
        if (mode == CrashMode::kTear ? torn_keeps : random_keeps) apply(inode.durable, piece);
      });
    }
  }
  inode.unsynced.clear();
  inode.now = inode.durable;
}

}  // namespace headrace::os
