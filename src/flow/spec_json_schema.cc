#include "flow/spec_json_schema.h"

#include <fmt/format.h>

#include <iterator>

namespace headrace::flow {
namespace {

/// What YAML makes of a scalar default: a bare number or boolean where the type is one, else text.
std::string default_json(const OptionSpec& option) {
  switch (option.type) {
    case OptionType::kInteger:
    case OptionType::kNumber:
    case OptionType::kBoolean: return std::string(option.fallback);
    case OptionType::kStringList: {
      std::string out = "[";
      auto list = parse_option(option, option.fallback);
      for (const std::string& item : std::get<std::vector<std::string>>(*list)) {
        if (out.size() > 1) out += ',';
        out += json_quoted(item);
      }
      return out + "]";
    }
    default: return json_quoted(option.fallback);
  }
}

std::string range_json(const OptionSpec& option) {
  std::string out;
  if (option.min != std::numeric_limits<int64_t>::min()) out += fmt::format(R"(,"minimum":{})", option.min);
  if (option.max != std::numeric_limits<int64_t>::max()) out += fmt::format(R"(,"maximum":{})", option.max);
  return out;
}

std::string object_json(std::span<const OptionSpec> options) {
  std::string required;
  for (const OptionSpec& option : options) {
    if (option.required) required += (required.empty() ? "" : ",") + json_quoted(option.name);
  }
  return fmt::format(R"("type":"object","properties":{{{}}},"required":[{}],"additionalProperties":false)",
                     json_schema_properties(options), required);
}

std::string type_json(const OptionSpec& option) {
  constexpr std::string_view kDurationPattern = R"(^-1$|^[0-9]+(\\.[0-9]+)? *(ms|s|m|h|d|w)?$)";
  constexpr std::string_view kSizePattern = R"(^-1$|^[0-9]+(\\.[0-9]+)? *(B|[KMGT]i?B)?$)";
  switch (option.type) {
    case OptionType::kString: return R"("type":["string","number","boolean"])";
    case OptionType::kInteger: return R"("type":"integer")" + range_json(option);
    case OptionType::kNumber: return R"("type":"number")" + range_json(option);
    case OptionType::kBoolean: return R"("type":"boolean")";
    case OptionType::kDuration:
      return fmt::format(R"("type":["string","integer"],"pattern":"{}")", kDurationPattern) + range_json(option);
    case OptionType::kSize:
      return fmt::format(R"("type":["string","integer"],"pattern":"{}")", kSizePattern) + range_json(option);
    case OptionType::kChoice: {
      std::string choices;
      for (std::string_view choice : option.choices) choices += (choices.empty() ? "" : ",") + json_quoted(choice);
      return fmt::format(R"("enum":[{}])", choices);
    }
    case OptionType::kStringList: return R"("type":["array","string"],"items":{"type":["string","number","boolean"]})";
    case OptionType::kStringMap:
      return R"("type":"object","additionalProperties":{"type":["string","number","boolean"]})";
    case OptionType::kRecordList: break;
  }
  return fmt::format(R"("type":"array","items":{{{}}})", object_json(option.fields));
}

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + "\"";
}

std::string json_schema(const OptionSpec& option) {
  std::string out = "{" + type_json(option);
  if (!option.fallback.empty()) out += ",\"default\":" + default_json(option);
  return out + ",\"description\":" + json_quoted(option.help) + "}";
}

std::string json_schema_properties(std::span<const OptionSpec> options) {
  std::string out;
  for (const OptionSpec& option : options) {
    if (!out.empty()) out += ',';
    out += json_quoted(option.name) + ":" + json_schema(option);
  }
  return out;
}

std::string json_schema(const ComponentSpec& spec) {
  return "{" + object_json(spec.options) + ",\"description\":" + json_quoted(spec.summary) + "}";
}

}  // namespace headrace::flow
