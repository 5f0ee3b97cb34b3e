// Kafka's offset index: which batch, about every index.interval.bytes, lies where.
//
//   file  := entry*
//   entry := relative_offset:i32 position:i32     big-endian, both growing
//
// relative_offset is the last offset of the batch at `position` less the segment's base offset.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace headrace::log {

struct OffsetIndexEntry {
  int32_t relative_offset;
  int32_t position;
  friend bool operator==(const OffsetIndexEntry&, const OffsetIndexEntry&) = default;
};
inline constexpr size_t kOffsetIndexEntryBytes = 8;

/// One thread at a time.
class OffsetIndex {
 public:
  OffsetIndex() = default;
  explicit OffsetIndex(std::vector<OffsetIndexEntry> entries) : entries_(std::move(entries)) {}

  void add(int32_t relative_offset, int32_t position) { entries_.push_back({relative_offset, position}); }
  /// The last entry at or below `relative_offset`; null when there is none.
  const OffsetIndexEntry* floor(int32_t relative_offset) const;
  /// The last entry below `relative_offset` and at or before `position`; null when there is none.
  const OffsetIndexEntry* before(int32_t relative_offset, uint64_t position) const;
  const std::vector<OffsetIndexEntry>& entries() const { return entries_; }

 private:
  std::vector<OffsetIndexEntry> entries_;
};

Bytes encode_offset_index(std::span<const OffsetIndexEntry> entries);
/// kCorrupt when the bytes are not whole entries that grow, within a segment of `segment_bytes`.
Result<std::vector<OffsetIndexEntry>> decode_offset_index(BytesView bytes, uint64_t segment_bytes);

}  // namespace headrace::log
