#include "console/json_record.h"

#include <fmt/format.h>
#include <simdjson.h>

namespace headrace::console {

struct JsonRecord::Parsed {
  simdjson::dom::parser parser{kRecordBytesMax};
  simdjson::dom::object object;
  bool valid = false;

  /// The element at a dotted path.
  std::optional<simdjson::dom::element> find(std::string_view path) const {
    if (!valid) return std::nullopt;
    simdjson::dom::object at = object;
    while (true) {
      simdjson::dom::element found;
      if (!at[path].get(found)) return found;
      const size_t dot = path.find('.');
      if (dot == path.npos || at[path.substr(0, dot)].get(at)) return std::nullopt;
      path.remove_prefix(dot + 1);
    }
  }
};

JsonRecord::JsonRecord() : parsed_(std::make_unique<Parsed>()) {}
JsonRecord::~JsonRecord() = default;

bool JsonRecord::parse(std::string_view value) {
  parsed_->valid =
      value.size() <= kRecordBytesMax && !parsed_->parser.parse(value.data(), value.size()).get(parsed_->object);
  return parsed_->valid;
}

std::optional<double> JsonRecord::number(std::string_view field) const {
  const auto element = parsed_->find(field);
  double value = 0;
  if (!element || element->get(value)) return std::nullopt;
  return value;
}

std::optional<std::string_view> JsonRecord::text(std::string_view field) const {
  const auto element = parsed_->find(field);
  if (!element) return std::nullopt;
  std::string_view text;
  if (!element->get(text)) return text;
  if (int64_t whole; !element->get(whole)) return scratch_ = fmt::format("{}", whole);
  if (double number; !element->get(number)) return scratch_ = fmt::format("{}", number);
  if (bool flag; !element->get(flag)) return flag ? "true" : "false";
  return std::nullopt;
}

}  // namespace headrace::console
