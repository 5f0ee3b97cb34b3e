// What producers, coordinators and brokers put into finished batches: producer ids and sequences (KIP-98), control
// batches, times.
#pragma once

#include <cstdint>
#include <optional>

#include "record/batch.h"

namespace headrace::record {

/// The producer's part of a batch header.
struct ProducerFields {
  ProducerId id = kNoProducerId;
  int16_t epoch = -1;
  int32_t base_sequence = -1;
  bool transactional = false;
};

/// A copy of `batch` with `fields` in it and the CRC made right.
Batch with_producer(const Batch& batch, const ProducerFields& fields);

/// A copy of `batch` with `max_timestamp_ms` in its header and the CRC made right.
Batch with_max_timestamp(const Batch& batch, int64_t max_timestamp_ms);

/// The sequence number that follows `records` records after `sequence`; sequences wrap from 2^31-1 to 0.
int32_t sequence_after(int32_t sequence, int32_t records);

/// Kafka's ControlRecordType.
enum class ControlType : int16_t { kAbort = 0, kCommit = 1 };

/// The marker that ends a transaction in one partition, a control batch of one record:
///   key := version:i16(=0) type:i16;  value := version:i16(=0) coordinator_epoch:i32
Batch end_transaction_marker(ControlType type, ProducerId id, int16_t epoch, int32_t coordinator_epoch, int64_t now_ms);

/// What a control batch says (KIP-98's EndTxn marker).
struct TransactionMarker {
  ControlType type = ControlType::kAbort;
  int32_t coordinator_epoch = -1;
};
/// Reads the marker of an uncompressed control batch; nothing for other batches and other kinds of control records.
/// kCorrupt when malformed.
Result<std::optional<TransactionMarker>> read_marker(const BatchHeader& header, BytesView batch);

}  // namespace headrace::record
