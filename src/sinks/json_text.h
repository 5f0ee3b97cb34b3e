// JSON as sinks write it: checked, and on one line.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::sinks {

/// Checks JSON texts and appends them without white space, so that a pretty-printed one can't end a line of NDJSON.
/// Numbers and strings keep their bytes. One thread; reuses its memory.
class JsonText {
 public:
  JsonText();
  ~JsonText();
  JsonText(JsonText&&) noexcept;

  /// Appends `text` to `out`. kInvalidArgument: it is not one JSON object; the message says what it is instead.
  Status append_object(std::string_view text, std::string& out);
  /// The same for any JSON value.
  Status append_value(std::string_view text, std::string& out);

 private:
  struct Parser;
  Status append(std::string_view text, bool object_only, std::string& out);
  std::unique_ptr<Parser> parser_;
};

/// Appends `text` as a JSON string. `text` must be UTF-8.
void append_json_string(std::string_view text, std::string& out);
bool is_utf8(std::string_view text);

}  // namespace headrace::sinks
