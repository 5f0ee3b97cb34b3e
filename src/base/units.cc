#include "base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace headrace {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}, {"d", 864e5}, {"w", 6048e5}};
constexpr Unit kSizes[] = {{"B", 1},         {"KB", 1e3},      {"MB", 1e6},
                           {"GB", 1e9},      {"TB", 1e12},     {"KiB", 1024},
                           {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1099511627776.0}};

Result<int64_t> parse(std::string_view text, std::span<const Unit> units, std::string_view what,
                      std::string_view allowed) {
  auto wrong = [&] {
    return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is not a {}: {}", text, what, allowed)};
  };
  if (text == "-1") return int64_t{-1};
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || number < 0) return wrong();
  std::string_view unit(end, text.data() + text.size() - end);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  double factor = unit.empty() ? 1 : 0;
  for (const Unit& u : units) {
    if (u.name == unit) factor = u.factor;
  }
  double value = number * factor;
  if (factor == 0 || value > 9.2e18 || value != std::floor(value)) return wrong();
  return static_cast<int64_t>(value);
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  ASSIGN_OR_RETURN(int64_t ms,
                   parse(text, kDurations, "duration", "a number with ms, s, m, h, d or w, as in 90s or 7d"));
  return std::chrono::milliseconds(ms);
}

Result<int64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, "size", "a number with B, KB, MB, GB, KiB, MiB or GiB, as in 64MiB");
}

std::string format_size(int64_t bytes) {
  constexpr std::string_view kNames[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kNames)) value /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kNames[unit]);
}

std::string format_duration(std::chrono::milliseconds duration) {
  double ms = static_cast<double>(duration.count());
  if (ms < 1000) return fmt::format("{} ms", duration.count());
  if (ms < 60e3) return fmt::format("{:.1f} s", ms / 1e3);
  if (ms < 3600e3) return fmt::format("{:.1f} min", ms / 60e3);
  if (ms < 864e5) return fmt::format("{:.1f} h", ms / 3600e3);
  return fmt::format("{:.1f} d", ms / 864e5);
}

}  // namespace headrace
