#include "log/file_names.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>

namespace headrace::log {

namespace {
constexpr size_t kDigits = 20;
}

std::string file_name(Offset offset, std::string_view suffix) { return fmt::format("{:020}{}", offset.value, suffix); }

std::string renamed(const std::string& directory, std::string_view suffix) {
  constexpr size_t kNameBytesMax = 255;  // NAME_MAX
  size_t name = directory.rfind('/') + 1;
  if (directory.size() - name + suffix.size() <= kNameBytesMax) return directory + std::string(suffix);
  std::string tail = fmt::format(".{:016x}{}", std::hash<std::string>()(directory), suffix);
  return directory.substr(0, name + kNameBytesMax - tail.size()) + tail;
}

std::optional<Offset> offset_of_name(std::string_view name, std::string_view suffix) {
  if (name.size() != kDigits + suffix.size() || name.substr(kDigits) != suffix) return std::nullopt;
  int64_t value = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, value);
  if (error != std::errc() || end != name.data() + kDigits || value < 0) return std::nullopt;
  return Offset(value);
}

}  // namespace headrace::log
