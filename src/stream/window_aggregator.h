// GROUP BY over tumbling windows of event time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/result.h"
#include "sql/plan.h"
#include "stream/expression.h"
#include "stream/group_key.h"
#include "stream/group_window.h"

namespace headrace::stream {

/// The first byte of a group's key in the state.
inline constexpr char kGroupKeyKind = 'g';

/// Bounds on the event times that are taken.
struct EventTimeBounds {
  int64_t watermark_ms;  ///< A row whose window ends at or before it is late.
  int64_t latest_ms;     ///< A row after it fails.
};

/// What add() did besides aggregating. Rows that failed are in the context's failures.
struct AddResult {
  std::vector<uint32_t> late;
  int64_t max_event_time_ms;  ///< Of the rows that were taken or late; kNoEventTime without any.
};

/// The state of an Aggregate: open windows, their groups, and which of those differ from what was last written. A row
/// counts in all calls or, when something in it can't be computed, in none. One thread.
class WindowAggregator {
 public:
  /// `plan` outlives the aggregator and has an aggregate.
  WindowAggregator(const sql::Plan& plan, size_t state_bytes_max);

  /// Adds the selected rows of the batch that `context` is bound to.
  const AddResult& add(EvalContext& context, Selection selection, EventTimeBounds bounds);

  /// The end of the first open window; INT64_MAX without any.
  int64_t first_end_ms() const;
  /// The latest end of an open window that is at or before `bound_ms`; kNoEventTime without any.
  int64_t last_end_ms(int64_t bound_ms) const;
  using Emit = Function<void(const arrow::RecordBatch& rows, int64_t window_end_ms)>;
  /// Closes every window that ends at or before `watermark_ms`: its rows, with the columns of Aggregate::row, go to
  /// `emit` in the order of window and key, at most kEmitRowsMax with kEmitBytesMax of texts at a time.
  void close(int64_t watermark_ms, Emit emit);
  static constexpr size_t kEmitRowsMax = 4096;
  static constexpr size_t kEmitBytesMax = 16 << 20;
  /// The most bytes of a group's key and texts: with its numbers they are one record of the changelog, which is below
  /// Kafka's default limit of a batch (1 MiB).
  static constexpr size_t kGroupBytesMax = 900 << 10;

  /// Calls `change(key, state)` for everything that changed since the last call; a closed group has no state.
  using Change = Function<void(std::string_view key, std::optional<BytesView> state)>;
  void take_changes(Change change);
  /// Puts a group back as take_changes() gave it. kCorrupt: it is not of this plan's shape.
  Status restore(std::string_view key, BytesView state);
  /// Forgets all state.
  void clear();

  /// Memory of all windows, about.
  size_t bytes() const { return bytes_; }
  size_t groups() const { return groups_; }

 private:
  struct Call {
    NodePtr arg, filter;
    const Values* values = nullptr;
    const Values* wanted = nullptr;
    std::vector<uint32_t> rows;

    /// Whether the row counts: the filter takes it and the argument is not NULL.
    bool takes(size_t row) const { return (!filter || wanted->is_true(row)) && (!values || values->is_valid(row)); }
  };
  Selection check_times(EvalContext& context, Selection selection, EventTimeBounds bounds);
  void evaluate(EvalContext& context, Selection selection);
  void add_row(EvalContext& context, size_t row);
  /// Whether the row may go into that group (kNone: a new one, with key_); else it has failed.
  bool has_room(EvalContext& context, size_t row, const GroupWindow* window, uint32_t group) const;
  /// How many bytes more the group's texts would have with the row.
  size_t text_growth(size_t row, const GroupWindow* window, uint32_t group) const;
  bool fits(size_t row, const Accumulator* accumulators) const;
  void accumulate(GroupWindow& window, uint32_t group, size_t row);
  /// Null when there is none.
  GroupWindow* find_window(int64_t start_ms);
  /// That window, which find_window() did not find.
  GroupWindow& add_window(int64_t start_ms);
  uint32_t insert(GroupWindow& window, std::string_view key);
  /// How many of the groups, at least one, are emitted together.
  static size_t emit_count(const GroupWindow& window, std::span<const uint32_t> groups);
  std::shared_ptr<arrow::RecordBatch> rows_of(const GroupWindow& window, int64_t start_ms, const uint32_t* groups,
                                              size_t count);
  std::shared_ptr<arrow::Array> call_results(const GroupWindow& window, size_t index, const uint32_t* groups,
                                             size_t count);
  void encode_key(int64_t start_ms, std::string_view group_key);

  const sql::Aggregate& aggregate_;
  AccumulatorLayout layout_;
  size_t state_bytes_max_;
  std::vector<NodePtr> keys_;
  std::vector<const Values*> key_values_;
  std::vector<Call> calls_;
  GroupKeyReader key_reader_;
  std::shared_ptr<arrow::Schema> row_schema_;

  std::map<int64_t, GroupWindow> windows_;  ///< By start.
  GroupWindow* last_window_ = nullptr;
  int64_t last_start_ms_ = 0;
  size_t bytes_ = 0;                  ///< Of all windows.
  size_t groups_ = 0;                 ///< In all windows.
  std::vector<std::string> removed_;  ///< Keys of written groups whose windows closed.

  AddResult result_;
  std::vector<uint32_t> timely_, alive_;
  std::string key_;
  std::string state_key_;
};

}  // namespace headrace::stream
