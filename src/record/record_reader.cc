#include "record/batch.h"
#include "record/record_cursor.h"

namespace headrace::record {
namespace {

void read_headers(RecordCursor& cursor, std::vector<Header>& headers) {
  int64_t count = cursor.varint();
  if (count < 0 || count > kRecordHeadersMax) cursor.ok = false;
  for (int64_t i = 0; cursor.ok && i < count; ++i) {
    auto key = cursor.nullable_text();
    if (!key) cursor.ok = false;
    auto value = cursor.nullable_text();
    if (cursor.ok) headers.push_back({*key, value});
  }
}

}  // namespace

RecordReader::RecordReader(const Batch& batch, size_t decompressed_bytes_max)
    : header_(batch.header()), keep_(batch.bytes()), left_(header_.record_count) {
  if (keep_.size() < kBatchHeaderBytes) {  // a default-constructed batch
    left_ = 0;
    return;
  }
  rest_ = keep_.view().subspan(kBatchHeaderBytes);
  if (header_.compression() == codec::Compression::kNone) return;
  auto plain = codec::decompress(header_.compression(), rest_, decompressed_bytes_max);
  if (!plain.ok()) {
    status_ = plain.error().in("record batch at offset " + std::to_string(header_.base_offset.value));
    left_ = 0;
    return;
  }
  decompressed_ = *std::move(plain);
  rest_ = decompressed_;
}

const RecordView* RecordReader::fail(std::string_view what) {
  status_ = Error{ErrorCode::kCorrupt,
                  "record batch at offset " + std::to_string(header_.base_offset.value) + ": " + std::string(what)};
  left_ = 0;
  return nullptr;
}

const RecordView* RecordReader::next() {
  if (left_ <= 0) {
    if (status_.ok() && !rest_.empty()) return fail("bytes after its last record");
    return nullptr;
  }
  RecordCursor outer{rest_.data(), rest_.data() + rest_.size()};
  int64_t size = outer.varint();
  if (!outer.ok || size < 1 || size > outer.end - outer.at) return fail("a record is longer than its batch");
  RecordCursor cursor{outer.at + 1, outer.at + size};  // + 1: the record's attributes, unused in v2
  int64_t timestamp_delta = cursor.varint();
  int64_t offset_delta = cursor.varint();
  current_.key = cursor.nullable_text();
  current_.value = cursor.nullable_text();
  if (!current_.headers.empty()) current_.headers.clear();
  if (cursor.at < cursor.end && *cursor.at == 0) [[likely]] {
    ++cursor.at;
  } else {
    read_headers(cursor, current_.headers);
  }
  if (!cursor.ok || cursor.at != cursor.end) return fail("malformed record");
  if (offset_delta <= last_delta_ || offset_delta > header_.last_offset_delta) return fail("offsets out of order");
  last_delta_ = static_cast<int32_t>(offset_delta);
  current_.offset = header_.base_offset + offset_delta;
  // Under LogAppendTime the broker's time is in the header only. The sum wraps rather than overflows on hostile deltas.
  current_.timestamp_ms = (header_.attributes & kLogAppendTimeBit)
                              ? header_.max_timestamp_ms
                              : static_cast<int64_t>(static_cast<uint64_t>(header_.base_timestamp_ms) +
                                                     static_cast<uint64_t>(timestamp_delta));
  raw_ = BytesView(rest_.data(), cursor.end);
  rest_ = BytesView(cursor.end, outer.end);
  --left_;
  return &current_;
}

}  // namespace headrace::record
