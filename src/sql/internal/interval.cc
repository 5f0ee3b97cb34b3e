#include "sql/internal/interval.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace headrace::sql {

namespace {

/// 10,000 years: sums of a few stay far from overflow.
constexpr double kIntervalMaxMs = 10'000 * 365.25 * 86'400'000;

constexpr std::array kUnitMs = {
    std::pair{std::string_view("ms"), 1.0},           std::pair{std::string_view("msec"), 1.0},
    std::pair{std::string_view("msecs"), 1.0},        std::pair{std::string_view("millisecond"), 1.0},
    std::pair{std::string_view("milliseconds"), 1.0}, std::pair{std::string_view("s"), 1e3},
    std::pair{std::string_view("sec"), 1e3},          std::pair{std::string_view("secs"), 1e3},
    std::pair{std::string_view("second"), 1e3},       std::pair{std::string_view("seconds"), 1e3},
    std::pair{std::string_view("m"), 60e3},           std::pair{std::string_view("min"), 60e3},
    std::pair{std::string_view("mins"), 60e3},        std::pair{std::string_view("minute"), 60e3},
    std::pair{std::string_view("minutes"), 60e3},     std::pair{std::string_view("h"), 3600e3},
    std::pair{std::string_view("hr"), 3600e3},        std::pair{std::string_view("hrs"), 3600e3},
    std::pair{std::string_view("hour"), 3600e3},      std::pair{std::string_view("hours"), 3600e3},
    std::pair{std::string_view("d"), 86400e3},        std::pair{std::string_view("day"), 86400e3},
    std::pair{std::string_view("days"), 86400e3},     std::pair{std::string_view("w"), 604800e3},
    std::pair{std::string_view("week"), 604800e3},    std::pair{std::string_view("weeks"), 604800e3},
};

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

void skip_spaces(std::string_view& rest) {
  while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest.front()))) rest.remove_prefix(1);
}

/// A number off the front of `rest`.
Result<double> take_number(std::string_view& rest) {
  if (rest.starts_with('+')) rest.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value))
    return invalid("an interval is a number and a unit, as in '10 seconds'");
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return value;
}

Result<double> take_unit_ms(std::string_view& rest) {
  skip_spaces(rest);
  std::string unit;
  while (!rest.empty() && std::isalpha(static_cast<unsigned char>(rest.front()))) {
    unit += static_cast<char>(std::tolower(static_cast<unsigned char>(rest.front())));
    rest.remove_prefix(1);
  }
  if (unit.empty())
    return invalid("the interval's number has no unit: write '10 seconds', '5 minutes', '1 hour' or '1 day'");
  for (auto [name, ms] : kUnitMs) {
    if (name == unit) return ms;
  }
  if (unit.starts_with("mon") || unit.starts_with("y"))
    return invalid("months and years have no fixed length: use days");
  return invalid(
      fmt::format("\"{}\" is not a unit of time: use milliseconds, seconds, minutes, hours, days or weeks", unit));
}

/// `:MM[:SS[.fraction]]` after the hours.
Result<double> take_clock_ms(std::string_view& rest, double hours) {
  bool negative = std::signbit(hours);
  double ms = std::abs(hours) * 3600e3;
  for (double unit_ms : {60e3, 1e3}) {
    if (!rest.starts_with(':')) break;
    rest.remove_prefix(1);
    if (rest.empty() || !std::isdigit(static_cast<unsigned char>(rest.front())))
      return invalid("an interval of a clock is HH:MM:SS");
    ASSIGN_OR_RETURN(double part, take_number(rest));
    if (part >= 60) return invalid("minutes and seconds of HH:MM:SS are below 60");
    ms += part * unit_ms;
  }
  return negative ? -ms : ms;
}

}  // namespace

Result<int64_t> parse_interval(std::string_view text) {
  std::string_view rest = text;
  double total_ms = 0;
  skip_spaces(rest);
  if (rest.empty()) return invalid("the interval is empty: write '10 seconds'");
  while (!rest.empty()) {
    ASSIGN_OR_RETURN(double number, take_number(rest));
    if (rest.starts_with(':')) {
      ASSIGN_OR_RETURN(double ms, take_clock_ms(rest, number));
      total_ms += ms;
    } else {
      ASSIGN_OR_RETURN(double unit_ms, take_unit_ms(rest));
      total_ms += number * unit_ms;
    }
    skip_spaces(rest);
    if (std::abs(total_ms) > kIntervalMaxMs) return invalid("the interval is longer than 10,000 years");
  }
  return std::llround(total_ms);
}

}  // namespace headrace::sql
