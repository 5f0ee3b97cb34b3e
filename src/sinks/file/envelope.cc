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

/// `"NAME":"text"`, or with what is not UTF-8 `"NAME_base64":"..."`; `suffix` goes behind the name of a text.
void append_member(std::string_view name, std::string_view suffix, std::optional<std::string_view> bytes,
                   std::string& out) {
  auto out_it = std::back_inserter(out);
  if (!bytes) {
    fmt::format_to(out_it, R"("{}":null)", name);
  } else if (is_utf8(*bytes)) {
    fmt::format_to(out_it, R"("{}{}":)", name, suffix);
    append_json_string(*bytes, out);
  } else {
    fmt::format_to(out_it, R"("{}_base64":")", name);
    append_base64(*bytes, out);
    out += '"';
  }
}

void append_value(std::optional<std::string_view> value, JsonText& json, std::string& out) {
  size_t before = out.size();
  out += R"("value":)";
  if (value && json.append_value(*value, out).ok()) return;
  out.resize(before);
  append_member("value", "_text", value, out);
}

}  // namespace

void append_envelope(const flow::SinkRecord& sink_record, JsonText& json, std::string& out) {
  const auto& [tp, record] = sink_record;
  out += R"({"topic":)";
  append_json_string(tp->topic, out);
  fmt::format_to(std::back_inserter(out), R"(,"partition":{},"offset":{},"timestamp":{},)", tp->partition.value,
                 record.offset.value, record.timestamp_ms);
  append_member("key", "", record.key, out);
  out += ',';
  append_value(record.value, json, out);
  if (!record.headers.empty()) {
    out += R"(,"headers":[)";
    for (const record::Header& header : record.headers) {
      out += '{';
      append_member("name", "", header.key, out);
      out += ',';
      append_member("value", "_text", header.value, out);
      out += "},";
    }
    out.back() = ']';
  }
  out += '}';
}

}  // namespace headrace::sinks
