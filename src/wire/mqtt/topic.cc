#include "wire/mqtt/topic.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace headrace::wire::mqtt {
namespace {

/// Bytes of the well-formed, non-NUL character at the front of `text`, which is not empty; 0 when there is none.
/// The ranges are those of table 3-7 of the Unicode standard.
size_t character_bytes(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  auto continues = [&](size_t i, uint8_t low = 0x80, uint8_t high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  uint8_t lead = byte(0);
  if (lead == 0) return 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Eight bytes that are ASCII and none of them NUL: what most topics are made of.
bool plain_ascii(const char* text) {
  uint64_t word;
  std::memcpy(&word, text, sizeof(word));
  constexpr uint64_t kHigh = 0x8080808080808080, kOnes = 0x0101010101010101;
  return (word & kHigh) == 0 && ((word - kOnes) & kHigh) == 0;
}

/// Cuts the first level off `rest`; `more` says whether another follows.
std::string_view cut_level(std::string_view& rest, bool& more) {
  size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  std::string_view level = rest.substr(0, slash);
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return level;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    if (text.size() >= 8 && plain_ascii(text.data())) {
      text.remove_prefix(8);
      continue;
    }
    size_t bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

bool valid_topic_name(std::string_view name) {
  return !name.empty() && name.find_first_of("+#") == std::string_view::npos && valid_utf8(name);
}

bool valid_topic_filter(std::string_view filter) {
  if (filter.empty() || !valid_utf8(filter)) return false;
  for (bool more = true; more;) {
    std::string_view level = cut_level(filter, more);
    if (level.find_first_of("+#") == std::string_view::npos) continue;
    if (level.size() != 1) return false;
    if (level == "#" && more) return false;
  }
  return true;
}

size_t count_wildcards(std::string_view filter) {
  return static_cast<size_t>(std::count_if(filter.begin(), filter.end(), [](char c) { return c == '+' || c == '#'; }));
}

bool match_topic(std::string_view filter, std::string_view name, std::span<std::string_view> captures) {
  if (name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  size_t captured = 0;
  auto capture = [&](std::string_view text) {
    if (captured < captures.size()) captures[captured++] = text;
  };
  bool more_filter = true, more_name = true;
  while (more_filter) {
    std::string_view want = cut_level(filter, more_filter);
    if (want == "#") {
      // It stands for its parent level too: "sport/#" matches "sport".
      capture(more_name ? name : std::string_view());
      return true;
    }
    if (!more_name) return false;
    std::string_view level = cut_level(name, more_name);
    if (want == "+") {
      capture(level);
    } else if (want != level) {
      return false;
    }
  }
  return !more_name;
}

}  // namespace headrace::wire::mqtt
