#include "sinks/json_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <iterator>

namespace headrace::sinks {

struct JsonText::Parser {
  simdjson::dom::parser dom;
};

JsonText::JsonText() : parser_(std::make_unique<Parser>()) {}
JsonText::~JsonText() = default;
JsonText::JsonText(JsonText&&) noexcept = default;

Status JsonText::append_object(std::string_view text, std::string& out) { return append(text, true, out); }
Status JsonText::append_value(std::string_view text, std::string& out) { return append(text, false, out); }

Status JsonText::append(std::string_view text, bool object_only, std::string& out) {
  simdjson::dom::element element;
  if (auto error = parser_->dom.parse(text.data(), text.size()).get(element); error != simdjson::SUCCESS) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("not JSON: {}", simdjson::error_message(error))};
  }
  if (object_only && !element.is_object()) {
    std::string_view kind = element.is_array() ? "an array" : element.is_string() ? "a string" : "a bare value";
    return Error{ErrorCode::kInvalidArgument, fmt::format("the JSON is {}, not an object", kind)};
  }
  size_t before = out.size();
  out.resize(before + text.size() + simdjson::SIMDJSON_PADDING);
  size_t written = 0;
  auto error = simdjson::minify(text.data(), text.size(), out.data() + before, written);
  out.resize(before + (error == simdjson::SUCCESS ? written : 0));
  if (error != simdjson::SUCCESS) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("not JSON: {}", simdjson::error_message(error))};
  }
  return {};
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
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
  out += '"';
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace headrace::sinks
