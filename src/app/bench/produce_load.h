// A load generator of Kafka producers that costs less than the server: each connection's request is built once.
#pragma once

#include <cstdint>
#include <string>

#include "app/address.h"
#include "app/bench/latencies.h"
#include "base/result.h"
#include "net/event_loops.h"

namespace headrace::app {

struct ProduceLoadOptions {
  Address server;
  std::string topic;
  int64_t records = 10'000'000;  ///< At least; whole requests are sent.
  size_t record_bytes = 100;     ///< Of the value; there is no key.
  size_t batch_bytes = 16384;    ///< A batch has as many records as fit, as with batch.size.
  size_t connections = 2;
  size_t in_flight = 5;  ///< max.in.flight.requests.per.connection
  int16_t acks = -1;
};

struct LoadResult {
  int64_t records = 0;
  int64_t bytes = 0;  ///< Of the values.
  double seconds = 0;
  LatencySummary latency;  ///< Of requests, from sent to answered.
};

/// Every request holds one batch for each partition of the topic, as a producer's does whose batches are full. Blocks
/// until all are answered. kUnavailable with Kafka's error code when one is refused.
Result<LoadResult> run_produce_load(net::EventLoops& loops, const ProduceLoadOptions& options);

}  // namespace headrace::app
