// Points of a chart: one bucket a second, for a bounded window and a bounded number of lines.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "console/json_writer.h"

namespace headrace::console {

enum class Aggregate { kAvg, kSum, kMin, kMax, kCount };

/// The aggregate that an option names.
Aggregate parse_aggregate(std::string_view name);

/// Values aggregated by second and line. A line is named by the value it is grouped by.
class Series {
 public:
  static constexpr size_t kLinesMax = 12;  ///< Values of further lines go into a line named "others".
  static constexpr size_t kLineNameBytesMax = 64;

  Series(int64_t window_s, Aggregate aggregate) : window_s_(window_s), aggregate_(aggregate) {}

  /// Values before the window or after the newest second by more than kFutureMsMax are dropped.
  void add(std::string_view line, int64_t at_ms, double value, int64_t now_ms);
  void clear();

  bool changed() const { return !changes_.empty(); }
  /// `"lines":[name...],"points":[[second, value or null of each line...]...]` into an open object, oldest first.
  void write_all(JsonWriter& out, int64_t now_ms) const;
  void write_changes(JsonWriter& out, int64_t now_ms);

 private:
  struct Cell {
    double sum = 0, min = 0, max = 0;
    int64_t count = 0;
  };
  struct Bucket {
    int64_t second;
    std::vector<Cell> cells;
  };
  size_t line_index(std::string_view line);
  Bucket& bucket(int64_t second);
  double value(const Cell& cell) const;
  void write_lines(JsonWriter& out) const;
  void write_bucket(JsonWriter& out, const Bucket& bucket) const;

  int64_t window_s_;
  Aggregate aggregate_;
  std::vector<std::string> lines_;
  std::deque<Bucket> buckets_;  ///< Ascending seconds; seconds without a value have none.
  std::set<int64_t> changes_;
};

}  // namespace headrace::console
