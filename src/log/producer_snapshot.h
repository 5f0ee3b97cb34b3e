// Kafka's producer snapshot (<offset>.snapshot): the producers as they were before that offset.
//
//   file      := version:i16(=1) crc:u32 count:i32 producer{count} extension?
//   producer  := producer_id:i64 epoch:i16 last_sequence:i32 last_offset:i64 offset_delta:i32 timestamp:i64
//                coordinator_epoch:i32 transaction_first_offset:i64
//   extension := "HRx1" count:i32 earlier{count}
//   earlier   := producer_id:i64 last_sequence:i32 last_offset:i64 offset_delta:i32 timestamp:i64
//
// crc is CRC-32C of all that follows it. Kafka keeps one batch a producer and does not read what follows its array; the
// extension holds the up to four batches before that one, oldest first, so that a retry is recognised after a restart.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "log/producer_state.h"

namespace headrace::log {

Bytes encode_producer_snapshot(const ProducerStates& states);
Result<ProducerStates> decode_producer_snapshot(BytesView bytes);

}  // namespace headrace::log
