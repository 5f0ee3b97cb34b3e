// OpenTelemetry metrics (OTLP 1.x, protobuf) as far as Kafka clients push them (KIP-714): gauges and sums.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace headrace::kafka {

struct OtlpLimits {
  size_t points_max = 2000;     ///< Data points of one message; those over it are an error.
  size_t text_bytes_max = 512;  ///< Of a name, key or value.
  size_t attributes_max = 32;   ///< Of a data point or resource.
};

/// One data point.
struct OtlpPoint {
  std::string name;                               ///< "org.apache.kafka.producer.connection.creation.total"
  std::map<std::string, std::string> attributes;  ///< Of the resource and of the point.
  double value = 0;
  bool is_sum = false;
  bool is_delta = false;  ///< A sum since the last report rather than since the start.
  friend bool operator==(const OtlpPoint&, const OtlpPoint&) = default;
};

/// The points of a MetricsData message. Histograms and other kinds are skipped: Kafka's clients have none.
/// kCorrupt: no protobuf; kTooLarge: over a limit.
Result<std::vector<OtlpPoint>> decode_otlp(BytesView bytes, const OtlpLimits& limits = {});

}  // namespace headrace::kafka
