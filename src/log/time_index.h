// Kafka's time index: how far in time the segment had come, at about every index.interval.bytes and at its end.
//
//   file  := entry*
//   entry := timestamp:i64 relative_offset:i32     big-endian, both growing
//
// `timestamp` is the largest one of the records so far, relative_offset the last offset of the first batch that has it,
// less the segment's base offset.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace headrace::log {

struct TimeIndexEntry {
  int64_t timestamp_ms;
  int32_t relative_offset;
  friend bool operator==(const TimeIndexEntry&, const TimeIndexEntry&) = default;
};
inline constexpr size_t kTimeIndexEntryBytes = 12;

/// One thread at a time.
class TimeIndex {
 public:
  TimeIndex() = default;
  explicit TimeIndex(std::vector<TimeIndexEntry> entries) : entries_(std::move(entries)) {}

  /// Adds an entry unless the last one says as much.
  void add(int64_t timestamp_ms, int32_t relative_offset);
  /// The last entry before `timestamp_ms`: no record up to its offset is as late as that. Null when there is none.
  const TimeIndexEntry* before(int64_t timestamp_ms) const;
  const std::vector<TimeIndexEntry>& entries() const { return entries_; }

 private:
  std::vector<TimeIndexEntry> entries_;
};

Bytes encode_time_index(std::span<const TimeIndexEntry> entries);
/// kCorrupt when the bytes are not whole entries that grow.
Result<std::vector<TimeIndexEntry>> decode_time_index(BytesView bytes);

}  // namespace headrace::log
