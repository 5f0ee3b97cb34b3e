// Builds v2 record batches record by record, in a buffer that is reused.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "record/batch.h"

namespace headrace::record {

/// Appends records and finishes them as one batch with base offset 0, no producer id and a correct CRC. Appending a
/// record allocates only when the buffer grows.
class BatchBuilder {
 public:
  explicit BatchBuilder(codec::Compression compression = codec::Compression::kNone);

  /// Adds a record. Timestamps are milliseconds since 1970; the first one becomes the base timestamp.
  void add(int64_t timestamp_ms, std::optional<std::string_view> key, std::optional<std::string_view> value,
           std::span<const Header> headers = {});
  /// The same at a chosen offset above the last one (compacted or re-read records) that fits(); offsets are relative to
  /// the first.
  void add_at(Offset offset, int64_t timestamp_ms, std::optional<std::string_view> key,
              std::optional<std::string_view> value, std::span<const Header> headers = {});

  /// Whether a record at `offset` may be in this batch: it tells offsets as 32 bits from its first.
  bool fits(Offset offset) const { return empty() || offset - base_offset_ <= std::numeric_limits<int32_t>::max(); }
  bool empty() const { return count_ == 0; }
  int32_t count() const { return count_; }
  /// Bytes of the uncompressed batch so far, header included.
  size_t bytes() const { return used_; }

  /// The finished batch; the builder is empty and ready again afterwards. CHECKs that it was not empty.
  Batch finish();

 private:
  void reserve(size_t more);
  void grow(size_t needed);

  codec::Compression compression_;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t capacity_ = 0;
  size_t used_ = kBatchHeaderBytes;
  int32_t count_ = 0;
  Offset base_offset_;
  int64_t base_timestamp_ms_ = 0;
  int64_t max_timestamp_ms_ = 0;
  int32_t last_offset_delta_ = -1;
};

}  // namespace headrace::record
