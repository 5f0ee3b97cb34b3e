// The two scopes of a SELECT: the stream's rows, and the groups' rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sql/internal/binder.h"
#include "sql/internal/syntax.h"
#include "sql/plan.h"
#include "sql/planner.h"

namespace headrace::sql {

/// Names of a stream's columns, and its metadata. The columns that are used are collected: they become the plan's
/// input.
class StreamScope : public Scope {
 public:
  StreamScope(const Stream& stream, std::string alias, Mistakes& mistakes)
      : stream_(stream), alias_(std::move(alias)), mistakes_(mistakes) {}

  std::optional<Bound> resolve(const Node& node) override;

  /// The column that a name means; no mistake where there is none.
  std::optional<columns::Column> find(const std::vector<std::string>& path) const;
  /// A reference to `column`, which becomes part of the input.
  Expr use(const columns::Column& column, int offset);
  /// The stream's event time.
  columns::Column event_time() const;
  /// Whether `path` is how the star of this stream can be qualified.
  bool is_qualifier(const std::vector<std::string>& path) const;
  const Stream& stream() const { return stream_; }
  columns::Schema take_input() { return std::move(input_); }
  const columns::Schema& input() const { return input_; }

 private:
  std::vector<std::string> names() const;

  const Stream& stream_;
  std::string alias_;
  Mistakes& mistakes_;
  columns::Schema input_;
};

/// What SELECT and HAVING see after GROUP BY: the keys, window_start and window_end, and aggregates, which it collects.
class GroupScope : public Scope {
 public:
  GroupScope(StreamScope& stream, Binder& binder, Mistakes& mistakes)
      : stream_(stream), binder_(binder), mistakes_(mistakes) {}

  /// Makes `node`, an expression over the stream, one of the keys.
  void add_key(const Node& node);
  /// Sets the window from `node`, a call of tumble.
  void set_window(const Node& node);
  bool has_window() const { return tumble_.has_value(); }

  std::optional<Bound> resolve(const Node& node) override;

  /// The whole aggregate, when everything is bound.
  Aggregate take();

 private:
  std::optional<Bound> resolve_window(const Node& node);
  Bound resolve_aggregate(const Node& node);
  std::optional<AggregateCall> bind_aggregate(const Node& node);
  Expr row_column(size_t column, Type type, int offset) const;

  StreamScope& stream_;
  Binder& binder_;
  Mistakes& mistakes_;
  std::vector<Node> key_nodes_;
  std::optional<Node> tumble_;
  Aggregate aggregate_;
};

bool is_tumble(const Node& node);
bool is_aggregate_call(const Node& node);
/// Whether an aggregate is called anywhere in `node`.
bool has_aggregate(const Node& node);

}  // namespace headrace::sql
