// End-to-end latency at a steady rate: from a record's making to a consumer's having it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "app/address.h"
#include "app/bench/produce_load.h"
#include "base/result.h"
#include "net/event_loops.h"

namespace headrace::app {

struct LatencyLoadOptions {
  Address server;
  std::string topic;
  int64_t rate = 20'000;  ///< Records a second; those of a millisecond go in one batch, to the partitions in turn.
  size_t record_bytes = 100;
  std::chrono::milliseconds duration{10'000};
};

/// Produces with acks=all over one connection and consumes over another. The latency is each record's own. Blocks.
Result<LoadResult> run_latency_load(net::EventLoops& loops, const LatencyLoadOptions& options);

}  // namespace headrace::app
