// The groups of one window: an open-addressing hash table from key bytes to accumulators.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "sql/plan.h"
#include "stream/values.h"

namespace headrace::stream {

/// What one aggregate call has gathered in one group.
struct Accumulator {
  int64_t count = 0;  ///< Rows (kCountRows) or values that are not NULL.
  union {
    int64_t whole = 0;  ///< Sum, minimum or maximum of bigint, timestamp, interval and bool.
    double real;        ///< The same of double, and the sum behind an average.
  };
};

/// The shape of the accumulators of a plan's calls.
struct AccumulatorLayout {
  struct Call {
    sql::AggregateFunction function;
    Type type;      ///< Of the argument; kInt64 for kCountRows.
    int text = -1;  ///< Index among the calls that keep a text (min and max of text), else -1.
  };
  std::vector<Call> calls;
  size_t texts = 0;

  explicit AccumulatorLayout(const sql::Aggregate& aggregate);
};

/// One window's groups, in the order of their first row. One thread.
class GroupWindow {
 public:
  explicit GroupWindow(const AccumulatorLayout& layout) : layout_(&layout) {}

  static constexpr uint32_t kNone = ~uint32_t{0};

  /// The group of that key, kNone when there is none.
  uint32_t find(std::string_view key) const;
  /// The group of that key, which find() did not find, with empty accumulators.
  uint32_t insert(std::string_view key);
  uint32_t size() const { return static_cast<uint32_t>(groups_.size()); }
  std::string_view key(uint32_t group) const;
  /// Of the group's key and texts.
  size_t bytes_of(uint32_t group) const;
  Accumulator* accumulators(uint32_t group) { return accumulators_.data() + size_t{group} * layout_->calls.size(); }
  const Accumulator* accumulators(uint32_t group) const {
    return accumulators_.data() + size_t{group} * layout_->calls.size();
  }
  void set_text(uint32_t group, int text, std::string_view value);
  const std::string& text(uint32_t group, int text) const {
    return texts_[group * layout_->texts + static_cast<size_t>(text)];
  }

  /// Notes that the group differs from what was last written.
  void touch(uint32_t group);
  /// Groups touched since the last clear_touched().
  const std::vector<uint32_t>& touched() const { return touched_; }
  /// They are written now.
  void clear_touched();
  /// Whether the group was ever written, so that its end must be written too.
  bool is_written(uint32_t group) const { return groups_[group].written; }
  void set_written(uint32_t group) { groups_[group].written = true; }

  /// Groups ordered by their keys' bytes.
  std::vector<uint32_t> in_key_order() const;
  /// Memory taken, about.
  size_t bytes() const;

  /// A group's accumulators as in docs/formats/state-changelog.md.
  void write_state(uint32_t group, Bytes& out) const;
  /// Replaces them; kCorrupt when the bytes are not a state of this layout.
  Status read_state(uint32_t group, BytesView state);

 private:
  struct Group {
    uint64_t hash;
    size_t key_offset;
    uint32_t key_size;
    bool touched = false;
    bool written = false;
  };
  void grow();
  size_t slot_of(std::string_view key, uint64_t hash) const;

  const AccumulatorLayout* layout_;
  std::vector<uint32_t> slots_;  ///< Group + 1, 0 for free; a power of two.
  std::vector<Group> groups_;
  std::string keys_;
  std::vector<Accumulator> accumulators_;
  std::vector<std::string> texts_;
  size_t text_bytes_ = 0;
  std::vector<uint32_t> touched_;
};

}  // namespace headrace::stream
