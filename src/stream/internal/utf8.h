// Counting and cutting UTF-8 text by code points. Text in columns is valid UTF-8; on other bytes the results are
// unspecified but stay inside of the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headrace::stream {

inline bool starts_code_point(char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }

inline int64_t code_points(std::string_view text) {
  int64_t count = 0;
  for (char c : text) count += starts_code_point(c);
  return count;
}

/// The byte at which code point `index` (from 0) starts; the size of the text when it has fewer.
inline size_t code_point_offset(std::string_view text, int64_t index) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (starts_code_point(text[i]) && index-- == 0) return i;
  }
  return text.size();
}

/// Code points [from, from + count).
inline std::string_view code_point_range(std::string_view text, int64_t from, int64_t count) {
  text.remove_prefix(code_point_offset(text, from));
  return text.substr(0, code_point_offset(text, count));
}

inline char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
inline char upper_ascii(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

}  // namespace headrace::stream
