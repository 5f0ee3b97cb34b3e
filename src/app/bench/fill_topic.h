// Fills a topic with JSON readings, for benchmarks of what reads it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace headrace::app {

struct FillOptions {
  std::string bootstrap;
  std::string topic;
  int64_t records = 1'000'000;
  size_t record_bytes = 200;
};

/// Writes `records` JSON records of about `record_bytes` bytes to a topic, spread over its partitions, through the
/// Kafka protocol; each is a reading of one of 1,000 devices with its own time and values. Seconds that it took.
Result<double> fill_topic(const FillOptions& options);

}  // namespace headrace::app
