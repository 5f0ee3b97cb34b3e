// A load generator of Kafka consumers that costs less than the server: batches are counted by their headers.
#pragma once

#include <cstdint>
#include <string>

#include "app/address.h"
#include "app/bench/produce_load.h"
#include "base/result.h"
#include "net/event_loops.h"

namespace headrace::app {

struct ConsumeLoadOptions {
  Address server;
  std::string topic;
  size_t consumers = 1;                   ///< The topic's partitions are spread over them.
  size_t groups = 1;                      ///< So many such sets of consumers, each reading everything.
  int32_t fetch_bytes_max = 50 << 20;     ///< fetch.max.bytes
  int32_t partition_bytes_max = 1 << 20;  ///< max.partition.fetch.bytes
};

/// Reads the topic from its first record to what was its end at the start. Blocks. The latency is that of fetches.
Result<LoadResult> run_consume_load(net::EventLoops& loops, const ConsumeLoadOptions& options);

}  // namespace headrace::app
