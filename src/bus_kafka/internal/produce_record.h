// One record of a batch handed to librdkafka.
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/ids.h"
#include "bus_kafka/internal/handle.h"
#include "record/batch.h"

namespace headrace::bus_kafka {

/// Copies `record` into librdkafka's queue for a fixed partition. The code is RD_KAFKA_RESP_ERR_NO_ERROR, or the record
/// was not taken. `opaque` comes back with the record's delivery report.
rd_kafka_resp_err_t produce_record(rd_kafka_t* handle, rd_kafka_topic_t* topic, PartitionId partition,
                                   const record::RecordView& record, void* opaque);

/// What a record costs in memory while it is in flight, in bytes: its contents and librdkafka's bookkeeping.
size_t in_flight_bytes(const record::RecordView& record);

}  // namespace headrace::bus_kafka
