#include "record/records_summary.h"

#include <algorithm>

#include "record/record_cursor.h"

namespace headrace::record {
namespace {

/// Times compared as unsigned: what is negative is never the earliest.
struct Times {
  uint64_t earliest = std::numeric_limits<int64_t>::max();
  int64_t latest = std::numeric_limits<int64_t>::min();

  void add(int64_t time_ms) {
    earliest = std::min(earliest, static_cast<uint64_t>(time_ms));
    latest = std::max(latest, time_ms);
  }
};

void skip_headers(RecordCursor& cursor) {
  int64_t count = cursor.varint();
  if (count < 0 || count > kRecordHeadersMax) cursor.ok = false;
  for (int64_t i = 0; cursor.ok && i < count; ++i) {
    if (!cursor.nullable_text()) cursor.ok = false;
    cursor.nullable_text();
  }
}

RecordsSummary summary_of(const Times& times, bool all_have_keys) {
  return {all_have_keys, static_cast<int64_t>(times.earliest), times.latest};
}

/// One record: what a summary takes from it.
struct Seen {
  const uint8_t* end = nullptr;  ///< Null: a RecordReader would refuse it.
  int64_t time_delta;
  int64_t offset_delta;
  bool has_key;
};

inline Seen look_at(const uint8_t* at, const uint8_t* batch_end) {
  RecordCursor batch{at, batch_end};
  int64_t size = batch.varint();
  if (!batch.ok || size < 1 || size > batch.end - batch.at) return {};
  RecordCursor record{batch.at + 1, batch.at + size};  // + 1: the record's attributes, unused in v2
  Seen seen;
  seen.time_delta = record.varint();
  seen.offset_delta = record.varint();
  seen.has_key = record.nullable_text().has_value();
  record.nullable_text();
  skip_headers(record);
  if (record.ok && record.at == record.end) seen.end = record.end;
  return seen;
}

/// Nothing for records that a RecordReader would refuse.
std::optional<RecordsSummary> summarize_plain(const BatchHeader& header, BytesView records) {
  bool all_have_keys = true;
  int64_t last_delta = -1;
  Times times;
  const uint8_t* at = records.data();
  const uint8_t* end = at + records.size();
  for (int32_t i = 0; i < header.record_count; ++i) {
    Seen seen = look_at(at, end);
    if (seen.end == nullptr) return std::nullopt;
    if (seen.offset_delta <= last_delta || seen.offset_delta > header.last_offset_delta) return std::nullopt;
    at = seen.end;
    last_delta = seen.offset_delta;
    all_have_keys &= seen.has_key;
    // Wraps, rather than overflows, on hostile deltas.
    auto time_ms = static_cast<uint64_t>(header.base_timestamp_ms) + static_cast<uint64_t>(seen.time_delta);
    times.add(static_cast<int64_t>(time_ms));
  }
  if (at != end) return std::nullopt;
  if ((header.attributes & kLogAppendTimeBit) && header.record_count > 0) {
    times = {};
    times.add(header.max_timestamp_ms);
  }
  return summary_of(times, all_have_keys);
}

Result<RecordsSummary> summarize_by_reader(const Batch& batch, size_t decompressed_bytes_max) {
  bool all_have_keys = true;
  Times times;
  RecordReader reader(batch, decompressed_bytes_max);
  while (const RecordView* record = reader.next()) {
    all_have_keys &= record->key.has_value();
    times.add(record->timestamp_ms);
  }
  RETURN_IF_ERROR(reader.status());
  return summary_of(times, all_have_keys);
}

}  // namespace

Result<RecordsSummary> summarize_records(const Batch& batch, size_t decompressed_bytes_max) {
  if (batch.header().compression() == codec::Compression::kNone && batch.size() >= kBatchHeaderBytes) {
    auto summary = summarize_plain(batch.header(), batch.bytes().view().subspan(kBatchHeaderBytes));
    if (summary) return *summary;
  }
  return summarize_by_reader(batch, decompressed_bytes_max);
}

}  // namespace headrace::record
