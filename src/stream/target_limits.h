// What a topic takes, as far as a record from outside could make a pipeline's result go beyond it.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "bus/bus.h"

namespace headrace::stream {

struct TargetLimits {
  int64_t before_max_ms = std::numeric_limits<int64_t>::max();  ///< message.timestamp.before.max.ms
  int64_t after_max_ms = 3'600'000;                             ///< message.timestamp.after.max.ms

  bool needs_keys = false;  ///< It is compacted.

  /// That time where the topic takes it at `now_ms`, else `now_ms`.
  int64_t fit_timestamp(int64_t timestamp_ms, int64_t now_ms) const;
};

/// The limits of a topic; Kafka's defaults where its configuration may not be read.
TargetLimits target_limits(bus::Admin& admin, std::string_view topic);

}  // namespace headrace::stream
