#include "ingest/http/json_scanner.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace headrace::ingest {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (point & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (point & 0x3f));
  }
}

}  // namespace

bool JsonScanner::fail_at(size_t at, std::string_view what) {
  if (error_.empty()) {
    error_ = what;
    error_at_ = std::min(at, text_.size());
    at_ = text_.size();
  }
  return false;
}

Error JsonScanner::error() const {
  std::string_view before = text_.substr(0, error_at_);
  size_t line = first_line_ + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  size_t start = before.rfind('\n');
  size_t column = error_at_ - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return {ErrorCode::kInvalidArgument, fmt::format("line {}, column {}: {}", line, column, error_)};
}

void JsonScanner::skip_space() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
    ++at_;
}

char JsonScanner::peek() {
  skip_space();
  return current();
}

bool JsonScanner::accept(char c) {
  if (!ok() || peek() != c || at_ == text_.size()) return false;
  ++at_;
  return true;
}

bool JsonScanner::expect(char c) { return accept(c) || fail(fmt::format("expected '{}'", c)); }

bool JsonScanner::end() {
  skip_space();
  return ok() && (at_ == text_.size() || fail("more text after the end of the value"));
}

bool JsonScanner::value(std::string_view& raw) {
  if (!ok()) return false;
  skip_space();
  size_t start = at_;
  if (!skip_value(0)) return false;
  raw = text_.substr(start, at_ - start);
  return simdjson::validate_utf8(raw.data(), raw.size()) || fail_at(start, "the value is not UTF-8");
}

bool JsonScanner::string(std::string& decoded) {
  if (!ok()) return false;
  decoded.clear();
  if (peek() != '"') return fail("expected a string");
  size_t start = at_;
  if (!skip_string(&decoded)) return false;
  return simdjson::validate_utf8(decoded.data(), decoded.size()) || fail_at(start, "the string is not UTF-8");
}

bool JsonScanner::skip_value(int depth) {
  if (depth > kDepthMax) return fail(fmt::format("nested deeper than {} levels", kDepthMax));
  switch (peek()) {
    case '{': return skip_members(depth);
    case '[': return skip_elements(depth);
    case '"': return skip_string(nullptr);
    case 't': return skip_word("true");
    case 'f': return skip_word("false");
    case 'n': return skip_word("null");
    default: return skip_number();
  }
}

bool JsonScanner::skip_members(int depth) {
  ++at_;
  if (accept('}')) return true;
  do {
    if (peek() != '"') return fail("expected a member's name");
    if (!skip_string(nullptr) || !expect(':') || !skip_value(depth + 1)) return false;
  } while (accept(','));
  return accept('}') || fail("expected ',' or '}'");
}

bool JsonScanner::skip_elements(int depth) {
  ++at_;
  if (accept(']')) return true;
  do {
    if (!skip_value(depth + 1)) return false;
  } while (accept(','));
  return accept(']') || fail("expected ',' or ']'");
}

bool JsonScanner::skip_string(std::string* decoded) {
  size_t open = at_++;
  while (at_ < text_.size()) {
    char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return fail("a control character within a string");
    if (c == '\\') {
      if (!escape(decoded)) return false;
      continue;
    }
    if (decoded) *decoded += c;
    ++at_;
  }
  return fail_at(open, "the string has no end");
}

bool JsonScanner::escape(std::string* decoded) {
  size_t start = at_++;
  constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
  char name = current();
  if (size_t at = kNames.find(name); at != std::string_view::npos && at_ < text_.size()) {
    if (decoded) *decoded += kValues[at];
    ++at_;
    return true;
  }
  uint32_t point = 0;
  if (name != 'u' || !hex4(point)) return fail_at(start, "unknown escape");
  if (point >= 0xdc00 && point <= 0xdfff) return fail_at(start, "half of a surrogate pair");
  if (point >= 0xd800 && point <= 0xdbff) {
    uint32_t low = 0;
    if (current() != '\\' || (++at_, current() != 'u') || !hex4(low) || low < 0xdc00 || low > 0xdfff) {
      return fail_at(start, "half of a surrogate pair");
    }
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  }
  if (decoded) append_utf8(point, *decoded);
  return true;
}

bool JsonScanner::hex4(uint32_t& unit) {
  ++at_;
  unit = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    char c = current();
    int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return false;
    unit = unit << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

bool JsonScanner::skip_number() {
  size_t start = at_;
  if (current() == '-') ++at_;
  if (current() == '0') {
    ++at_;
    if (is_digit(current())) return fail_at(start, "a number must not start with 0");
  } else if (!skip_digits()) {
    return fail_at(start, at_ == text_.size() ? "the text ends where a value is expected" : "expected a value");
  }
  if (current() == '.') {
    ++at_;
    if (!skip_digits()) return fail("expected a digit after the point");
  }
  if (current() == 'e' || current() == 'E') {
    ++at_;
    if (current() == '+' || current() == '-') ++at_;
    if (!skip_digits()) return fail("expected a digit in the exponent");
  }
  return true;
}

bool JsonScanner::skip_digits() {
  size_t start = at_;
  while (is_digit(current())) ++at_;
  return at_ > start;
}

bool JsonScanner::skip_word(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return fail("expected a value");
  at_ += word.size();
  return true;
}

}  // namespace headrace::ingest
