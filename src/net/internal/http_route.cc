#include "net/internal/http_route.h"

#include "base/check.h"

namespace headrace::net::internal {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Cuts the part up to the next `separator` off the front of `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  size_t at = rest.find(separator);
  std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return part;
}

}  // namespace

std::optional<std::string> url_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::optional<std::map<std::string, std::string>> parse_query(std::string_view query) {
  std::map<std::string, std::string> values;
  while (!query.empty()) {
    std::string_view pair = cut(query, '&');
    if (pair.empty()) continue;
    auto name = url_decode(cut(pair, '='), true);
    auto value = url_decode(pair, true);
    if (!name || !value) return std::nullopt;
    values[*name] = *value;
  }
  return values;
}

RoutePattern::RoutePattern(std::string_view pattern) {
  CHECK(pattern.starts_with('/'));
  pattern.remove_prefix(1);
  for (bool more = true; more;) {
    CHECK(parts_.empty() || parts_.back().kind != Kind::kRest);
    more = pattern.find('/') != std::string_view::npos;
    std::string_view part = cut(pattern, '/');
    if (!part.starts_with('{')) {
      parts_.push_back({Kind::kLiteral, std::string(part)});
    } else {
      CHECK(part.size() > 2 && part.ends_with('}'));
      part = part.substr(1, part.size() - 2);
      bool rest = part.ends_with("...");
      if (rest) part.remove_suffix(3);
      parts_.push_back({rest ? Kind::kRest : Kind::kParam, std::string(part)});
    }
  }
}

std::optional<RoutePattern::Params> RoutePattern::match(std::string_view path) const {
  if (!path.starts_with('/')) return std::nullopt;
  Params params;
  std::optional<std::string_view> left = path.substr(1);
  for (const Part& part : parts_) {
    if (part.kind == Kind::kRest) {
      auto value = url_decode(left.value_or(""), false);
      if (!value) return std::nullopt;
      params[part.text] = *std::move(value);
      return params;
    }
    if (!left) return std::nullopt;
    bool more = left->find('/') != std::string_view::npos;
    auto value = url_decode(cut(*left, '/'), false);
    if (!more) left.reset();
    if (!value) return std::nullopt;
    if (part.kind == Kind::kLiteral && *value != part.text) return std::nullopt;
    if (part.kind == Kind::kParam && value->empty()) return std::nullopt;
    if (part.kind == Kind::kParam) params[part.text] = *std::move(value);
  }
  if (left) return std::nullopt;
  return params;
}

}  // namespace headrace::net::internal
