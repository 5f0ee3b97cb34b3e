#include "record/producer_fields.h"

#include <algorithm>
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

Batch with_max_timestamp(const Batch& batch, int64_t max_timestamp_ms) {
  return rewritten(batch, [&](BatchHeader& header) { header.max_timestamp_ms = max_timestamp_ms; });
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

Result<std::optional<TransactionMarker>> read_marker(const BatchHeader& header, BytesView batch) {
  if (!header.is_control()) return std::optional<TransactionMarker>();
  codec::Reader reader(batch.subspan(std::min(batch.size(), kBatchHeaderBytes)));
  reader.read_varint();   // length
  reader.read<int8_t>();  // attributes
  reader.read_varint();   // timestamp delta
  reader.read_varint();   // offset delta
  int64_t key_bytes = reader.read_varint();
  reader.read<int16_t>();  // version
  auto type = static_cast<ControlType>(reader.read<int16_t>());
  if (!reader.ok() || key_bytes < 4) return Error{ErrorCode::kCorrupt, "control batch without a readable key"};
  if (type != ControlType::kAbort && type != ControlType::kCommit) return std::optional<TransactionMarker>();
  reader.skip(static_cast<size_t>(key_bytes - 4));
  int64_t value_bytes = reader.read_varint();
  reader.read<int16_t>();  // version
  int32_t coordinator_epoch = reader.read<int32_t>();
  if (!reader.ok() || value_bytes < 6) return Error{ErrorCode::kCorrupt, "transaction marker without a readable value"};
  return std::optional(TransactionMarker{type, coordinator_epoch});
}

}  // namespace headrace::record
