// The parts of the Kafka bus, one file each.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "bus/bus.h"
#include "bus_kafka/internal/handle.h"

namespace headrace::bus_kafka {

/// What a batch may decompress to before it is refused, in bytes.
inline constexpr size_t kDecompressedBytesMax = 256 << 20;

/// How long a transactional producer waits.
struct TransactionTimes {
  /// For one step of a transaction; after it the step has timed out and the transaction is to be aborted.
  std::chrono::milliseconds step{30'000};
  /// How much longer for positions to be added, before librdkafka's call is given up (offsets_call.h).
  std::chrono::milliseconds offsets_grace{5'000};
};

Result<std::unique_ptr<bus::Producer>> make_producer(const Properties& properties, const bus::ProducerOptions& options);
Result<std::unique_ptr<bus::TransactionalProducer>> make_transactional_producer(const Properties& properties,
                                                                                const std::string& transactional_id,
                                                                                const TransactionTimes& times = {});
Result<std::unique_ptr<bus::Consumer>> make_consumer(const Properties& properties, const bus::ConsumerOptions& options);
Result<std::unique_ptr<bus::Admin>> make_admin(const Properties& properties);

}  // namespace headrace::bus_kafka
