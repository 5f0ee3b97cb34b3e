#include "sinks/file/envelope.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <string_view>

namespace headrace::sinks {
namespace {

void append_base64(std::string_view bytes, std::string& out) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    size_t have = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = (group << 8) | (k < have ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= have ? kAlphabet[(group >> (18 - 6 * k)) & 63] : '=';
  }
}

void append_text(std::string_view bytes, std::string& out) {
  if (is_utf8(bytes)) return append_json_string(bytes, out);
  out += R"({"base64":")";
  append_base64(bytes, out);
  out += "\"}";
}

void append_optional(std::optional<std::string_view> bytes, std::string& out) {
  if (bytes) {
    append_text(*bytes, out);
  } else {
    out += "null";
  }
}

void append_value(std::optional<std::string_view> value, JsonText& json, std::string& out) {
  if (!value || !is_utf8(*value)) return append_optional(value, out);
  if (json.append_value(*value, out).ok()) return;
  out += R"({"text":)";
  append_json_string(*value, out);
  out += '}';
}

}  // namespace

void append_envelope(const flow::SinkRecord& sink_record, JsonText& json, std::string& out) {
  const auto& [tp, record] = sink_record;
  out += R"({"topic":)";
  append_json_string(tp->topic, out);
  fmt::format_to(std::back_inserter(out), R"(,"partition":{},"offset":{},"timestamp":{},"key":)", tp->partition.value,
                 record.offset.value, record.timestamp_ms);
  append_optional(record.key, out);
  out += R"(,"value":)";
  append_value(record.value, json, out);
  if (!record.headers.empty()) {
    out += R"(,"headers":[)";
    for (const record::Header& header : record.headers) {
      out += R"({"key":)";
      append_text(header.key, out);
      out += R"(,"value":)";
      append_optional(header.value, out);
      out += "},";
    }
    out.back() = ']';
  }
  out += '}';
}

}  // namespace headrace::sinks
