#include "log/offset_index.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/cursor.h"

namespace headrace::log {

const OffsetIndexEntry* OffsetIndex::floor(int32_t relative_offset) const {
  auto above = std::upper_bound(entries_.begin(), entries_.end(), relative_offset,
                                [](int32_t wanted, const OffsetIndexEntry& e) { return wanted < e.relative_offset; });
  return above == entries_.begin() ? nullptr : &*std::prev(above);
}

const OffsetIndexEntry* OffsetIndex::before(int32_t relative_offset, uint64_t position) const {
  auto end = std::partition_point(entries_.begin(), entries_.end(), [&](const OffsetIndexEntry& e) {
    return e.relative_offset < relative_offset && static_cast<uint64_t>(e.position) <= position;
  });
  return end == entries_.begin() ? nullptr : &*std::prev(end);
}

Bytes encode_offset_index(std::span<const OffsetIndexEntry> entries) {
  Bytes bytes;
  bytes.reserve(entries.size() * kOffsetIndexEntryBytes);
  codec::Writer writer(bytes);
  for (const OffsetIndexEntry& entry : entries) {
    writer.write(entry.relative_offset);
    writer.write(entry.position);
  }
  return bytes;
}

Result<std::vector<OffsetIndexEntry>> decode_offset_index(BytesView bytes, uint64_t segment_bytes) {
  if (bytes.size() % kOffsetIndexEntryBytes != 0) {
    return Error{ErrorCode::kCorrupt, fmt::format("offset index of {} bytes is not whole entries", bytes.size())};
  }
  std::vector<OffsetIndexEntry> entries;
  entries.reserve(bytes.size() / kOffsetIndexEntryBytes);
  codec::Reader reader(bytes);
  OffsetIndexEntry before{-1, -1};
  while (reader.remaining() > 0) {
    OffsetIndexEntry entry{reader.read<int32_t>(), reader.read<int32_t>()};
    bool grows = entry.relative_offset > before.relative_offset && entry.position > before.position;
    if (!grows || static_cast<uint64_t>(entry.position) >= segment_bytes) {
      return Error{ErrorCode::kCorrupt, fmt::format("offset index entry {} is out of place", entries.size())};
    }
    entries.push_back(entry);
    before = entry;
  }
  return entries;
}

}  // namespace headrace::log
