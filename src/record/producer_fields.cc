#include "record/producer_fields.h"

#include <limits>
#include <memory>

#include "codec/cursor.h"
#include "record/batch_builder.h"

namespace headrace::record {
namespace {

/// A copy of `batch` with the header that `change` makes of its own.
template <typename Change>
Batch rewritten(const Batch& batch, Change change) {
  auto view = batch.bytes().view();
  auto copy = std::make_shared<Bytes>(view.begin(), view.end());
  BatchHeader header = batch.header();
  change(header);
  write_header(header, *copy);
  seal(*copy);
  auto result = Batch::parse_trusted(SharedBytes(copy, *copy));
  CHECK(result.ok());
  return *std::move(result);
}

}  // namespace

Batch with_producer(const Batch& batch, const ProducerFields& fields) {
  return rewritten(batch, [&](BatchHeader& header) {
    header.producer_id = fields.id;
    header.producer_epoch = fields.epoch;
    header.base_sequence = fields.base_sequence;
    header.attributes = static_cast<int16_t>(header.attributes & ~kTransactionalBit);
    if (fields.transactional) header.attributes = static_cast<int16_t>(header.attributes | kTransactionalBit);
  });
}

Batch with_log_append_time(const Batch& batch, int64_t now_ms) {
  return rewritten(batch, [&](BatchHeader& header) {
    header.attributes = static_cast<int16_t>(header.attributes | kLogAppendTimeBit);
    header.max_timestamp_ms = now_ms;
  });
}

int32_t sequence_after(int32_t sequence, int32_t records) {
  int64_t next = int64_t{sequence} + records;
  constexpr int64_t kModulus = int64_t{std::numeric_limits<int32_t>::max()} + 1;
  return static_cast<int32_t>(next % kModulus);
}

Batch end_transaction_marker(ControlType type, ProducerId id, int16_t epoch, int32_t coordinator_epoch,
                             int64_t now_ms) {
  Bytes key, value;
  codec::Writer key_writer(key), value_writer(value);
  key_writer.write<int16_t>(0);
  key_writer.write(static_cast<int16_t>(type));
  value_writer.write<int16_t>(0);
  value_writer.write(coordinator_epoch);
  BatchBuilder builder;
  builder.add(now_ms, as_text(key), as_text(value));
  return rewritten(builder.finish(), [&](BatchHeader& header) {
    header.attributes = static_cast<int16_t>(kTransactionalBit | kControlBit);
    header.producer_id = id;
    header.producer_epoch = epoch;
  });
}

Result<ControlType> control_type(const Batch& batch) {
  RecordReader reader(batch, 1024);
  const RecordView* record = batch.header().is_control() ? reader.next() : nullptr;
  if (!record || !record->key) return Error{ErrorCode::kCorrupt, "control batch: no control record"};
  codec::Reader key(as_bytes(*record->key));
  key.read<int16_t>();
  auto type = key.read<int16_t>();
  if (!key.ok()) return Error{ErrorCode::kCorrupt, "control batch: its key is cut"};
  if (type != 0 && type != 1) return Error{ErrorCode::kUnsupported, "control batch: type " + std::to_string(type)};
  return static_cast<ControlType>(type);
}

}  // namespace headrace::record
