#include "record/batch_builder.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "codec/cursor.h"

namespace headrace::record {
namespace {

constexpr size_t kInitialBytes = 4096;

uint8_t* put_varint(uint8_t* at, int64_t value) {
  uint64_t raw = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (raw >= 0x80) {
    *at++ = static_cast<uint8_t>(raw | 0x80);
    raw >>= 7;
  }
  *at++ = static_cast<uint8_t>(raw);
  return at;
}

uint8_t* put_text(uint8_t* at, std::string_view text) {
  at = put_varint(at, static_cast<int64_t>(text.size()));
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

uint8_t* put_nullable(uint8_t* at, const std::optional<std::string_view>& text) {
  return text ? put_text(at, *text) : put_varint(at, -1);
}

size_t nullable_bytes(const std::optional<std::string_view>& text) {
  return text ? codec::varint_size(static_cast<int64_t>(text->size())) + text->size() : 1;
}

size_t headers_bytes(std::span<const Header> headers) {
  size_t size = codec::varint_size(static_cast<int64_t>(headers.size()));
  for (const Header& h : headers) {
    size += codec::varint_size(static_cast<int64_t>(h.key.size())) + h.key.size() + nullable_bytes(h.value);
  }
  return size;
}

}  // namespace

BatchBuilder::BatchBuilder(codec::Compression compression) : compression_(compression) {}

void BatchBuilder::reserve(size_t more) {
  if (capacity_ - std::min(capacity_, used_) < more) [[unlikely]]
    grow(used_ + more);
}

void BatchBuilder::grow(size_t needed) {
  size_t capacity = std::max({kInitialBytes, capacity_ * 2, needed});
  auto bigger = std::make_unique_for_overwrite<uint8_t[]>(capacity);
  if (buffer_) std::memcpy(bigger.get(), buffer_.get(), used_);
  buffer_ = std::move(bigger);
  capacity_ = capacity;
}

void BatchBuilder::add(int64_t timestamp_ms, std::optional<std::string_view> key, std::optional<std::string_view> value,
                       std::span<const Header> headers) {
  Offset next = count_ == 0 ? Offset(0) : base_offset_ + last_offset_delta_ + 1;
  add_at(next, timestamp_ms, key, value, headers);
}

void BatchBuilder::add_at(Offset offset, int64_t timestamp_ms, std::optional<std::string_view> key,
                          std::optional<std::string_view> value, std::span<const Header> headers) {
  if (count_ == 0) {
    base_offset_ = offset;
    base_timestamp_ms_ = max_timestamp_ms_ = timestamp_ms;
  }
  int64_t offset_delta = offset - base_offset_;
  CHECK(offset_delta > last_offset_delta_ && fits(offset));
  // Wraps for times that are further apart than an int64 tells; the reader wraps back.
  auto timestamp_delta =
      static_cast<int64_t>(static_cast<uint64_t>(timestamp_ms) - static_cast<uint64_t>(base_timestamp_ms_));
  size_t header_bytes = headers.empty() ? 1 : headers_bytes(headers);
  size_t body = 1 + codec::varint_size(timestamp_delta) + codec::varint_size(offset_delta) + nullable_bytes(key) +
                nullable_bytes(value) + header_bytes;
  reserve(body + 10);

  uint8_t* start = buffer_.get() + used_;
  uint8_t* at = put_varint(start, static_cast<int64_t>(body));
  *at++ = 0;
  at = put_varint(at, timestamp_delta);
  at = put_varint(at, offset_delta);
  at = put_nullable(at, key);
  at = put_nullable(at, value);
  at = put_varint(at, static_cast<int64_t>(headers.size()));
  for (const Header& h : headers) at = put_nullable(put_text(at, h.key), h.value);

  used_ += static_cast<size_t>(at - start);
  max_timestamp_ms_ = std::max(max_timestamp_ms_, timestamp_ms);
  last_offset_delta_ = static_cast<int32_t>(offset_delta);
  ++count_;
}

Batch BatchBuilder::finish() {
  CHECK(!empty());
  std::span<uint8_t> batch(buffer_.get(), used_);
  SharedBytes bytes;
  if (compression_ == codec::Compression::kNone) {
    // The buffer itself becomes the batch; the next one starts at the same size.
    std::shared_ptr<uint8_t[]> owner(std::move(buffer_));
    bytes = SharedBytes(owner, batch);
    capacity_ = 0;
  } else {
    auto packed = codec::compress(compression_, batch.subspan(kBatchHeaderBytes));
    CHECK(packed.ok());
    auto owner = std::make_shared<Bytes>(kBatchHeaderBytes + packed->size());
    std::memcpy(owner->data() + kBatchHeaderBytes, packed->data(), packed->size());
    batch = *owner;
    bytes = SharedBytes(owner, batch);
  }
  CHECK(batch.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  BatchHeader header{.base_offset = base_offset_,
                     .batch_length = static_cast<int32_t>(batch.size() - kBatchLogOverheadBytes),
                     .partition_leader_epoch = LeaderEpoch(-1),
                     .attributes = static_cast<int16_t>(compression_),
                     .last_offset_delta = last_offset_delta_,
                     .base_timestamp_ms = base_timestamp_ms_,
                     .max_timestamp_ms = max_timestamp_ms_,
                     .record_count = count_};
  write_header(header, batch);
  seal(batch);
  if (!buffer_) {
    capacity_ = used_ + used_ / 8 + 64;
    buffer_ = std::make_unique_for_overwrite<uint8_t[]>(capacity_);
  }
  used_ = kBatchHeaderBytes;
  count_ = 0;
  last_offset_delta_ = -1;
  auto result = Batch::parse_trusted(std::move(bytes));
  CHECK(result.ok());
  return *std::move(result);
}

}  // namespace headrace::record
