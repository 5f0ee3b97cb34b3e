#include "sinks/opensearch/index_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace headrace::sinks::opensearch {
namespace {

Error wrong(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, fmt::format("'{}' is not an index name: {}", text, why)};
}

bool allowed(char c) {
  constexpr std::string_view kForbidden = "\\/*?\"<>| ,#:{}";
  return c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z') && kForbidden.find(c) == std::string_view::npos;
}

void append_date(int64_t timestamp_ms, std::string& out) {
  // Years beyond four digits have no place in a name; such timestamps are garbage, and one index of garbage is enough.
  constexpr int64_t kYear9999Ms = 253'402'300'799'999;
  auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_time<std::chrono::milliseconds>(
      std::chrono::milliseconds(std::clamp<int64_t>(timestamp_ms, 0, kYear9999Ms))));
  std::chrono::year_month_day date(day);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

}  // namespace

Result<IndexName> IndexName::parse(std::string_view text) {
  if (text.empty()) return wrong(text, "it is empty");
  if (text[0] == '_' || text[0] == '-' || text[0] == '+') return wrong(text, "it may not begin with _, - or +");
  IndexName name;
  for (std::string_view rest = text; !rest.empty();) {
    if (rest[0] != '{') {
      size_t size = std::min(rest.find('{'), rest.size());
      std::string_view literal = rest.substr(0, size);
      if (!std::all_of(literal.begin(), literal.end(), allowed)) {
        return wrong(text, "it takes lower-case letters, digits, '.', '_', '-', {topic} and {date}");
      }
      name.parts_.push_back({Kind::kText, std::string(literal)});
      rest.remove_prefix(size);
      continue;
    }
    size_t close = rest.find('}');
    if (close == std::string_view::npos) return wrong(text, "a brace is not closed");
    std::string_view word = rest.substr(1, close - 1);
    if (word != "topic" && word != "date") return wrong(text, "{topic} and {date} are what can stand in braces");
    name.parts_.push_back({word == "topic" ? Kind::kTopic : Kind::kDate, ""});
    rest.remove_prefix(close + 1);
  }
  return name;
}

void IndexName::append(std::string_view topic, int64_t timestamp_ms, std::string& out) const {
  for (const Part& part : parts_) {
    if (part.kind == Kind::kText) {
      out += part.text;
    } else if (part.kind == Kind::kDate) {
      append_date(timestamp_ms, out);
    } else {
      for (char c : topic) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
}

}  // namespace headrace::sinks::opensearch
