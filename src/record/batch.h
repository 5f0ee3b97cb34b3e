// Kafka's v2 record batch (KIP-98, magic 2): the one format of a batch of records on the wire, on the disk and in
// memory.
//
//   batch  := base_offset:i64 batch_length:i32 partition_leader_epoch:i32 magic:i8(=2) crc:u32
//             attributes:i16 last_offset_delta:i32 base_timestamp:i64 max_timestamp:i64
//             producer_id:i64 producer_epoch:i16 base_sequence:i32 record_count:i32 records
//   records:= record*, compressed as a whole when attributes say so
//   record := length:varint attributes:i8 timestamp_delta:varint offset_delta:varint
//             key_length:varint key value_length:varint value header_count:varint header*
//   header := key_length:varint key value_length:varint value
//
// batch_length counts what follows it; crc is CRC-32C of everything from `attributes` to the end, so base_offset and
// partition_leader_epoch can be set by the broker without touching it. Integers are big-endian, varints zigzag, a
// length of -1 is null.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "codec/compression.h"

namespace headrace::record {

inline constexpr size_t kBatchHeaderBytes = 61;
/// Bytes before and with batch_length, which it does not count.
inline constexpr size_t kBatchLogOverheadBytes = 12;
/// Where the CRC stands, and where what it covers begins: at the attributes.
inline constexpr size_t kBatchCrcAt = 17;
inline constexpr size_t kBatchCrcFrom = 21;

/// Headers that one record may have.
inline constexpr int64_t kRecordHeadersMax = 10000;

/// attributes bits.
inline constexpr int16_t kCompressionMask = 0x07;
inline constexpr int16_t kLogAppendTimeBit = 0x08;
inline constexpr int16_t kTransactionalBit = 0x10;
inline constexpr int16_t kControlBit = 0x20;
/// Compaction saw tombstones or an emptied transaction's marker here: base_timestamp is when they may go (KIP-534).
inline constexpr int16_t kDeleteHorizonBit = 0x40;

/// The fixed part of a batch.
struct BatchHeader {
  Offset base_offset;
  int32_t batch_length = 0;
  LeaderEpoch partition_leader_epoch;
  int8_t magic = 2;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  ProducerId producer_id = kNoProducerId;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  Offset last_offset() const { return base_offset + last_offset_delta; }
  Offset next_offset() const { return base_offset + last_offset_delta + 1; }
  /// The size of the whole batch, this header included.
  size_t total_bytes() const { return static_cast<size_t>(batch_length) + kBatchLogOverheadBytes; }
  codec::Compression compression() const { return static_cast<codec::Compression>(attributes & kCompressionMask); }
  bool is_transactional() const { return attributes & kTransactionalBit; }
  bool is_control() const { return attributes & kControlBit; }
  /// KIP-534, nothing when compaction set none. Record timestamps are relative to it then.
  std::optional<int64_t> delete_horizon_ms() const {
    return attributes & kDeleteHorizonBit ? std::optional(base_timestamp_ms) : std::nullopt;
  }
};

struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// One record, pointing into its batch (or into the decompressed copy that the reader of the batch holds).
struct RecordView {
  Offset offset;
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<Header> headers;  ///< Reused by the reader: empty for most records, then it allocates nothing.
};

/// A whole batch in memory that was checked: sizes fit, magic is 2, the CRC holds (unless the caller knew it).
class Batch {
 public:
  Batch() = default;

  /// Checks the first batch of `bytes` and keeps a slice of it. kCorrupt names what is wrong; kOutOfRange means that
  /// `bytes` ends before the batch does (a torn tail, a fetch that was cut).
  static Result<Batch> parse(SharedBytes bytes);
  /// The same without the CRC, for bytes that this process has checked before, or is to check later.
  static Result<Batch> parse_trusted(SharedBytes bytes);
  /// kCorrupt when the CRC does not hold.
  Status check_crc() const;

  /// The same batch in memory of its own.
  Batch copy() const {
    Batch own;
    own.header_ = header_;
    own.bytes_ = SharedBytes(Bytes(bytes_.view().begin(), bytes_.view().end()));
    return own;
  }

  const BatchHeader& header() const { return header_; }
  const SharedBytes& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  BatchHeader header_;
  SharedBytes bytes_;
};

/// Reads a batch header from at least kBatchHeaderBytes; checks magic and the sign and size of its lengths, not the
/// CRC.
Result<BatchHeader> read_header(BytesView bytes);
/// Writes `header` over the first kBatchHeaderBytes of `bytes` as it is (its crc included).
void write_header(const BatchHeader& header, std::span<uint8_t> bytes);
/// Computes the CRC of the whole batch in `bytes` and writes it into its header.
void seal(std::span<uint8_t> batch);
/// The CRC-32C that the whole batch in `bytes` should carry.
uint32_t compute_crc(BytesView batch);

/// Sets what the broker assigns, without touching the CRC.
void stamp(std::span<uint8_t> batch, Offset base_offset, LeaderEpoch epoch);

/// Splits `bytes` into the batches it holds. An incomplete batch at the end is left out when `allow_partial_tail`
/// (fetch responses may be cut anywhere), else kOutOfRange.
Result<std::vector<Batch>> split_batches(SharedBytes bytes, bool allow_partial_tail);

/// Iterates the records of a batch, decompressing once into a buffer that it owns.
///
///   RecordReader reader(batch, /*decompressed_bytes_max=*/64 << 20);
///   while (const RecordView* record = reader.next()) ...
///   RETURN_IF_ERROR(reader.status());
///
/// Views stay valid until the reader is destroyed and the batch's bytes are released.
class RecordReader {
 public:
  RecordReader(const Batch& batch, size_t decompressed_bytes_max);
  /// The next record, or null at the end or at a malformed record (see status()).
  const RecordView* next();
  const Status& status() const { return status_; }
  /// The bytes of the record that next() gave last, its length included, as they stand in the uncompressed batch.
  BytesView raw() const { return raw_; }
  /// The size of the decompressed copy, 0 where the batch is not compressed.
  size_t decompressed_bytes() const { return decompressed_.size(); }

 private:
  BatchHeader header_;
  SharedBytes keep_;
  Bytes decompressed_;
  BytesView rest_;
  BytesView raw_;
  int32_t left_ = 0;
  int32_t last_delta_ = -1;
  RecordView current_;
  Status status_;

  const RecordView* fail(std::string_view what);
};

}  // namespace headrace::record
