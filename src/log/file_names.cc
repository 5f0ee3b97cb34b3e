#include "log/file_names.h"

#include <fmt/format.h>

#include <charconv>

namespace headrace::log {

namespace {
constexpr size_t kDigits = 20;
}

std::string file_name(Offset offset, std::string_view suffix) { return fmt::format("{:020}{}", offset.value, suffix); }

std::optional<Offset> offset_of_name(std::string_view name, std::string_view suffix) {
  if (name.size() != kDigits + suffix.size() || name.substr(kDigits) != suffix) return std::nullopt;
  int64_t value = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, value);
  if (error != std::errc() || end != name.data() + kDigits || value < 0) return std::nullopt;
  return Offset(value);
}

}  // namespace headrace::log
