#include "os/simulated_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os/full_io.h"

namespace headrace::os {

namespace {

// Whether `path` is `directory` or anything below it.
bool is_in(const std::string& path, const std::string& directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

const char* to_string(DiskCall call) {
  static const char* const names[kDiskCalls] = {"open",   "create",         "read",           "write",
                                                "sync",   "allocate",       "truncate",       "rename",
                                                "remove", "make directory", "sync directory", "list"};
  return names[static_cast<int>(call)];
}

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedFileSystem& disk, std::shared_ptr<SimulatedFileSystem::Inode> inode, std::string path,
                uint64_t generation)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), generation_(generation) {}

  const std::string& path() const override { return path_; }

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) override {
    std::lock_guard lock(disk_.mutex_);
    if (dead()) return io_error(EIO, "reading", path_);
    size_t read;
    int error = read_fully(out, offset, read, [this](uint8_t* to, size_t size, uint64_t at) {
      return disk_.raw_read(*inode_, path_, to, size, at);
    });
    if (error != 0) return io_error(error, "reading", path_);
    return read;
  }

  Status write_at(uint64_t offset, std::span<const BytesView> parts) override {
    std::lock_guard lock(disk_.mutex_);
    if (dead()) return io_error(EIO, "writing", path_);
    int error = write_fully(parts, offset, [this](const iovec* vectors, int count, uint64_t at) {
      return disk_.raw_write(*inode_, path_, vectors, count, at);
    });
    if (error != 0) return io_error(error, "writing", path_);
    return {};
  }

  Status sync() override {
    std::lock_guard lock(disk_.mutex_);
    int error = begin(DiskCall::kSync);
    if (error == EIO && !disk_.crashed_locked()) inode_->unsynced.clear();
    if (error != 0) return io_error(error, "fdatasync of", path_);
    inode_->durable = durable_after_sync();
    inode_->unsynced.clear();
    return {};
  }

  Status allocate(uint64_t offset, uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    int error = begin(DiskCall::kAllocate, offset, size);
    uint64_t end = std::max<uint64_t>(offset + size, inode_->now.size());
    uint64_t room = disk_.capacity_ - std::min(disk_.capacity_, disk_.used_bytes());
    bool full = end - inode_->now.size() > room;
    // As ext4 does, which allocates extent by extent: what fitted stays.
    if (error == 0) resize(full ? inode_->now.size() + room : end);
    if (error == 0 && full) error = ENOSPC;
    if (error != 0) return io_error(error, "allocating room in", path_);
    return {};
  }

  Status truncate(uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    int error = begin(DiskCall::kTruncate, size);
    if (error != 0) return io_error(error, "truncating", path_);
    resize(size);
    return {};
  }

  Result<uint64_t> size() override {
    std::lock_guard lock(disk_.mutex_);
    if (dead()) return io_error(EIO, "reading the size of", path_);
    return inode_->now.size();
  }

  bool in_page_cache(uint64_t, size_t) const override { return false; }

 private:
  bool dead() const { return generation_ != disk_.generation_ || disk_.crashed_locked(); }
  int begin(DiskCall call, uint64_t offset = 0, uint64_t size = 0) {
    if (dead()) return EIO;
    return disk_.begin(call, path_, offset, size);
  }
  void resize(uint64_t size) {
    inode_->now.resize(size);
    inode_->unsynced.push_back({0, {}, size});
  }
  // Not simply `now`: what a failed fsync has forgotten stays off the disk.
  Bytes durable_after_sync() const {
    Bytes content = inode_->durable;
    for (const auto& change : inode_->unsynced) SimulatedFileSystem::apply(content, change);
    return content;
  }

  SimulatedFileSystem& disk_;
  std::shared_ptr<SimulatedFileSystem::Inode> inode_;
  std::string path_;
  uint64_t generation_;
};

class SimulatedDirectory final : public Directory {
 public:
  SimulatedDirectory(SimulatedFileSystem& disk, std::string path, uint64_t generation)
      : disk_(disk), path_(std::move(path)), generation_(generation) {}
  Status sync() override { return disk_.sync_names(path_, generation_); }

 private:
  SimulatedFileSystem& disk_;
  std::string path_;
  uint64_t generation_;
};

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(SimulatedFileSystem& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  ~SimulatedLock() override {
    std::lock_guard lock(disk_.mutex_);
    disk_.locked_.erase(path_);
  }

 private:
  SimulatedFileSystem& disk_;
  std::string path_;
};

SimulatedFileSystem::SimulatedFileSystem() {
  names_["/"] = names_["."] = nullptr;
  durable_names_ = names_;
}
SimulatedFileSystem::~SimulatedFileSystem() = default;

void SimulatedFileSystem::fail(DiskCall call, uint64_t nth, DiskFault fault, std::string of) {
  std::lock_guard lock(mutex_);
  fault_ = Fault{call, nth, fault, std::move(of)};
  fault_happened_ = false;
}

void SimulatedFileSystem::set_descriptors_left(bool left) {
  std::lock_guard lock(mutex_);
  descriptors_left_ = left;
}

bool SimulatedFileSystem::fault_happened() const {
  std::lock_guard lock(mutex_);
  return fault_happened_;
}

void SimulatedFileSystem::set_capacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

std::vector<SimulatedFileSystem::Operation> SimulatedFileSystem::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

uint64_t SimulatedFileSystem::calls(DiskCall call) const {
  std::lock_guard lock(mutex_);
  return calls_[static_cast<int>(call)];
}

Bytes SimulatedFileSystem::content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  CHECK(found != names_.end() && found->second);
  return found->second->now;
}

void SimulatedFileSystem::set_content(const std::string& path, Bytes bytes) {
  std::lock_guard lock(mutex_);
  auto& inode = names_[path];
  if (!inode) inode = std::make_shared<Inode>();
  durable_names_[path] = inode;
  inode->unsynced.clear();
  inode->durable = bytes;
  inode->now = std::move(bytes);
}

// Counts and records the call; the errno it fails with, or 0.
int SimulatedFileSystem::begin(DiskCall call, const std::string& path, uint64_t offset, uint64_t size) {
  if (crashed_locked()) return EIO;
  ++calls_[static_cast<int>(call)];
  bool changes = call != DiskCall::kOpen && call != DiskCall::kRead && call != DiskCall::kList;
  if (changes) {
    if (watcher_) {
      SimulatedFileSystem copy;
      copy_to(copy);
      watcher_(copy);
    }
    operations_.push_back({call, path, offset, size});
    if (operations_left_) --*operations_left_;
  }
  bool opens = call == DiskCall::kOpen || call == DiskCall::kCreate || call == DiskCall::kList;
  if (opens && !descriptors_left_) return EMFILE;
  bool moves_bytes = call == DiskCall::kRead || call == DiskCall::kWrite;
  if (moves_bytes) return 0;  // Their faults are taken where the bytes move.
  auto fault = take_fault(call, path);
  if (!fault || *fault == DiskFault::kInterrupted || *fault == DiskFault::kShort) return 0;
  if (*fault == DiskFault::kNoDescriptors) return opens ? EMFILE : 0;
  return *fault == DiskFault::kOutOfSpace ? ENOSPC : EIO;
}

std::optional<DiskFault> SimulatedFileSystem::take_fault(DiskCall call, const std::string& path) {
  if (!fault_ || fault_->call != call || !path.ends_with(fault_->of) || --fault_->left > 0) return std::nullopt;
  DiskFault fault = fault_->fault;
  fault_.reset();
  fault_happened_ = true;
  return fault;
}

void SimulatedFileSystem::apply(Bytes& content, const Change& change) {
  if (change.resize) {
    content.resize(*change.resize);
    return;
  }
  if (content.size() < change.offset + change.bytes.size()) content.resize(change.offset + change.bytes.size());
  std::copy(change.bytes.begin(), change.bytes.end(), content.begin() + static_cast<ptrdiff_t>(change.offset));
}

void SimulatedFileSystem::apply_name_change(Names& names, const NameChange& change) {
  if (change.to.empty()) {
    names.erase(change.from);
    if (!change.grave.empty()) std::erase_if(names, [&](const auto& name) { return is_in(name.first, change.grave); });
    return;
  }
  if (change.from.empty()) {
    names[change.to] = change.inode;
    return;
  }
  if (change.inode) {
    names.erase(change.from);
    names[change.to] = change.inode;
    return;
  }
  Names moved;  // A directory takes everything below it along.
  for (auto it = names.begin(); it != names.end();) {
    bool moves = is_in(it->first, change.from);
    if (moves) moved[change.to + it->first.substr(change.from.size())] = it->second;
    it = moves ? names.erase(it) : std::next(it);
  }
  names.merge(moved);
}

// Moves what the disk holds below an empty directory, and what is on its way there, to a path of its own.
std::string SimulatedFileSystem::bury(const std::string& directory) {
  std::string grave = directory + '\x01' + std::to_string(++graves_);
  NameChange moved{"", directory, grave, nullptr};
  auto own_name = durable_names_.extract(directory);
  apply_name_change(durable_names_, moved);
  if (own_name) durable_names_.insert(std::move(own_name));
  for (NameChange& change : unsynced_names_) {
    if (!is_in(change.directory, directory)) continue;
    for (std::string* path : {&change.directory, &change.from, &change.to, &change.grave}) {
      if (is_in(*path, directory)) *path = grave + path->substr(directory.size());
    }
  }
  return grave;
}

// Directories whose removal was lost are there again, with what was in them; those that took their paths never were.
void SimulatedFileSystem::bring_back(const std::vector<NameChange>& lost) {
  std::set<std::string> back;
  for (const NameChange& change : lost) {
    if (change.grave.empty()) continue;
    if (back.insert(change.from).second) {
      std::erase_if(durable_names_, [&](const auto& name) { return name.first.starts_with(change.from + "/"); });
      apply_name_change(durable_names_, {"", change.grave, change.from, nullptr});
    } else {
      std::erase_if(durable_names_, [&](const auto& name) { return is_in(name.first, change.grave); });
    }
  }
}

void SimulatedFileSystem::change_name(const std::string& directory, std::string from, std::string to,
                                      std::shared_ptr<Inode> inode) {
  NameChange change{directory, std::move(from), std::move(to), std::move(inode)};
  auto removed = change.to.empty() ? names_.find(change.from) : names_.end();
  if (removed != names_.end() && !removed->second) change.grave = bury(change.from);
  apply_name_change(names_, change);
  unsynced_names_.push_back(std::move(change));
}

uint64_t SimulatedFileSystem::used_bytes() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode ? inode->now.size() : 0;
  return used;
}

ssize_t SimulatedFileSystem::raw_write(Inode& inode, const std::string& path, const iovec* vectors, int count,
                                       uint64_t offset) {
  Bytes bytes;
  for (int i = 0; i < count; ++i) {
    auto* from = static_cast<const uint8_t*>(vectors[i].iov_base);
    bytes.insert(bytes.end(), from, from + vectors[i].iov_len);
  }
  if (begin(DiskCall::kWrite, path, offset, bytes.size()) != 0) return errno = EIO, -1;
  auto fault = take_fault(DiskCall::kWrite, path);
  if (fault == DiskFault::kIoError) return errno = EIO, -1;
  if (fault == DiskFault::kInterrupted) return errno = EINTR, -1;
  uint64_t end = std::max<uint64_t>(offset + bytes.size(), inode.now.size());
  bool full = used_bytes() + (end - inode.now.size()) > capacity_;
  if (full && fault != DiskFault::kOutOfSpace) return errno = ENOSPC, -1;
  if (fault) bytes.resize(bytes.size() / 2);
  ssize_t written = static_cast<ssize_t>(bytes.size());
  Change change{offset, std::move(bytes), {}};
  apply(inode.now, change);
  inode.unsynced.push_back(std::move(change));
  if (fault == DiskFault::kOutOfSpace) return errno = ENOSPC, -1;
  return written;
}

ssize_t SimulatedFileSystem::raw_read(Inode& inode, const std::string& path, uint8_t* to, size_t size,
                                      uint64_t offset) {
  if (begin(DiskCall::kRead, path, offset, size) != 0) return errno = EIO, -1;
  auto fault = take_fault(DiskCall::kRead, path);
  if (fault == DiskFault::kInterrupted) return errno = EINTR, -1;
  if (fault == DiskFault::kIoError || fault == DiskFault::kOutOfSpace) return errno = EIO, -1;
  if (offset >= inode.now.size()) return 0;
  size = std::min<size_t>(size, inode.now.size() - offset);
  if (fault == DiskFault::kShort && size > 1) size /= 2;
  std::memcpy(to, inode.now.data() + offset, size);
  return static_cast<ssize_t>(size);
}

Result<std::unique_ptr<File>> SimulatedFileSystem::open(const std::string& path, OpenMode mode) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  bool exists = found != names_.end();
  bool creates = !exists && (mode == OpenMode::kCreate || mode == OpenMode::kCreateTruncated);
  int error = begin(creates ? DiskCall::kCreate : DiskCall::kOpen, path);
  if (error == 0 && !exists && !creates) error = ENOENT;
  if (error == 0 && exists && !found->second) error = EISDIR;
  if (error == 0 && creates && !names_.contains(parent_directory(path))) error = ENOENT;
  if (error != 0) return open_error(error, "opening", path);
  if (creates) change_name(parent_directory(path), "", path, std::make_shared<Inode>());
  auto inode = names_[path];
  if (exists && mode == OpenMode::kCreateTruncated) {
    inode->now.clear();
    inode->unsynced.push_back({0, {}, 0});
  }
  return std::unique_ptr<File>(std::make_unique<SimulatedFile>(*this, inode, path, generation_));
}

Result<bool> SimulatedFileSystem::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_locked()) return io_error(EIO, "looking for", path);
  return names_.contains(path);
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& directory) {
  std::lock_guard lock(mutex_);
  int error = begin(DiskCall::kList, directory);
  auto found = names_.find(directory);
  if (error == 0 && found == names_.end()) error = ENOENT;
  if (error == 0 && found->second) error = ENOTDIR;
  if (error != 0) return open_error(error, "listing", directory);
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (path != directory && parent_directory(path) == directory) names.push_back(path.substr(path.rfind('/') + 1));
  }
  return names;
}

Status SimulatedFileSystem::make_directories(const std::string& directory) {
  std::lock_guard lock(mutex_);
  for (size_t slash = directory.find('/', 1);; slash = directory.find('/', slash + 1)) {
    std::string path = directory.substr(0, slash);
    auto found = names_.find(path);
    if (found != names_.end() && found->second) return io_error(ENOTDIR, "creating directory", path);
    if (found == names_.end()) {
      if (int error = begin(DiskCall::kMakeDirectory, path)) return io_error(error, "creating directory", path);
      give_way(path);
      change_name(parent_directory(path), "", path, nullptr);
    }
    if (slash == std::string::npos) return {};
  }
}

Status SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  int error = begin(DiskCall::kRename, from);
  auto found = names_.find(from);
  if (error == 0 && found == names_.end()) error = ENOENT;
  if (error != 0) return io_error(error, "renaming to " + to + " the file", from);
  change_name(parent_directory(to), from, to, found->second);
  return {};
}

Status SimulatedFileSystem::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  int error = begin(DiskCall::kRemove, path);
  auto found = names_.find(path);
  if (error == 0 && found == names_.end()) error = ENOENT;
  if (error == 0 && !found->second) {
    auto below = names_.lower_bound(path + "/");
    if (below != names_.end() && below->first.starts_with(path + "/")) error = ENOTEMPTY;
  }
  if (error != 0) return io_error(error, "removing", path);
  change_name(parent_directory(path), path, "", nullptr);
  return {};
}

// What happened in a directory that was renamed goes with it.
void SimulatedFileSystem::follow(std::vector<NameChange>& changes, const NameChange& renamed) {
  for (NameChange& change : changes) {
    for (std::string* path : {&change.directory, &change.from, &change.to, &change.grave}) {
      if (is_in(*path, renamed.from)) *path = renamed.to + path->substr(renamed.from.size());
    }
  }
}

Result<std::unique_ptr<Directory>> SimulatedFileSystem::open_directory(const std::string& directory) {
  std::lock_guard lock(mutex_);
  int error = begin(DiskCall::kOpen, directory);
  auto found = names_.find(directory);
  if (error == 0 && found == names_.end()) error = ENOENT;
  if (error == 0 && found->second) error = ENOTDIR;
  if (error != 0) return open_error(error, "opening directory", directory);
  return std::unique_ptr<Directory>(std::make_unique<SimulatedDirectory>(*this, directory, generation_));
}

Status SimulatedFileSystem::sync_names(const std::string& directory, uint64_t generation) {
  std::lock_guard lock(mutex_);
  if (generation != generation_) return io_error(EIO, "fsync of directory", directory);
  int error = begin(DiskCall::kSyncDirectory, directory);
  if (error == 0 && !names_.contains(directory)) error = ENOENT;
  if (error != 0) return io_error(error, "fsync of directory", directory);
  commit_names(directory);
  return {};
}

// Directories are known by their paths: one that was renamed has left its own for good before another one takes it, as
// a journal may be written at any time.
void SimulatedFileSystem::give_way(const std::string& path) {
  bool left = std::any_of(unsynced_names_.begin(), unsynced_names_.end(), [&](const NameChange& change) {
    return change.from == path && !change.to.empty() && !change.inode;
  });
  if (left) commit_names(parent_directory(path));
}

void SimulatedFileSystem::commit_names(const std::string& directory) {
  std::vector<NameChange> left;
  for (NameChange& change : unsynced_names_) {
    if (change.directory != directory) {
      left.push_back(std::move(change));
      continue;
    }
    apply_name_change(durable_names_, change);
    // With a directory goes what happened in it.
    if (!change.grave.empty()) std::erase_if(left, [&](const auto& in) { return is_in(in.directory, change.grave); });
    if (!change.to.empty() && !change.from.empty() && !change.inode) follow(left, change);
  }
  unsynced_names_ = std::move(left);
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::lock(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_locked()) return io_error(EIO, "locking", path);
  if (!locked_.insert(path).second) {
    return Error{ErrorCode::kUnavailable, "locking " + path + ": another process holds it"};
  }
  return std::unique_ptr<FileLock>(std::make_unique<SimulatedLock>(*this, path));
}

Result<SpaceInfo> SimulatedFileSystem::space(const std::string&) {
  std::lock_guard lock(mutex_);
  return SpaceInfo{capacity_ - std::min(capacity_, used_bytes()), capacity_};
}

}  // namespace headrace::os
