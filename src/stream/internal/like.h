// LIKE patterns.
#pragma once

#include <string_view>

#include "stream/internal/utf8.h"

namespace headrace::stream {

/// SQL's LIKE: % is any run of characters, _ one character (code point), backslash takes the next literally. Linear in
/// the text times the longest run between two %: it goes back to the last % only, never further.
template <bool kIgnoreCase>
bool like(std::string_view text, std::string_view pattern) {
  auto same = [](char a, char b) { return kIgnoreCase ? lower_ascii(a) == lower_ascii(b) : a == b; };
  size_t t = 0, p = 0;
  size_t retry_text = 0, retry_pattern = std::string_view::npos;
  auto next_character = [&](size_t at) {
    for (++at; at < text.size() && !starts_code_point(text[at]);) ++at;
    return at;
  };
  while (t < text.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      retry_pattern = ++p;
      retry_text = t;
      if (p == pattern.size()) return true;
      continue;
    }
    if (t < text.size() && p < pattern.size()) {
      if (pattern[p] == '_') {
        t = next_character(t);
        ++p;
        continue;
      }
      size_t literal = pattern[p] == '\\' && p + 1 < pattern.size() ? p + 1 : p;
      if (same(text[t], pattern[literal])) {
        ++t;
        p = literal + 1;
        continue;
      }
    }
    if (retry_pattern == std::string_view::npos || retry_text >= text.size()) return false;
    retry_text = next_character(retry_text);
    t = retry_text;
    p = retry_pattern;
  }
  return true;
}

}  // namespace headrace::stream
