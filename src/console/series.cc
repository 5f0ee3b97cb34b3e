#include "console/series.h"

#include <algorithm>

#include "console/panel.h"

namespace headrace::console {

Aggregate parse_aggregate(std::string_view name) {
  if (name == "sum") return Aggregate::kSum;
  if (name == "min") return Aggregate::kMin;
  if (name == "max") return Aggregate::kMax;
  if (name == "count") return Aggregate::kCount;
  return Aggregate::kAvg;
}

void Series::add(std::string_view line, int64_t at_ms, double value, int64_t now_ms) {
  const int64_t second = at_ms / 1000;
  if (second < now_ms / 1000 - window_s_ || at_ms > now_ms + kFutureMsMax) return;
  const size_t index = line_index(line);
  Bucket& into = bucket(second);
  if (into.cells.size() <= index) into.cells.resize(index + 1);
  Cell& cell = into.cells[index];
  cell.min = cell.count == 0 ? value : std::min(cell.min, value);
  cell.max = cell.count == 0 ? value : std::max(cell.max, value);
  cell.sum += value;
  ++cell.count;
  changes_.insert(second);
  while (buckets_.front().second < now_ms / 1000 - window_s_) buckets_.pop_front();
}

void Series::clear() {
  buckets_.clear();
  changes_.clear();
  lines_.clear();
}

void Series::write_all(JsonWriter& out, int64_t now_ms) const {
  write_lines(out);
  out.key("points").begin_array();
  for (const Bucket& bucket : buckets_) {
    if (bucket.second >= now_ms / 1000 - window_s_) write_bucket(out, bucket);
  }
  out.end_array();
}

void Series::write_changes(JsonWriter& out, int64_t now_ms) {
  write_lines(out);
  out.key("points").begin_array();
  for (const Bucket& bucket : buckets_) {
    if (bucket.second >= now_ms / 1000 - window_s_ && changes_.contains(bucket.second)) write_bucket(out, bucket);
  }
  out.end_array();
  changes_.clear();
}

size_t Series::line_index(std::string_view line) {
  line = line.substr(0, kLineNameBytesMax);
  const auto found = std::find(lines_.begin(), lines_.end(), line);
  if (found != lines_.end()) return found - lines_.begin();
  if (lines_.size() == kLinesMax) return kLinesMax - 1;
  lines_.emplace_back(lines_.size() + 1 == kLinesMax ? "others" : line);
  return lines_.size() - 1;
}

Series::Bucket& Series::bucket(int64_t second) {
  auto at = buckets_.end();
  while (at != buckets_.begin() && std::prev(at)->second >= second) --at;
  if (at != buckets_.end() && at->second == second) return *at;
  return *buckets_.insert(at, Bucket{second, {}});
}

double Series::value(const Cell& cell) const {
  switch (aggregate_) {
    case Aggregate::kAvg: return cell.sum / static_cast<double>(cell.count);
    case Aggregate::kSum: return cell.sum;
    case Aggregate::kMin: return cell.min;
    case Aggregate::kMax: return cell.max;
    case Aggregate::kCount: return static_cast<double>(cell.count);
  }
  return 0;
}

void Series::write_lines(JsonWriter& out) const {
  out.key("lines").begin_array();
  for (const std::string& line : lines_) out.text(line);
  out.end_array();
}

void Series::write_bucket(JsonWriter& out, const Bucket& bucket) const {
  out.begin_array().integer(bucket.second);
  for (const Cell& cell : bucket.cells) {
    if (cell.count == 0) {
      out.null();
    } else {
      out.fixed(value(cell), 2);
    }
  }
  out.end_array();
}

}  // namespace headrace::console
