// extract, date_trunc and to_timestamp, in UTC and the proleptic Gregorian calendar.
#include <chrono>
#include <cmath>

#include "columns/timestamp.h"
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;
using sql::TimeUnit;
using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::sys_time;
using std::chrono::year_month_day;

constexpr int64_t kDayMs = 86'400'000;

sys_time<milliseconds> time_of(int64_t ms) { return sys_time<milliseconds>(milliseconds(ms)); }
sys_days day_of(int64_t ms) { return std::chrono::floor<days>(time_of(ms)); }
int64_t ms_of_day(int64_t ms) { return ((ms % kDayMs) + kDayMs) % kDayMs; }
int64_t ms_since_epoch(sys_days day) { return day.time_since_epoch().count() * kDayMs; }
sys_days first_day_of_year(std::chrono::year year) { return year / std::chrono::January / 1; }

/// ISO 8601: the week's Thursday decides the year it counts in.
int64_t iso_week(sys_days day) {
  auto weekday = std::chrono::weekday(day).iso_encoding();
  sys_days thursday = day + days(4 - static_cast<int>(weekday));
  return (thursday - first_day_of_year(year_month_day(thursday).year())).count() / 7 + 1;
}

double extract(TimeUnit unit, int64_t ms) {
  sys_days day = day_of(ms);
  int64_t in_day = ms_of_day(ms);
  switch (unit) {
    case TimeUnit::kMillisecond: return static_cast<double>(in_day % 60'000);
    case TimeUnit::kSecond: return static_cast<double>(in_day % 60'000) / 1000.0;
    case TimeUnit::kMinute: return static_cast<double>(in_day / 60'000 % 60);
    case TimeUnit::kHour: return static_cast<double>(in_day / 3'600'000);
    case TimeUnit::kDay: return static_cast<unsigned>(year_month_day(day).day());
    case TimeUnit::kWeek: return static_cast<double>(iso_week(day));
    case TimeUnit::kMonth: return static_cast<unsigned>(year_month_day(day).month());
    case TimeUnit::kQuarter: return (static_cast<unsigned>(year_month_day(day).month()) + 2) / 3;
    case TimeUnit::kYear: return static_cast<int>(year_month_day(day).year());
    case TimeUnit::kEpoch: return static_cast<double>(ms) / 1000.0;
    case TimeUnit::kDow: return std::chrono::weekday(day).c_encoding();
    case TimeUnit::kIsoDow: return std::chrono::weekday(day).iso_encoding();
    case TimeUnit::kDoy: return static_cast<double>((day - first_day_of_year(year_month_day(day).year())).count() + 1);
  }
  return 0;
}

int64_t floor_to(int64_t ms, int64_t size) { return ms - (((ms % size) + size) % size); }

int64_t truncate(TimeUnit unit, int64_t ms) {
  sys_days day = day_of(ms);
  year_month_day date(day);
  switch (unit) {
    case TimeUnit::kSecond: return floor_to(ms, 1000);
    case TimeUnit::kMinute: return floor_to(ms, 60'000);
    case TimeUnit::kHour: return floor_to(ms, 3'600'000);
    case TimeUnit::kDay: return floor_to(ms, kDayMs);
    case TimeUnit::kWeek:
      return ms_since_epoch(day - days(static_cast<int>(std::chrono::weekday(day).iso_encoding()) - 1));
    case TimeUnit::kMonth: return ms_since_epoch(date.year() / date.month() / 1);
    case TimeUnit::kQuarter:
      return ms_since_epoch(date.year() / std::chrono::month((static_cast<unsigned>(date.month()) - 1) / 3 * 3 + 1) /
                            1);
    case TimeUnit::kYear: return ms_since_epoch(first_day_of_year(date.year()));
    default: return ms;
  }
}

bool to_timestamp(EvalContext& context, size_t row, int64_t& out, double seconds) {
  double ms = seconds * 1000.0;
  bool fits =
      ms >= static_cast<double>(columns::kTimestampMinMs) && ms <= static_cast<double>(columns::kTimestampMaxMs);
  if (!fits) return context.fail(row, "timestamp out of range"), false;
  out = std::llround(ms);
  return true;
}

}  // namespace

NodePtr make_time(Function function, TimeUnit unit, Type type, Nodes args) {
  if (function == Function::kToTimestamp) return try_rows<int64_t, double>(type, std::move(args), to_timestamp);
  if (function == Function::kDateTrunc) {
    return map_rows<int64_t, int64_t>(type, std::move(args), [unit](int64_t ms) { return truncate(unit, ms); });
  }
  if (args[0]->type() == Type::kInterval) {
    return map_rows<double, int64_t>(type, std::move(args),
                                     [](int64_t ms) { return static_cast<double>(ms) / 1000.0; });
  }
  return map_rows<double, int64_t>(type, std::move(args), [unit](int64_t ms) { return extract(unit, ms); });
}

}  // namespace headrace::stream
