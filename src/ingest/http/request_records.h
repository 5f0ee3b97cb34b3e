// The records that an HTTP request carries.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace headrace::ingest {

/// Views into the request's body, or into the texts that RequestRecords keeps.
struct RequestRecord {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::optional<int32_t> partition;
  std::optional<int64_t> timestamp_ms;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
};

struct RequestRecords {
  std::vector<RequestRecord> records;
  std::deque<std::string> texts;  ///< Decoded strings.
};

inline constexpr size_t kRequestRecordsMax = 100'000;

/// Reads all records of a body, or none. By content type:
///   application/json          {"records": [{"value": ..., "key": ..., "partition": ..., "timestamp": ..., "headers":
///                             {...}}, ...]}, or any other JSON value: one record
///   application/x-ndjson      a JSON value on each line that is not empty
///   application/octet-stream  one record
/// `query` may give `key` and `partition` to records that name none. A value is kept as it was written; a null is a
/// record without a value. kInvalidArgument says where the mistake is; kUnsupported: another content type; kTooLarge.
Result<RequestRecords> read_records(std::string_view content_type, std::string_view body,
                                    const std::map<std::string, std::string>& query);

}  // namespace headrace::ingest
