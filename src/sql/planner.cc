#include "sql/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "sql/internal/binder.h"
#include "sql/internal/scope.h"
#include "sql/internal/syntax.h"

namespace headrace::sql {

namespace {

/// Turns one SELECT over one stream into a plan.
class Planner {
 public:
  Planner(const Select& select, const Stream& stream, Mistakes& mistakes)
      : select_(select),
        mistakes_(mistakes),
        binder_(mistakes),
        stream_(stream, select.from_alias, mistakes),
        groups_(stream_, binder_, mistakes) {}

  Plan plan() {
    plan_.source = stream_.stream().name;
    if (select_.where) plan_.filter = binder_.bind_condition(*select_.where, stream_, "WHERE");
    bool grouped = !select_.group_by.empty();
    if (grouped) {
      plan_groups();
    } else {
      refuse_ungrouped();
    }
    Scope& scope = grouped ? static_cast<Scope&>(groups_) : stream_;
    for (const SelectItem& item : select_.items) plan_item(item, scope, grouped);
    if (select_.having) plan_.having = binder_.bind_condition(*select_.having, scope, "HAVING");
    if (mistakes_.any()) return {};
    if (grouped) plan_.aggregate = groups_.take();
    plan_.input = stream_.take_input();
    return std::move(plan_);
  }

 private:
  void plan_groups();
  const Node& group_expression(const Node& node);
  void refuse_ungrouped();
  void plan_item(const SelectItem& item, Scope& scope, bool grouped);
  void plan_star(const Node& star, bool grouped);
  void add_output(std::string name, Expr expr, int offset);
  std::string name_of(const SelectItem& item) const;

  const Select& select_;
  Mistakes& mistakes_;
  Binder binder_;
  StreamScope stream_;
  GroupScope groups_;
  Plan plan_;
};

void Planner::plan_groups() {
  for (const Node& written : select_.group_by) {
    const Node& node = group_expression(written);
    if (mistakes_.any()) return;
    if (is_tumble(node)) {
      groups_.set_window(node);
    } else {
      groups_.add_key(node);
    }
  }
  if (groups_.has_window() || mistakes_.any()) return;
  mistakes_.add(select_.group_by[0].offset,
                "GROUP BY needs a window, without one a stream's groups never end: add tumble(event_time, interval '10 "
                "seconds')");
}

/// A number in GROUP BY means that item of SELECT; a name that is no column may be an alias there.
const Node& Planner::group_expression(const Node& node) {
  if (node.kind == Node::Kind::kInteger) {
    if (node.integer >= 1 && node.integer <= static_cast<int64_t>(select_.items.size())) {
      return select_.items[static_cast<size_t>(node.integer) - 1].expr;
    }
    mistakes_.add(node.offset, fmt::format("GROUP BY {}: SELECT has {} columns", node.integer, select_.items.size()));
  }
  if (node.kind != Node::Kind::kColumn || node.path.size() != 1 || stream_.find(node.path)) return node;
  for (const SelectItem& item : select_.items) {
    if (item.alias == node.path[0]) return item.expr;
  }
  return node;
}

void Planner::refuse_ungrouped() {
  if (select_.having) {
    return mistakes_.add(select_.having->offset, "HAVING needs GROUP BY; conditions on rows stand in WHERE");
  }
  for (const SelectItem& item : select_.items) {
    if (!has_aggregate(item.expr)) continue;
    return mistakes_.add(
        item.expr.offset,
        "an aggregate needs GROUP BY with a window: GROUP BY tumble(event_time, interval '10 seconds')");
  }
}

void Planner::plan_item(const SelectItem& item, Scope& scope, bool grouped) {
  if (mistakes_.any()) return;
  if (item.expr.kind == Node::Kind::kStar) return plan_star(item.expr, grouped);
  Bound bound = binder_.bind(item.expr, scope);
  std::string name = name_of(item);
  if (name.empty()) return mistakes_.add(item.offset, "this expression has no name: write `AS name` after it");
  add_output(std::move(name), std::move(bound.expr), item.offset);
}

void Planner::plan_star(const Node& star, bool grouped) {
  if (grouped) return mistakes_.add(star.offset, "* does not go with GROUP BY: name the columns");
  if (!stream_.is_qualifier(star.path)) {
    return mistakes_.add(star.offset, fmt::format("there is no stream \"{}\" in FROM", star.path[0]));
  }
  for (const columns::Column& column : stream_.stream().columns) {
    add_output(column.name, stream_.use(column, star.offset), star.offset);
  }
}

void Planner::add_output(std::string name, Expr expr, int offset) {
  if (expr.type == Type::kInterval) {
    return mistakes_.add(offset,
                         fmt::format("\"{}\" is an interval, which records don't have: write extract(epoch from ...), "
                                     "its seconds",
                                     name));
  }
  if (plan_.output.find(name)) {
    return mistakes_.add(offset, fmt::format("two columns of the result are called \"{}\": rename one by AS", name));
  }
  plan_.output.add({.name = name, .type = expr.type});
  plan_.outputs.push_back({std::move(name), std::move(expr)});
}

std::string Planner::name_of(const SelectItem& item) const {
  if (!item.alias.empty()) return item.alias;
  const Node* node = &item.expr;
  while (node->kind == Node::Kind::kCast) node = &node->args[0];
  if (node->kind == Node::Kind::kFunction) return node->text;
  if (node->kind != Node::Kind::kColumn) return {};
  if (auto column = stream_.find(node->path)) return node->path.back() == "event_time" ? "event_time" : column->name;
  return node->path.back();
}

const Stream* find_stream(std::span<const Stream> streams, const Select& select, Mistakes& mistakes) {
  std::vector<std::string> names;
  for (const Stream& stream : streams) {
    if (stream.name == select.from) return &stream;
    names.push_back(stream.name);
  }
  std::string known;
  for (const std::string& name : names) known.append(known.empty() ? "" : ", ").append(name);
  std::string hint = did_you_mean(select.from, names);
  if (hint.empty()) hint = known.empty() ? "; none is declared" : "; declared are " + known;
  mistakes.add(select.from_offset, fmt::format("stream \"{}\" does not exist{}", select.from, hint));
  return nullptr;
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

SqlError locate(std::string_view sql, const Mistakes::Mistake& mistake) {
  SqlError error{.message = mistake.message,
                 .offset = std::min(sql.size(), static_cast<size_t>(std::max(mistake.offset, 0)))};
  // At the end of the text, the mistake is after the last word rather than on an empty line.
  while (error.offset > 0 && error.offset == sql.size() &&
         std::isspace(static_cast<unsigned char>(sql[error.offset - 1]))) {
    sql.remove_suffix(1);
    error.offset = sql.size();
  }
  size_t start = 0;
  for (size_t i = 0; i < error.offset; ++i) {
    if (sql[i] != '\n') continue;
    start = i + 1;
    ++error.line;
  }
  std::string padding;
  for (size_t i = start; i < error.offset; ++i) {
    if (!starts_character(sql[i])) continue;
    padding += sql[i] == '\t' ? '\t' : ' ';
    ++error.column;
  }
  std::string_view text = sql.substr(start, sql.substr(start).find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (!text.empty()) error.excerpt = fmt::format("{}\n{}^", text, padding);
  return error;
}

}  // namespace

std::string SqlError::to_string() const {
  return fmt::format("line {}, column {}: {}{}{}", line, column, message, excerpt.empty() ? "" : "\n", excerpt);
}

PlanResult plan_query(std::string_view sql, std::span<const Stream> streams) {
  Mistakes mistakes;
  PlanResult result;
  if (sql.size() > kSqlBytesMax) {
    mistakes.add(0, fmt::format("the text has {} bytes, at most {} are taken", sql.size(), kSqlBytesMax));
  } else {
    Select select = read_select(std::string(sql), mistakes);
    const Stream* stream = mistakes.any() ? nullptr : find_stream(streams, select, mistakes);
    if (stream) result.plan = Planner(select, *stream, mistakes).plan();
  }
  if (!mistakes.any()) return result;
  result.plan.reset();
  result.error = locate(sql, mistakes.first());
  return result;
}

Result<Plan> plan_query_or_error(std::string_view sql, std::span<const Stream> streams) {
  PlanResult result = plan_query(sql, streams);
  if (result.ok()) return *std::move(result.plan);
  return Error{ErrorCode::kInvalidArgument, result.error.to_string()};
}

}  // namespace headrace::sql
