#include "record/batch.h"

#include <limits>

#include "codec/crc32c.h"
#include "codec/cursor.h"

namespace headrace::record {
namespace {

Error corrupt(std::string_view what) { return {ErrorCode::kCorrupt, "record batch: " + std::string(what)}; }

Status check_header(const BatchHeader& header) {
  if (header.magic != 2) {
    return Error{ErrorCode::kUnsupported,
                 "record batch: magic " + std::to_string(header.magic) + ", only 2 is supported"};
  }
  if (header.batch_length < static_cast<int32_t>(kBatchHeaderBytes - kBatchLogOverheadBytes)) {
    return corrupt("length " + std::to_string(header.batch_length) + " is less than its header");
  }
  if (header.base_offset.value < 0 ||
      header.base_offset.value > std::numeric_limits<int64_t>::max() - (int64_t{1} << 32)) {
    return corrupt("base offset " + std::to_string(header.base_offset.value) + " is out of range");
  }
  if (header.last_offset_delta < 0) return corrupt("negative last offset delta");
  if (header.record_count < 0) return corrupt("negative record count");
  if ((header.attributes & kCompressionMask) > static_cast<int>(codec::Compression::kZstd)) {
    return corrupt("unknown compression codec " + std::to_string(header.attributes & kCompressionMask));
  }
  return {};
}

}  // namespace

Result<BatchHeader> read_header(BytesView bytes) {
  if (bytes.size() < kBatchHeaderBytes) return Error{ErrorCode::kOutOfRange, "record batch: header is cut"};
  codec::Reader reader(bytes);
  BatchHeader h;
  h.base_offset = Offset(reader.read<int64_t>());
  h.batch_length = reader.read<int32_t>();
  h.partition_leader_epoch = LeaderEpoch(reader.read<int32_t>());
  h.magic = reader.read<int8_t>();
  h.crc = reader.read<uint32_t>();
  h.attributes = reader.read<int16_t>();
  h.last_offset_delta = reader.read<int32_t>();
  h.base_timestamp_ms = reader.read<int64_t>();
  h.max_timestamp_ms = reader.read<int64_t>();
  h.producer_id = ProducerId(reader.read<int64_t>());
  h.producer_epoch = reader.read<int16_t>();
  h.base_sequence = reader.read<int32_t>();
  h.record_count = reader.read<int32_t>();
  RETURN_IF_ERROR(check_header(h));
  return h;
}

namespace {
template <typename T>
uint8_t* put(uint8_t* at, T value) {
  value = codec::big_endian(value);
  std::memcpy(at, &value, sizeof(T));
  return at + sizeof(T);
}
}  // namespace

void write_header(const BatchHeader& header, std::span<uint8_t> bytes) {
  CHECK(bytes.size() >= kBatchHeaderBytes);
  uint8_t* at = bytes.data();
  at = put(at, header.base_offset.value);
  at = put(at, header.batch_length);
  at = put(at, header.partition_leader_epoch.value);
  at = put(at, header.magic);
  at = put(at, header.crc);
  at = put(at, header.attributes);
  at = put(at, header.last_offset_delta);
  at = put(at, header.base_timestamp_ms);
  at = put(at, header.max_timestamp_ms);
  at = put(at, header.producer_id.value);
  at = put(at, header.producer_epoch);
  at = put(at, header.base_sequence);
  put(at, header.record_count);
}

uint32_t compute_crc(BytesView batch) { return codec::crc32c(batch.subspan(kBatchCrcFrom)); }

void seal(std::span<uint8_t> batch) {
  CHECK(batch.size() >= kBatchHeaderBytes);
  put(batch.data() + kBatchCrcAt, compute_crc(batch));
}

void stamp(std::span<uint8_t> batch, Offset base_offset, LeaderEpoch epoch) {
  CHECK(batch.size() >= kBatchHeaderBytes);
  put(batch.data(), base_offset.value);
  put(batch.data() + kBatchLogOverheadBytes, epoch.value);
}

Result<Batch> Batch::parse_trusted(SharedBytes bytes) {
  ASSIGN_OR_RETURN(BatchHeader header, read_header(bytes.view()));
  if (header.total_bytes() > bytes.size()) {
    return Error{ErrorCode::kOutOfRange, "record batch: " + std::to_string(header.total_bytes()) + " bytes, of which " +
                                             std::to_string(bytes.size()) + " are there"};
  }
  Batch batch;
  batch.header_ = header;
  batch.bytes_ = header.total_bytes() == bytes.size() ? std::move(bytes) : bytes.slice(0, header.total_bytes());
  return batch;
}

Result<Batch> Batch::parse(SharedBytes bytes) {
  ASSIGN_OR_RETURN(Batch batch, parse_trusted(std::move(bytes)));
  RETURN_IF_ERROR(batch.check_crc());
  return batch;
}

Status Batch::check_crc() const {
  if (compute_crc(bytes_.view()) != header_.crc) return corrupt("checksum does not match");
  return {};
}

Result<std::vector<Batch>> split_batches(SharedBytes bytes, bool allow_partial_tail) {
  std::vector<Batch> batches;
  while (!bytes.empty()) {
    auto batch = Batch::parse(bytes);
    if (!batch.ok()) {
      if (allow_partial_tail && batch.error().code == ErrorCode::kOutOfRange) break;
      return batch.error();
    }
    size_t size = batch->size();
    batches.push_back(*std::move(batch));
    bytes = bytes.slice(size, bytes.size() - size);
  }
  return batches;
}

}  // namespace headrace::record
