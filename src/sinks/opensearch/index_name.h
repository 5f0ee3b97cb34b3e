// Index names made from a record: "cabs", "{topic}", "{topic}-{date}".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::sinks::opensearch {

/// A template of index names. {topic} is the record's topic in lower case (index names allow no other), {date} its
/// timestamp's day in UTC as 2026-11-21.
class IndexName {
 public:
  /// kInvalidArgument: an unknown {word}, an unclosed brace, or a character that index names don't allow.
  static Result<IndexName> parse(std::string_view text);

  /// Appends the name for a record of `topic` at `timestamp_ms`.
  void append(std::string_view topic, int64_t timestamp_ms, std::string& out) const;

 private:
  enum class Kind { kText, kTopic, kDate };
  struct Part {
    Kind kind;
    std::string text;
  };
  std::vector<Part> parts_;
};

}  // namespace headrace::sinks::opensearch
