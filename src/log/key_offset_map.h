// Which offset holds the last record of each key, in bounded memory: what compaction knows of the uncompacted part of a
// log. Keys are kept as 128-bit keyed hashes, 24 bytes a key whatever its length.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "codec/sip_hash.h"

namespace headrace::log {

/// One thread at a time.
class KeyOffsetMap {
 public:
  static constexpr size_t kEntryBytes = 24;

  /// Never takes more than `bytes_max` (while it grows, half of it again), but holds one key at the least. `seed` makes
  /// the hashes unpredictable.
  KeyOffsetMap(size_t bytes_max, uint64_t seed);

  /// Notes `offset` for `key`. False, with nothing changed, when the key is new and there is no room for it.
  bool put(std::string_view key, Offset offset);
  /// kNoOffset when the key was not put.
  Offset find(std::string_view key) const;
  size_t size() const { return used_; }
  size_t keys_max() const { return keys_max_; }

 private:
  struct Entry {
    codec::Hash128 hash;
    Offset offset = kNoOffset;  ///< kNoOffset: free.
  };
  static_assert(sizeof(Entry) == kEntryBytes);

  size_t slot_of(const codec::Hash128& hash) const;
  void grow();

  const codec::Hash128 seed_;
  const size_t slots_max_;
  const size_t keys_max_;
  std::vector<Entry> slots_;
  size_t used_ = 0;
};

}  // namespace headrace::log
