#include "sql/internal/scope.h"

#include <fmt/format.h>

#include <algorithm>

#include "sql/internal/interval.h"

namespace headrace::sql {

namespace {

std::string join(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all.append(all.empty() ? "" : ".").append(part);
  return all;
}

/// 366 days: more is a mistaken unit, and would hold state for as long.
constexpr int64_t kWindowMsMax = int64_t{366} * 86'400'000;

Bound placeholder(int offset) { return {literal(Type::kText, {}, offset), true}; }

}  // namespace

bool is_tumble(const Node& node) { return node.kind == Node::Kind::kFunction && node.text == "tumble"; }

bool is_aggregate_call(const Node& node) {
  auto table = aggregate_table();
  return node.kind == Node::Kind::kFunction &&
         std::any_of(table.begin(), table.end(), [&](const AggregateSpec& spec) { return spec.name == node.text; });
}

bool has_aggregate(const Node& node) {
  return is_aggregate_call(node) || std::any_of(node.args.begin(), node.args.end(), has_aggregate);
}

std::optional<Bound> StreamScope::resolve(const Node& node) {
  if (is_aggregate_call(node)) {
    mistakes_.add(
        node.offset,
        fmt::format("aggregate {} can't stand here: only in SELECT and HAVING, and not inside another", node.text));
    return placeholder(node.offset);
  }
  if (node.kind != Node::Kind::kColumn) return std::nullopt;
  if (std::optional<columns::Column> column = find(node.path)) return Bound{use(*column, node.offset)};
  std::string name = join(node.path);
  if (name == "window_start" || name == "window_end") {
    mistakes_.add(node.offset, fmt::format("{} exists after GROUP BY tumble(...) only, in SELECT and HAVING", name));
  } else {
    mistakes_.add(node.offset, fmt::format("column \"{}\" does not exist in stream {}{}", name, stream_.name,
                                           did_you_mean(name, names())));
  }
  return placeholder(node.offset);
}

std::optional<columns::Column> StreamScope::find(const std::vector<std::string>& path) const {
  std::string name = join(path);
  if (auto index = stream_.columns.find(name)) return stream_.columns[*index];
  if (auto metadata = columns::find_metadata(name)) return columns::metadata_columns()[static_cast<size_t>(*metadata)];
  if (name == "event_time") return event_time();
  for (const std::string& qualifier : {alias_, alias_.empty() ? stream_.name : alias_}) {
    if (qualifier.empty() || !name.starts_with(qualifier + ".")) continue;
    return find({name.substr(qualifier.size() + 1)});
  }
  return std::nullopt;
}

Expr StreamScope::use(const columns::Column& column, int offset) {
  std::optional<size_t> index = input_.find(column.name);
  if (!index) {
    index = input_.size();
    input_.add(column);
  }
  return {.kind = Expr::Kind::kColumn, .type = column.type, .offset = offset, .column = *index};
}

columns::Column StreamScope::event_time() const {
  if (auto index = stream_.columns.find(stream_.event_time)) return stream_.columns[*index];
  return columns::metadata_columns()[static_cast<size_t>(columns::Metadata::kTimestamp)];
}

bool StreamScope::is_qualifier(const std::vector<std::string>& path) const {
  return path.empty() || join(path) == (alias_.empty() ? stream_.name : alias_);
}

std::vector<std::string> StreamScope::names() const {
  std::vector<std::string> all = {"event_time"};
  for (const columns::Column& column : stream_.columns) all.push_back(column.name);
  for (const columns::Column& column : columns::metadata_columns()) all.push_back(column.name);
  return all;
}

void GroupScope::add_key(const Node& node) {
  Bound bound = binder_.bind(node, stream_);
  if (mistakes_.any()) return;
  Type type = bound.expr.type;
  if (type == Type::kJson) return mistakes_.add(node.offset, "a json value can't be a group's key: cast it to text");
  std::string name = fmt::format("key_{}", aggregate_.keys.size());
  if (bound.expr.kind == Expr::Kind::kColumn) name = stream_.input()[bound.expr.column].name;
  aggregate_.keys.push_back(std::move(bound.expr));
  aggregate_.row.add({.name = name, .type = type});
  key_nodes_.push_back(node);
}

void GroupScope::set_window(const Node& node) {
  if (has_window()) return mistakes_.add(node.offset, "GROUP BY has two windows: one tumble(...) is supported");
  tumble_ = node;
  if (node.args.size() != 2)
    return mistakes_.add(node.offset,
                         "tumble takes the event time and a size: tumble(event_time, interval '10 seconds')");
  Bound time = binder_.bind(node.args[0], stream_);
  Bound size = binder_.bind(node.args[1], stream_);
  if (mistakes_.any()) return;
  columns::Column event_time = stream_.event_time();
  bool is_event_time =
      time.expr.kind == Expr::Kind::kColumn && stream_.input()[time.expr.column].name == event_time.name;
  if (!is_event_time) {
    return mistakes_.add(time.expr.offset, fmt::format("windows are over the event time of stream {}, which is \"{}\"",
                                                       stream_.stream().name, event_time.name));
  }
  bool constant = size.expr.kind == Expr::Kind::kLiteral && !size.is_null() && fits(size, Type::kInterval);
  if (!constant)
    return mistakes_.add(size.expr.offset, "the window's size is a constant interval: interval '10 seconds'");
  Expr interval = coerce(std::move(size), Type::kInterval, mistakes_);
  aggregate_.window = {.size_ms = std::get<int64_t>(interval.value), .time_column = time.expr.column};
  if (mistakes_.any()) return;
  if (aggregate_.window.size_ms < 1) mistakes_.add(interval.offset, "the window's size must be at least a millisecond");
  if (aggregate_.window.size_ms > kWindowMsMax)
    mistakes_.add(interval.offset, "the window's size must be at most 366 days");
}

std::optional<Bound> GroupScope::resolve(const Node& node) {
  for (size_t i = 0; i < key_nodes_.size(); ++i) {
    if (key_nodes_[i].same_as(node)) return Bound{row_column(i, aggregate_.keys[i].type, node.offset)};
  }
  if (std::optional<Bound> window = resolve_window(node)) return window;
  if (is_aggregate_call(node)) return resolve_aggregate(node);
  if (node.kind != Node::Kind::kColumn) return std::nullopt;
  std::optional<columns::Column> column = stream_.find(node.path);
  if (!column) return stream_.resolve(node);
  for (size_t i = 0; i < key_nodes_.size(); ++i) {  // The same column by another spelling: with and without its stream.
    auto key = key_nodes_[i].kind == Node::Kind::kColumn ? stream_.find(key_nodes_[i].path) : std::nullopt;
    if (key && key->name == column->name) return Bound{row_column(i, aggregate_.keys[i].type, node.offset)};
  }
  mistakes_.add(node.offset, fmt::format("column \"{}\" must be in GROUP BY or inside an aggregate", join(node.path)));
  return placeholder(node.offset);
}

/// window_start, window_end, tumble_start(...) and tumble_end(...).
std::optional<Bound> GroupScope::resolve_window(const Node& node) {
  bool is_column = node.kind == Node::Kind::kColumn && node.path.size() == 1;
  bool is_function = node.kind == Node::Kind::kFunction;
  std::string name = is_column ? node.path[0] : is_function ? node.text : "";
  bool start = name == (is_column ? "window_start" : "tumble_start");
  bool end = name == (is_column ? "window_end" : "tumble_end");
  if (!start && !end) return std::nullopt;
  Node as_tumble = node;
  as_tumble.text = "tumble";
  if (is_function && !node.args.empty() && !as_tumble.same_as(*tumble_)) {
    mistakes_.add(node.offset, fmt::format("{} takes what tumble in GROUP BY takes, or nothing", name));
  }
  size_t column = start ? aggregate_.window_start_column() : aggregate_.window_end_column();
  return Bound{row_column(column, Type::kTimestamp, node.offset)};
}

Bound GroupScope::resolve_aggregate(const Node& node) {
  std::optional<AggregateCall> call = bind_aggregate(node);
  if (!call || mistakes_.any()) return placeholder(node.offset);
  auto same_optional = [](const std::optional<Expr>& a, const std::optional<Expr>& b) {
    return a.has_value() == b.has_value() && (!a || a->same_as(*b));
  };
  size_t index = 0;
  for (; index < aggregate_.calls.size(); ++index) {
    const AggregateCall& other = aggregate_.calls[index];
    if (other.function == call->function && same_optional(other.arg, call->arg) &&
        same_optional(other.filter, call->filter))
      break;
  }
  Type type = call->type;
  if (index == aggregate_.calls.size()) aggregate_.calls.push_back(*std::move(call));
  return {row_column(aggregate_.call_column(index), type, node.offset)};
}

std::optional<AggregateCall> GroupScope::bind_aggregate(const Node& node) {
  AggregateCall call;
  if (!node.filter.empty()) call.filter = binder_.bind_condition(node.filter[0], stream_, "FILTER");
  if (node.star_argument) {
    if (node.text != "count") mistakes_.add(node.offset, fmt::format("only count takes *, not {}", node.text));
    return call;
  }
  if (node.args.size() != 1) {
    mistakes_.add(node.offset, fmt::format("{} takes one argument, not {}{}", node.text, node.args.size(),
                                           node.text == "count" ? "; count(*) counts rows" : ""));
    return std::nullopt;
  }
  Bound arg = binder_.bind(node.args[0], stream_);
  if (mistakes_.any()) return std::nullopt;
  const AggregateSpec* best = nullptr;
  for (const AggregateSpec& spec : aggregate_table()) {
    if (spec.name != node.text || !spec.param) continue;
    bool any = spec.param == ParamType::kAny && (spec.result != ParamType::kAny || arg.expr.type != Type::kJson);
    if (!any && (spec.param == ParamType::kAny || arg.open || !fits(arg, static_cast<Type>(*spec.param)))) continue;
    best = &spec;
    break;
  }
  if (!best) {
    mistakes_.add(arg.expr.offset, fmt::format("{} does not take {}", node.text, columns::to_string(arg.expr.type)));
    return std::nullopt;
  }
  call.function = best->function;
  Type taken = best->param == ParamType::kAny ? arg.expr.type : static_cast<Type>(*best->param);
  call.type = best->result == ParamType::kAny ? taken : static_cast<Type>(best->result);
  if (best->function == AggregateFunction::kAvg) taken = arg.expr.type;  // Bigints are added up as they are.
  call.arg = coerce(std::move(arg), taken, mistakes_);
  return call;
}

Expr GroupScope::row_column(size_t column, Type type, int offset) const {
  return {.kind = Expr::Kind::kColumn, .type = type, .offset = offset, .column = column};
}

Aggregate GroupScope::take() {
  aggregate_.row.add({.name = "window_start", .type = Type::kTimestamp, .nullable = false});
  aggregate_.row.add({.name = "window_end", .type = Type::kTimestamp, .nullable = false});
  for (size_t i = 0; i < aggregate_.calls.size(); ++i) {
    const AggregateCall& call = aggregate_.calls[i];
    aggregate_.row.add({.name = fmt::format("{}_{}", to_string(call.function), i), .type = call.type});
  }
  return std::move(aggregate_);
}

}  // namespace headrace::sql
