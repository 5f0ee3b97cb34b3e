// A look into a topic for people: its newest records, or those from an offset on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bus/bus.h"

namespace headrace::console {

struct RecordsQuery {
  static constexpr int64_t kLimitMax = 500;
  static constexpr size_t kValueBytesMax = 64 << 10;  ///< Of one key or value; what is longer is cut and says so.
  static constexpr size_t kAnswerBytesMax = 8 << 20;

  std::string topic;
  std::optional<int32_t> partition;  ///< Without: all partitions.
  std::optional<int64_t> offset;     ///< Without: the newest.
  int64_t limit = 50;
};

/// {"topic", "records": [{"partition", "offset", "timestamp", "key", "value",
/// ["key_encoding"|"value_encoding": "base64"], ["truncated": true]}...]}, oldest first, at most `limit` and about
/// kAnswerBytesMax. Committed records only. Blocks for up to two seconds.
Result<std::string> query_records(bus::Bus& bus, const RecordsQuery& query);

}  // namespace headrace::console
