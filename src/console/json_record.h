// A record's JSON value, read field by field. Hides the parser from the panels.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace headrace::console {

/// Parses one record after another into the same memory. Views are valid until the next parse(). One thread at a time.
class JsonRecord {
 public:
  JsonRecord();
  ~JsonRecord();

  /// Whether `value` is a JSON object no larger than kRecordBytesMax.
  bool parse(std::string_view value);

  /// A field's value; nothing when it is absent, null, or not of that type. Dots step into nested objects.
  std::optional<double> number(std::string_view field) const;
  /// Of a string the string, of a number or boolean its text; that is valid until the next text() only.
  std::optional<std::string_view> text(std::string_view field) const;

  static constexpr size_t kRecordBytesMax = 1 << 20;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
  mutable std::string scratch_;
};

}  // namespace headrace::console
