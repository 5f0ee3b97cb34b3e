#include "log/time_index.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/cursor.h"

namespace headrace::log {

void TimeIndex::add(int64_t timestamp_ms, int32_t relative_offset) {
  if (!entries_.empty() && timestamp_ms <= entries_.back().timestamp_ms) return;
  if (!entries_.empty() && relative_offset <= entries_.back().relative_offset) return;
  entries_.push_back({timestamp_ms, relative_offset});
}

const TimeIndexEntry* TimeIndex::before(int64_t timestamp_ms) const {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), timestamp_ms,
                             [](const TimeIndexEntry& e, int64_t wanted) { return e.timestamp_ms < wanted; });
  return at == entries_.begin() ? nullptr : &*std::prev(at);
}

Bytes encode_time_index(std::span<const TimeIndexEntry> entries) {
  Bytes bytes;
  bytes.reserve(entries.size() * kTimeIndexEntryBytes);
  codec::Writer writer(bytes);
  for (const TimeIndexEntry& entry : entries) {
    writer.write(entry.timestamp_ms);
    writer.write(entry.relative_offset);
  }
  return bytes;
}

Result<std::vector<TimeIndexEntry>> decode_time_index(BytesView bytes) {
  if (bytes.size() % kTimeIndexEntryBytes != 0) {
    return Error{ErrorCode::kCorrupt, fmt::format("time index of {} bytes is not whole entries", bytes.size())};
  }
  std::vector<TimeIndexEntry> entries;
  entries.reserve(bytes.size() / kTimeIndexEntryBytes);
  codec::Reader reader(bytes);
  while (reader.remaining() > 0) {
    TimeIndexEntry entry{reader.read<int64_t>(), reader.read<int32_t>()};
    bool grows = entries.empty() ? entry.relative_offset >= 0
                                 : entry.timestamp_ms > entries.back().timestamp_ms &&
                                       entry.relative_offset > entries.back().relative_offset;
    if (!grows) return Error{ErrorCode::kCorrupt, fmt::format("time index entry {} is out of place", entries.size())};
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace headrace::log
