// Recorded data read row by row: CSV with a header, or one JSON object a line; gzip or not.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace headrace::app {

/// One recorded row.
struct Row {
  int64_t line = 0;                                         ///< Where it begins in the file, from 1.
  std::vector<std::pair<std::string, std::string>> fields;  ///< In their order; values as text, for templates and time.
  std::string json;                                         ///< The row as a JSON object: the device's message.
};

class Recording {
 public:
  /// Opens `path`; the format is told by its name (.csv, .ndjson, .jsonl, each with .gz or without).
  static Result<std::unique_ptr<Recording>> open(const std::string& path);
  virtual ~Recording() = default;
  /// The next row; nothing at the end. kCorrupt names file, line and column.
  virtual Result<std::optional<Row>> next() = 0;
  /// How much of the file was read, 0 to 1.
  virtual double progress() const = 0;
};

/// Limit of one row.
inline constexpr size_t kRowBytesMax = 8 << 20;

/// A time as recordings have it: seconds, milliseconds, microseconds or nanoseconds since 1970 as a number (told by its
/// size), RFC 3339, or YYYY-MM-DD HH:MM:SS; in milliseconds since 1970.
std::optional<int64_t> parse_recorded_time(std::string_view text);

}  // namespace headrace::app
