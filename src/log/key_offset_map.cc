#include "log/key_offset_map.h"

#include <algorithm>

namespace headrace::log {

namespace {

constexpr size_t kFirstSlots = 1024;
// Kafka's log.cleaner.io.buffer.load.factor.
constexpr double kLoadFactor = 0.9;

size_t keys_for(size_t slots) {
  return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(slots) * kLoadFactor));
}

}  // namespace

KeyOffsetMap::KeyOffsetMap(size_t bytes_max, uint64_t seed)
    : seed_{seed, ~seed},
      slots_max_(std::max<size_t>(2, bytes_max / kEntryBytes)),
      keys_max_(keys_for(slots_max_)),
      slots_(std::min(kFirstSlots, slots_max_)) {}

// The slot that holds the hash, or the free one where it belongs: there is one, as the map is never full.
size_t KeyOffsetMap::slot_of(const codec::Hash128& hash) const {
  size_t at = static_cast<size_t>((static_cast<unsigned __int128>(hash.low) * slots_.size()) >> 64);
  while (slots_[at].offset != kNoOffset && slots_[at].hash != hash) at = at + 1 == slots_.size() ? 0 : at + 1;
  return at;
}

bool KeyOffsetMap::put(std::string_view key, Offset offset) {
  codec::Hash128 hash = codec::sip_hash_128(seed_, as_bytes(key));
  size_t at = slot_of(hash);
  if (slots_[at].offset == kNoOffset) {
    if (used_ == keys_max_) return false;
    if (used_ >= keys_for(slots_.size())) {
      grow();
      at = slot_of(hash);
    }
    ++used_;
    slots_[at].hash = hash;
  }
  slots_[at].offset = offset;
  return true;
}

Offset KeyOffsetMap::find(std::string_view key) const {
  return slots_[slot_of(codec::sip_hash_128(seed_, as_bytes(key)))].offset;
}

void KeyOffsetMap::grow() {
  std::vector<Entry> before(std::min(slots_max_, slots_.size() * 2));
  before.swap(slots_);
  for (const Entry& entry : before) {
    if (entry.offset != kNoOffset) slots_[slot_of(entry.hash)] = entry;
  }
}

}  // namespace headrace::log
