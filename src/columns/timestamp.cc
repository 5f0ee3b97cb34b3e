#include "columns/timestamp.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace headrace::columns {

namespace {

constexpr int64_t kDayMs = 86'400'000;

/// Reads digits of a text one after another; a wrong one fails it for good.
struct Scanner {
  std::string_view rest;
  bool ok = true;

  bool take(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  void expect(char c) { ok = take(c) && ok; }
  bool at_digit() const { return !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; }
  int digits(int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
      if (!at_digit()) return ok = false, 0;
      value = value * 10 + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    return value;
  }
  int digits_up_to(int count, int max) {
    int value = digits(count);
    if (value > max) ok = false;
    return value;
  }
};

int64_t read_date(Scanner& in) {
  int year = in.digits(4);
  in.expect('-');
  int month = in.digits(2);
  in.expect('-');
  int day = in.digits(2);
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (year == 0 || !date.ok()) return in.ok = false, 0;
  return std::chrono::sys_days(date).time_since_epoch().count() * kDayMs;
}

int64_t read_fraction(Scanner& in) {
  if (!in.at_digit()) return in.ok = false, 0;
  int64_t ms = 0;
  for (int64_t scale = 100; in.at_digit(); scale /= 10) ms += scale * in.digits(1);
  return ms;
}

int64_t read_time(Scanner& in) {
  int64_t ms = in.digits_up_to(2, 23) * int64_t{3'600'000};
  in.expect(':');
  ms += in.digits_up_to(2, 59) * 60'000;
  if (!in.take(':')) return ms;
  ms += in.digits_up_to(2, 59) * 1000;
  if (in.take('.')) ms += read_fraction(in);
  return ms;
}

int64_t read_zone(Scanner& in) {
  if (in.take('Z') || in.take('z')) return 0;
  int64_t sign = in.take('-') ? -1 : (in.expect('+'), 1);
  int64_t minutes = in.digits_up_to(2, 23) * 60;
  if (in.take(':') || !in.rest.empty()) minutes += in.digits_up_to(2, 59);
  return sign * minutes * 60'000;
}

void put(char*& out, int value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
  out += digits;
}

}  // namespace

std::optional<int64_t> parse_timestamp(std::string_view text) {
  Scanner in{text};
  int64_t ms = read_date(in);
  if (!in.rest.empty()) {
    if (!in.take('T') && !in.take('t')) in.expect(' ');
    ms += read_time(in);
  }
  if (!in.rest.empty()) ms -= read_zone(in);
  if (!in.ok || !in.rest.empty() || ms < kTimestampMinMs || ms > kTimestampMaxMs) return std::nullopt;
  return ms;
}

void format_timestamp(int64_t ms, char* out) {
  CHECK(ms >= kTimestampMinMs && ms <= kTimestampMaxMs);
  int64_t day = (ms >= 0 ? ms : ms - (kDayMs - 1)) / kDayMs;
  int in_day = static_cast<int>(ms - day * kDayMs);
  std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  put(out, static_cast<int>(date.year()), 4);
  *out++ = '-';
  put(out, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  *out++ = '-';
  put(out, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  *out++ = 'T';
  put(out, in_day / 3'600'000, 2);
  *out++ = ':';
  put(out, in_day / 60'000 % 60, 2);
  *out++ = ':';
  put(out, in_day / 1000 % 60, 2);
  *out++ = '.';
  put(out, in_day % 1000, 3);
  *out = 'Z';
}

std::string format_timestamp(int64_t ms) {
  std::string text(kTimestampTextBytes, '\0');
  format_timestamp(ms, text.data());
  return text;
}

}  // namespace headrace::columns
