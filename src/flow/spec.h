// Component specs: what a component is called, the options it takes, and their types, defaults, ranges and help.
// Parsing with line and column, --help, the reference page, the JSON Schema and the console's form all come from here.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace headrace::flow {

enum class OptionType {
  kString,
  kInteger,
  kNumber,
  kBoolean,
  kDuration,
  kSize,
  kChoice,
  kStringList,
  kStringMap,
  kRecordList
};

struct OptionSpec {
  std::string_view name;
  OptionType type = OptionType::kString;
  bool required = false;
  std::string_view fallback = {};  ///< The default, written as in the file; empty: no value when absent.
  int64_t min = std::numeric_limits<int64_t>::min();  ///< For numbers, durations (ms) and sizes (bytes).
  int64_t max = std::numeric_limits<int64_t>::max();
  std::span<const std::string_view> choices = {};  ///< For kChoice.
  std::string_view help;                           ///< One sentence.
  std::span<const OptionSpec> fields = {};         ///< For kRecordList: the fields of a record, scalars only.
};

struct ComponentSpec {
  std::string_view name;     ///< The word in the file: "opensearch".
  std::string_view summary;  ///< One sentence.
  std::span<const OptionSpec> options;
};

/// Values of one component's options after validation against its spec, defaults filled in. Asking for an option that
/// the spec lacks, or by another type, is a CHECK.
class Options {
 public:
  using Value = std::variant<std::string, int64_t, double, bool, std::chrono::milliseconds, std::vector<std::string>,
                             std::map<std::string, std::string>, std::vector<std::map<std::string, std::string>>>;

  bool has(std::string_view name) const;
  const std::string& text(std::string_view name) const;  ///< kString and kChoice.
  int64_t integer(std::string_view name) const;          ///< kInteger and kSize (bytes).
  double number(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::chrono::milliseconds duration(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  const std::map<std::string, std::string>& map(std::string_view name) const;
  /// kRecordList: each record's fields as written, checked against their specs, defaults filled in.
  const std::vector<std::map<std::string, std::string>>& records(std::string_view name) const;

  void set(std::string_view name, Value value);

 private:
  std::map<std::string, Value, std::less<>> values_;
};

/// A scalar of the file as the option's type, range and choices checked. The error says what is allowed. A scalar for a
/// kStringList is a list of comma-separated words; kStringMap and kRecordList take no scalar.
Result<Options::Value> parse_option(const OptionSpec& option, std::string_view text);
/// Checks one record of a kRecordList against `option.fields` and fills in their defaults. Every mistake is reported:
/// an unknown field, a missing one, a value of the wrong kind. `field` is empty where the record as a whole is wrong.
struct FieldError {
  std::string field;
  std::string message;
};
std::vector<FieldError> check_record(const OptionSpec& option, std::map<std::string, std::string>& record);
/// Sets the default of every option of `spec` that `options` lacks and that has one.
void fill_defaults(const ComponentSpec& spec, Options& options);

/// What kind of value an option takes, for people: "duration", "one of a, b".
std::string describe_type(const OptionSpec& option);

}  // namespace headrace::flow
