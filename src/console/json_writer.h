// Writes JSON text. Any bytes may be given as text: what is not UTF-8 becomes U+FFFD.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::console {

/// Appends one JSON document to a string; commas are put where they belong. Not thread-safe.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& integer(int64_t value);
  JsonWriter& number(double value);               ///< The shortest form that reads back; null for NaN, infinity.
  JsonWriter& fixed(double value, int decimals);  ///< Rounded: coordinates need no more digits.
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// A JSON document as it is.
  JsonWriter& raw(std::string_view json);

  const std::string& str() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string out_;
  bool comma_ = false;
};

/// Appends `text` to `out` as a JSON string with its quotes. '<', '>' and '&' are escaped too, so that the document can
/// stand inside HTML.
void append_json_string(std::string& out, std::string_view text);

/// Whether `text` is well-formed UTF-8 (no overlong forms, surrogates or code points over 10FFFF; Unicode table 3-7).
bool is_utf8(std::string_view text);

}  // namespace headrace::console
