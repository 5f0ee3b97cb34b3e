#include "stream/window_aggregator.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "codec/cursor.h"
#include "columns/timestamp.h"
#include "stream/internal/map_node.h"
#include "stream/watermark.h"

namespace headrace::stream {

namespace {

using sql::AggregateFunction;

std::vector<Type> types_of(const std::vector<sql::Expr>& keys) {
  std::vector<Type> types;
  for (const auto& key : keys) types.push_back(key.type);
  return types;
}

int64_t window_start(int64_t time_ms, int64_t size_ms) {
  int64_t into = time_ms % size_ms;
  return time_ms - (into < 0 ? into + size_ms : into);
}

/// Whether the call adds values up in 64 bits.
bool sums_whole(const AccumulatorLayout::Call& call) {
  bool sums = call.function == AggregateFunction::kSum || call.function == AggregateFunction::kAvg;
  return sums && call.type != Type::kDouble;
}

template <typename Rep>
void keep_extreme(bool maximum, bool first, Rep value, Rep& kept) {
  if (first || (maximum ? kept < value : value < kept)) kept = value;
}

int64_t rounded_average(int64_t sum, int64_t count) {
  int64_t quotient = sum / count;
  int64_t rest = sum % count;
  if (std::abs(rest) * 2 >= count) quotient += sum < 0 ? -1 : 1;
  return quotient;
}

}  // namespace

WindowAggregator::WindowAggregator(const sql::Plan& plan, size_t state_bytes_max)
    : aggregate_(*plan.aggregate),
      layout_(aggregate_),
      state_bytes_max_(state_bytes_max),
      key_reader_(types_of(aggregate_.keys)),
      row_schema_(columns::to_arrow(aggregate_.row)) {
  for (const auto& key : aggregate_.keys) keys_.push_back(compile(key));
  key_values_.resize(keys_.size());
  for (const auto& call : aggregate_.calls) {
    Call& compiled = calls_.emplace_back();
    if (call.arg) compiled.arg = compile(*call.arg);
    if (call.filter) compiled.filter = compile(*call.filter);
  }
}

const AddResult& WindowAggregator::add(EvalContext& context, Selection selection, EventTimeBounds bounds) {
  result_.late.clear();
  result_.max_event_time_ms = kNoEventTime;
  Selection timely = check_times(context, selection, bounds);
  evaluate(context, timely);
  timely.for_each([&](size_t row) {
    if (!context.has_failed(row)) add_row(context, row);
  });
  return result_;
}

Selection WindowAggregator::check_times(EvalContext& context, Selection selection, EventTimeBounds bounds) {
  const Values& times = context.column(aggregate_.window.time_column);
  timely_.clear();
  selection.for_each([&](size_t row) {
    if (!times.is_valid(row)) return context.fail(row, "the event time is NULL");
    int64_t time = times.ints[row];
    if (time > bounds.latest_ms || time < columns::kTimestampMinMs) {
      return context.fail(row, fmt::format("the event time {} ms is too far from now", time));
    }
    result_.max_event_time_ms = std::max(result_.max_event_time_ms, time);
    bool late = window_start(time, aggregate_.window.size_ms) + aggregate_.window.size_ms <= bounds.watermark_ms;
    (late ? result_.late : timely_).push_back(static_cast<uint32_t>(row));
  });
  return {timely_.data(), timely_.size()};
}

void WindowAggregator::evaluate(EvalContext& context, Selection selection) {
  for (size_t i = 0; i < keys_.size(); ++i) key_values_[i] = &keys_[i]->evaluate(context, selection);
  for (auto& call : calls_) {
    Selection rows = selection;
    if (call.filter) {
      call.wanted = &call.filter->evaluate(context, selection);
      rows = select_true(*call.wanted, selection, context, call.rows);
    }
    if (call.arg) call.values = &call.arg->evaluate(context, rows);
  }
}

void WindowAggregator::add_row(EvalContext& context, size_t row) {
  key_.clear();
  for (const Values* values : key_values_) append_key_part(key_, *values, row);
  int64_t time = context.column(aggregate_.window.time_column).ints[row];
  int64_t start_ms = window_start(time, aggregate_.window.size_ms);
  GroupWindow* window = find_window(start_ms);
  uint32_t group = window ? window->find(key_) : GroupWindow::kNone;
  if (!has_room(context, row, window, group)) return;
  if (group == GroupWindow::kNone) {
    if (!window) window = &add_window(start_ms);
    group = insert(*window, key_);
  }
  if (!fits(row, window->accumulators(group))) return context.fail(row, "bigint out of range in a sum");
  accumulate(*window, group, row);
}

bool WindowAggregator::has_room(EvalContext& context, size_t row, const GroupWindow* window, uint32_t group) const {
  bool is_new = group == GroupWindow::kNone;
  size_t growth = layout_.texts > 0 ? text_growth(row, window, group) : 0;
  if (!is_new && growth == 0) return true;
  size_t group_bytes = (is_new ? key_.size() : window->bytes_of(group)) + growth;
  if (group_bytes > kGroupBytesMax) {
    context.fail(row, fmt::format("the key and the texts of its group would have {} bytes, the limit is {}",
                                  group_bytes, kGroupBytesMax));
    return false;
  }
  if (bytes_ + growth < state_bytes_max_) return true;
  context.fail(row, fmt::format("no room for a {}: the state has {} bytes, state_bytes_max is {}",
                                is_new ? "new group" : "longer text", bytes_, state_bytes_max_));
  return false;
}

size_t WindowAggregator::text_growth(size_t row, const GroupWindow* window, uint32_t group) const {
  size_t growth = 0;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const auto& layout = layout_.calls[i];
    if (layout.text < 0 || !calls_[i].takes(row)) continue;
    bool first = group == GroupWindow::kNone || window->accumulators(group)[i].count == 0;
    std::string_view kept = first ? std::string_view() : window->text(group, layout.text);
    std::string_view value = calls_[i].values->texts[row & calls_[i].values->mask];
    if (value.size() <= kept.size()) continue;
    std::string_view next = kept;
    keep_extreme(layout.function == AggregateFunction::kMax, first, value, next);
    growth += next.size() - kept.size();
  }
  return growth;
}

bool WindowAggregator::fits(size_t row, const Accumulator* accumulator) const {
  for (size_t i = 0; i < calls_.size(); ++i, ++accumulator) {
    const Call& call = calls_[i];
    if (!sums_whole(layout_.calls[i]) || !call.takes(row)) continue;
    int64_t sum;
    if (__builtin_add_overflow(accumulator->whole, call.values->ints[row & call.values->mask], &sum)) return false;
  }
  return true;
}

void WindowAggregator::accumulate(GroupWindow& window, uint32_t group, size_t row) {
  window.touch(group);
  Accumulator* accumulator = window.accumulators(group);
  for (size_t i = 0; i < calls_.size(); ++i, ++accumulator) {
    const Call& call = calls_[i];
    const auto& layout = layout_.calls[i];
    if (!call.takes(row)) continue;
    bool first = accumulator->count++ == 0;
    if (layout.function == AggregateFunction::kCountRows || layout.function == AggregateFunction::kCount) continue;
    size_t at = row & call.values->mask;
    bool maximum = layout.function == AggregateFunction::kMax;
    bool sums = layout.function == AggregateFunction::kSum || layout.function == AggregateFunction::kAvg;
    if (layout.text >= 0) {
      std::string_view kept = window.text(group, layout.text);
      std::string_view value = call.values->texts[at];
      keep_extreme(maximum, first, value, kept);
      if (kept.data() == value.data()) {
        size_t before = window.bytes();
        window.set_text(group, layout.text, value);
        bytes_ += window.bytes() - before;
      }
    } else if (layout.type == Type::kDouble) {
      double value = call.values->doubles[at];
      if (sums) {
        accumulator->real = (first ? 0 : accumulator->real) + value;
      } else {
        keep_extreme(maximum, first, value, accumulator->real);
      }
    } else {
      int64_t value = layout.type == Type::kBool ? call.values->bools[at] : call.values->ints[at];
      if (sums) {
        accumulator->whole += value;
      } else {
        keep_extreme(maximum, first, value, accumulator->whole);
      }
    }
  }
}

GroupWindow* WindowAggregator::find_window(int64_t start_ms) {
  if (last_window_ && last_start_ms_ == start_ms) return last_window_;
  auto found = windows_.find(start_ms);
  if (found == windows_.end()) return nullptr;
  last_window_ = &found->second;
  last_start_ms_ = start_ms;
  return last_window_;
}

GroupWindow& WindowAggregator::add_window(int64_t start_ms) {
  GroupWindow& window = windows_.try_emplace(start_ms, layout_).first->second;
  bytes_ += window.bytes();
  return window;
}

uint32_t WindowAggregator::insert(GroupWindow& window, std::string_view key) {
  size_t before = window.bytes();
  uint32_t group = window.insert(key);
  bytes_ += window.bytes() - before;
  ++groups_;
  return group;
}

int64_t WindowAggregator::first_end_ms() const {
  if (windows_.empty()) return std::numeric_limits<int64_t>::max();
  return windows_.begin()->first + aggregate_.window.size_ms;
}

int64_t WindowAggregator::last_end_ms(int64_t bound_ms) const {
  if (first_end_ms() > bound_ms) return kNoEventTime;
  auto after = windows_.upper_bound(bound_ms - aggregate_.window.size_ms);
  return std::prev(after)->first + aggregate_.window.size_ms;
}

void WindowAggregator::close(int64_t watermark_ms, Emit emit) {
  while (first_end_ms() <= watermark_ms) {
    auto first = windows_.begin();
    const GroupWindow& window = first->second;
    std::vector<uint32_t> order = window.in_key_order();
    for (std::span<const uint32_t> rest(order); !rest.empty();) {
      auto groups = rest.first(emit_count(window, rest));
      emit(*rows_of(window, first->first, groups.data(), groups.size()), first_end_ms());
      rest = rest.subspan(groups.size());
    }
    for (uint32_t group = 0; group < window.size(); ++group) {
      if (!window.is_written(group)) continue;
      encode_key(first->first, window.key(group));
      removed_.push_back(state_key_);
    }
    CHECK(bytes_ >= window.bytes());
    bytes_ -= window.bytes();
    groups_ -= window.size();
    last_window_ = nullptr;
    windows_.erase(first);
  }
}

size_t WindowAggregator::emit_count(const GroupWindow& window, std::span<const uint32_t> groups) {
  size_t count = 1;
  size_t bytes = window.bytes_of(groups[0]);
  while (count < std::min(kEmitRowsMax, groups.size())) {
    bytes += window.bytes_of(groups[count]);
    if (bytes > kEmitBytesMax) break;
    ++count;
  }
  return count;
}

std::shared_ptr<arrow::RecordBatch> WindowAggregator::rows_of(const GroupWindow& window, int64_t start_ms,
                                                              const uint32_t* groups, size_t count) {
  key_reader_.start(count);
  for (size_t i = 0; i < count; ++i) CHECK(key_reader_.read(window.key(groups[i]), i));
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  Selection all{nullptr, count};
  for (size_t i = 0; i < keys_.size(); ++i) arrays.push_back(to_array(key_reader_.column(i), all));
  for (int64_t bound : {start_ms, start_ms + aggregate_.window.size_ms}) {
    arrays.push_back(to_array(Values{.type = Type::kTimestamp, .mask = 0, .ints = &bound}, all));
  }
  for (size_t i = 0; i < calls_.size(); ++i) arrays.push_back(call_results(window, i, groups, count));
  return arrow::RecordBatch::Make(row_schema_, static_cast<int64_t>(count), std::move(arrays));
}

std::shared_ptr<arrow::Array> WindowAggregator::call_results(const GroupWindow& window, size_t index,
                                                             const uint32_t* groups, size_t count) {
  const auto& layout = layout_.calls[index];
  Type type = aggregate_.calls[index].type;
  bool counts = layout.function == AggregateFunction::kCountRows || layout.function == AggregateFunction::kCount;
  bool average = layout.function == AggregateFunction::kAvg;
  ValueBuffer buffer;
  buffer.prepare(type, count);
  uint8_t* valid = buffer.valid();
  for (size_t i = 0; i < count; ++i) {
    const Accumulator& from = window.accumulators(groups[i])[index];
    valid[i] = counts || from.count > 0;
    if (layout.text >= 0) {
      buffer.data<std::string_view>()[i] = window.text(groups[i], layout.text);
    } else if (type == Type::kBool) {
      buffer.data<uint8_t>()[i] = from.whole != 0;
    } else if (type == Type::kDouble) {
      double value = layout.type == Type::kDouble ? from.real : static_cast<double>(from.whole);
      buffer.data<double>()[i] = average && from.count > 0 ? value / static_cast<double>(from.count) : value;
    } else if (average) {
      buffer.data<int64_t>()[i] = from.count > 0 ? rounded_average(from.whole, from.count) : 0;
    } else {
      buffer.data<int64_t>()[i] = counts ? from.count : from.whole;
    }
  }
  return to_array(buffer.values(), Selection{nullptr, count});
}

void WindowAggregator::encode_key(int64_t start_ms, std::string_view group_key) {
  state_key_.clear();
  uint64_t start = codec::big_endian(static_cast<uint64_t>(start_ms));
  state_key_.push_back(kGroupKeyKind);
  state_key_.append(reinterpret_cast<const char*>(&start), sizeof start);
  state_key_.append(group_key);
}

void WindowAggregator::take_changes(Change change) {
  for (const auto& key : removed_) change(key, std::nullopt);
  removed_.clear();
  Bytes state;
  for (auto& [start, window] : windows_) {
    for (uint32_t group : window.touched()) {
      state.clear();
      window.write_state(group, state);
      encode_key(start, window.key(group));
      change(state_key_, BytesView(state));
    }
    window.clear_touched();
  }
}

Status WindowAggregator::restore(std::string_view key, BytesView state) {
  codec::Reader reader(as_bytes(key));
  bool is_group = reader.read<char>() == kGroupKeyKind;
  auto start = static_cast<int64_t>(reader.read<uint64_t>());
  std::string_view group_key = reader.read_text(reader.remaining());
  key_reader_.start(1);
  bool fits = is_group && reader.ok() && start == window_start(start, aggregate_.window.size_ms);
  if (!fits || !key_reader_.read(group_key, 0)) return Error{ErrorCode::kCorrupt, "a group key of another shape"};
  GroupWindow* found = find_window(start);
  GroupWindow& window = found ? *found : add_window(start);
  uint32_t group = window.find(group_key);
  if (group == GroupWindow::kNone) group = insert(window, group_key);
  size_t before = window.bytes();
  RETURN_IF_ERROR(window.read_state(group, state));
  window.set_written(group);
  bytes_ += window.bytes() - before;
  return {};
}

void WindowAggregator::clear() {
  windows_.clear();
  removed_.clear();
  last_window_ = nullptr;
  bytes_ = 0;
  groups_ = 0;
}

}  // namespace headrace::stream
