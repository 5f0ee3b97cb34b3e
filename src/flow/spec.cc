#include "flow/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/units.h"

namespace headrace::flow {
namespace {

constexpr int64_t kNoMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kNoMax = std::numeric_limits<int64_t>::max();

template <typename T>
const T& get(const std::map<std::string, Options::Value, std::less<>>& values, std::string_view name) {
  auto it = values.find(name);
  CHECK(it != values.end());
  const T* value = std::get_if<T>(&it->second);
  CHECK(value != nullptr);
  return *value;
}

std::string bound_text(OptionType type, int64_t bound) {
  if (type == OptionType::kDuration) return format_duration(std::chrono::milliseconds(bound));
  if (type == OptionType::kSize) return format_size(bound);
  return std::to_string(bound);
}

/// " from 1 to 9", " of at least 1", " of at most 9" or nothing.
std::string range_text(const OptionSpec& option) {
  bool low = option.min != kNoMin, high = option.max != kNoMax;
  if (low && high)
    return fmt::format(" from {} to {}", bound_text(option.type, option.min), bound_text(option.type, option.max));
  if (low) return fmt::format(" of at least {}", bound_text(option.type, option.min));
  if (high) return fmt::format(" of at most {}", bound_text(option.type, option.max));
  return "";
}

Error wrong(const OptionSpec& option, std::string_view text) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("'{}' is not allowed for {}: it takes {}", text, option.name, describe_type(option))};
}

template <typename Number>
bool in_range(const OptionSpec& option, Number value) {
  if constexpr (std::is_floating_point_v<Number>) {
    return (option.min == kNoMin || value >= static_cast<double>(option.min)) &&
           (option.max == kNoMax || value <= static_cast<double>(option.max));
  }
  return value >= option.min && value <= option.max;
}

Result<Options::Value> parse_integer(const OptionSpec& option, std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !in_range(option, value)) return wrong(option, text);
  return Options::Value(value);
}

Result<Options::Value> parse_number(const OptionSpec& option, std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
  if (!whole || !in_range(option, value)) return wrong(option, text);
  return Options::Value(value);
}

Result<Options::Value> parse_boolean(const OptionSpec& option, std::string_view text) {
  if (text == "true") return Options::Value(true);
  if (text == "false") return Options::Value(false);
  return wrong(option, text);
}

Result<Options::Value> parse_duration_option(const OptionSpec& option, std::string_view text) {
  auto value = parse_duration(text);
  if (!value.ok() || !in_range(option, int64_t{value->count()})) return wrong(option, text);
  return Options::Value(*value);
}

Result<Options::Value> parse_size_option(const OptionSpec& option, std::string_view text) {
  auto value = parse_size(text);
  if (!value.ok() || !in_range(option, *value)) return wrong(option, text);
  return Options::Value(*value);
}

Result<Options::Value> parse_choice(const OptionSpec& option, std::string_view text) {
  if (std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end()) return wrong(option, text);
  return Options::Value(std::string(text));
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) words.emplace_back(word);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}

}  // namespace

bool Options::has(std::string_view name) const { return values_.contains(name); }
const std::string& Options::text(std::string_view name) const { return get<std::string>(values_, name); }
int64_t Options::integer(std::string_view name) const { return get<int64_t>(values_, name); }
double Options::number(std::string_view name) const { return get<double>(values_, name); }
bool Options::boolean(std::string_view name) const { return get<bool>(values_, name); }
std::chrono::milliseconds Options::duration(std::string_view name) const {
  return get<std::chrono::milliseconds>(values_, name);
}
const std::vector<std::string>& Options::list(std::string_view name) const {
  return get<std::vector<std::string>>(values_, name);
}
const std::map<std::string, std::string>& Options::map(std::string_view name) const {
  return get<std::map<std::string, std::string>>(values_, name);
}
const std::vector<std::map<std::string, std::string>>& Options::records(std::string_view name) const {
  return get<std::vector<std::map<std::string, std::string>>>(values_, name);
}

void Options::set(std::string_view name, Value value) { values_.insert_or_assign(std::string(name), std::move(value)); }

Result<Options::Value> parse_option(const OptionSpec& option, std::string_view text) {
  switch (option.type) {
    case OptionType::kString: return Options::Value(std::string(text));
    case OptionType::kInteger: return parse_integer(option, text);
    case OptionType::kNumber: return parse_number(option, text);
    case OptionType::kBoolean: return parse_boolean(option, text);
    case OptionType::kDuration: return parse_duration_option(option, text);
    case OptionType::kSize: return parse_size_option(option, text);
    case OptionType::kChoice: return parse_choice(option, text);
    case OptionType::kStringList: return Options::Value(split_words(text));
    case OptionType::kStringMap:
    case OptionType::kRecordList: break;
  }
  return wrong(option, text);
}

std::vector<FieldError> check_record(const OptionSpec& option, std::map<std::string, std::string>& record) {
  std::vector<FieldError> errors;
  std::string known;
  for (const OptionSpec& field : option.fields) {
    known += (known.empty() ? "" : ", ") + std::string(field.name);
    auto it = record.find(std::string(field.name));
    if (it != record.end()) {
      if (auto parsed = parse_option(field, it->second); !parsed.ok()) {
        errors.push_back({it->first, parsed.error().message});
      }
    } else if (!field.fallback.empty()) {
      record.emplace(field.name, field.fallback);
    } else if (field.required) {
      errors.push_back({"", fmt::format("{} is missing: it takes {}", field.name, describe_type(field))});
    }
  }
  for (const auto& [name, value] : record) {
    bool found = std::any_of(option.fields.begin(), option.fields.end(),
                             [&name = name](const auto& f) { return f.name == name; });
    if (!found) errors.push_back({name, fmt::format("unknown field '{}': {} has {}", name, option.name, known)});
  }
  return errors;
}

void fill_defaults(const ComponentSpec& spec, Options& options) {
  for (const OptionSpec& option : spec.options) {
    if (option.fallback.empty() || options.has(option.name)) continue;
    auto value = parse_option(option, option.fallback);
    CHECK(value.ok());
    options.set(option.name, *std::move(value));
  }
}

std::string describe_type(const OptionSpec& option) {
  switch (option.type) {
    case OptionType::kString: return "text";
    case OptionType::kInteger: return "a whole number" + range_text(option);
    case OptionType::kNumber: return "a number" + range_text(option);
    case OptionType::kBoolean: return "true or false";
    case OptionType::kDuration: return "a duration" + range_text(option) + ", as in 250ms, 90s or 7d";
    case OptionType::kSize: return "a size" + range_text(option) + ", as in 64KiB or 8MiB";
    case OptionType::kChoice: return fmt::format("one of {}", fmt::join(option.choices, ", "));
    case OptionType::kStringList: return "a list of texts";
    case OptionType::kStringMap: return "a map of texts";
    case OptionType::kRecordList: break;
  }
  std::string fields;
  for (const OptionSpec& field : option.fields) fields += (fields.empty() ? "" : ", ") + std::string(field.name);
  return "a list of maps with " + fields;
}

}  // namespace headrace::flow
