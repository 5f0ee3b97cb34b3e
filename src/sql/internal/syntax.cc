// libpg_query's JSON tree -> our syntax tree. The tree leaves out fields that are zero, empty or false.
#include "sql/internal/syntax.h"

#include <fmt/format.h>
#include <pg_query.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace headrace::sql {

namespace {

using Json = simdjson::dom::object;
using JsonArray = simdjson::dom::array;

Json empty_object() {
  static simdjson::dom::parser parser;
  static const Json empty = parser.parse("{}", 2, true).get_object().value_unsafe();
  return empty;
}
Json object_in(const Json& json, std::string_view key) {
  Json object;
  return json[key].get(object) ? empty_object() : object;
}
bool has(const Json& json, std::string_view key) { return json[key].error() == simdjson::SUCCESS; }
bool flag(const Json& json, std::string_view key) {
  bool v = false;
  return !json[key].get(v) && v;
}
std::string_view text_in(const Json& json, std::string_view key) {
  std::string_view text;
  return json[key].get(text) ? std::string_view() : text;
}
int64_t integer_in(const Json& json, std::string_view key, int64_t fallback) {
  int64_t value;
  return json[key].get(value) ? fallback : value;
}
std::vector<Json> list_in(const Json& json, std::string_view key) {
  std::vector<Json> items;
  JsonArray array;
  if (json[key].get(array)) return items;
  for (auto item : array) {
    Json object;
    if (!item.get(object)) items.push_back(object);
  }
  return items;
}

/// A tree node is an object with one member: the node's type and its fields.
struct Tagged {
  std::string_view type;
  Json fields;
};
Tagged untag(const Json& json) {
  for (auto member : json) {
    Json fields;
    if (!member.value.get(fields)) return {member.key, fields};
  }
  return {{}, empty_object()};
}

int offset_of(const Json& fields, int fallback) {
  int64_t location = integer_in(fields, "location", 0);
  return location < 0 ? fallback : static_cast<int>(location);
}

/// The strings of a list of String nodes.
std::vector<std::string> names_in(const Json& fields, std::string_view key) {
  std::vector<std::string> names;
  for (const Json& item : list_in(fields, key)) {
    Tagged tagged = untag(item);
    if (tagged.type == "String") names.emplace_back(text_in(tagged.fields, "sval"));
  }
  return names;
}

std::string join(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all.append(all.empty() ? "" : ".").append(part);
  return all;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

class Reader {
 public:
  Reader(const std::string& sql, Mistakes& mistakes) : sql_(sql), mistakes_(mistakes) {}

  Select read(const Json& root);

 private:
  Select read_select(const Json& fields);
  void refuse_clauses(const Json& fields);
  void read_from(const Json& fields, Select& select);
  SelectItem read_item(const Json& json);
  Node read(const Json& json, int near);
  std::vector<Node> read_list(const std::vector<Json>& list, int near);
  Node read_constant(const Json& fields, int near);
  int64_t read_unprinted_integer(int offset);
  Node read_column(const Json& fields, int near);
  Node read_operator(const Json& fields, int near);
  Node read_boolean(const Json& fields, int near);
  Node read_function(const Json& fields, int near);
  Node read_cast(const Json& fields, int near);
  std::string read_type(const Json& type_name, int near, Node& argument);
  Node read_case(const Json& fields, int near);
  Node read_test(const Json& fields, int near, std::string_view key);

  Node refuse(int offset, std::string message) {
    mistakes_.add(offset, std::move(message));
    return Node{.offset = offset};
  }
  /// Where a piece of the tree starts, for those that have no location of their own.
  int find_offset(const Json& json, int fallback) const;
  /// Where a word that the grammar keeps no location of stands: its last occurrence outside of quotes; -1 for nowhere.
  int find_word(std::string_view word) const;

  const std::string& sql_;
  Mistakes& mistakes_;
};

Select Reader::read(const Json& root) {
  std::vector<Json> statements = list_in(root, "stmts");
  if (statements.empty()) return refuse(0, "there is no statement, a SELECT is expected"), Select();
  if (statements.size() > 1) {
    int64_t second = integer_in(statements[1], "stmt_location", 0);
    while (second < static_cast<int64_t>(sql_.size()) &&
           std::isspace(static_cast<unsigned char>(sql_[static_cast<size_t>(second)])))
      ++second;
    return refuse(static_cast<int>(second), "a pipeline is one SELECT, and here a second statement starts"), Select();
  }
  Tagged statement = untag(object_in(statements[0], "stmt"));
  if (statement.type != "SelectStmt") {
    size_t start = sql_.find_first_not_of(" \t\r\n");
    return refuse(static_cast<int>(start == std::string::npos ? 0 : start), "only SELECT is supported"), Select();
  }
  return read_select(statement.fields);
}

Select Reader::read_select(const Json& fields) {
  Select select;
  refuse_clauses(fields);
  if (mistakes_.any()) return select;
  for (const Json& item : list_in(fields, "targetList")) select.items.push_back(read_item(item));
  read_from(fields, select);
  if (has(fields, "whereClause")) select.where = read(object_in(fields, "whereClause"), 0);
  for (const Json& item : list_in(fields, "groupClause")) select.group_by.push_back(read(item, 0));
  if (has(fields, "havingClause")) select.having = read(object_in(fields, "havingClause"), 0);
  if (select.items.empty()) refuse(0, "SELECT lists no columns");
  return select;
}

void Reader::refuse_clauses(const Json& fields) {
  struct Clause {
    std::string_view key, word, why;
  };
  static constexpr Clause kClauses[] = {
      {"withClause", "with", "WITH is not supported: write a pipeline of its own and read its topic"},
      {"larg", "", "UNION, INTERSECT and EXCEPT are not supported"},
      {"valuesLists", "values", "VALUES is not supported: a pipeline reads a stream"},
      {"distinctClause", "distinct", "SELECT DISTINCT is not supported: use GROUP BY with a window"},
      {"intoClause", "into", "SELECT INTO is not supported: a pipeline's `to` names the topic"},
      {"windowClause", "window", "WINDOW is not supported: windows are tumble(...) in GROUP BY"},
      {"sortClause", "order", "ORDER BY is not supported: a stream has no end that could be sorted"},
      {"limitCount", "limit", "LIMIT is not supported: a stream has no end"},
      {"limitOffset", "offset", "OFFSET is not supported: a stream has no end"},
      {"lockingClause", "for", "FOR UPDATE and FOR SHARE are not supported"},
  };
  for (const Clause& clause : kClauses) {
    if (!has(fields, clause.key)) continue;
    int offset = clause.word.empty() ? -1 : find_word(clause.word);
    for (std::string_view word : {"union", "intersect", "except"}) {
      if (offset < 0) offset = find_word(word);
    }
    refuse(std::max(offset, 0), std::string(clause.why));
  }
  if (flag(fields, "groupDistinct")) refuse(std::max(find_word("distinct"), 0), "GROUP BY DISTINCT is not supported");
}

void Reader::read_from(const Json& fields, Select& select) {
  std::vector<Json> sources = list_in(fields, "fromClause");
  if (sources.empty()) {
    refuse(static_cast<int>(sql_.size()), "FROM is missing: name the stream to read");
    return;
  }
  Tagged source = untag(sources[0]);
  if (source.type == "JoinExpr") {
    refuse(std::max(find_word("join"), 0), "JOIN is not supported: a pipeline reads one stream");
  } else if (source.type == "RangeSubselect") {
    refuse(find_offset(sources[0], find_word("from")),
           "a subquery in FROM is not supported: write a pipeline of its own");
  } else if (source.type != "RangeVar") {
    refuse(find_offset(sources[0], find_word("from")), "FROM takes the name of a stream");
  } else if (sources.size() > 1) {
    refuse(find_offset(sources[1], 0), "a second source is not supported: a pipeline reads one stream");
  } else if (!flag(source.fields, "inh")) {
    refuse(offset_of(source.fields, 0), "ONLY is not supported");
  }
  if (mistakes_.any()) return;
  for (std::string_view part : {"catalogname", "schemaname"}) {
    if (has(source.fields, part)) select.from.append(text_in(source.fields, part)).append(".");
  }
  select.from.append(text_in(source.fields, "relname"));
  select.from_offset = offset_of(source.fields, 0);
  if (!has(source.fields, "alias")) return;
  Json alias = object_in(source.fields, "alias");
  select.from_alias = text_in(alias, "aliasname");
  if (has(alias, "colnames")) refuse(select.from_offset, "an alias with column names is not supported");
}

SelectItem Reader::read_item(const Json& json) {
  Tagged item = untag(json);
  int offset = offset_of(item.fields, 0);
  return {read(object_in(item.fields, "val"), offset), std::string(text_in(item.fields, "name")), offset};
}

std::vector<Node> Reader::read_list(const std::vector<Json>& list, int near) {
  std::vector<Node> nodes;
  for (const Json& item : list) nodes.push_back(read(item, near));
  return nodes;
}

Node Reader::read(const Json& json, int near) {
  if (mistakes_.any()) return {};
  auto [type, fields] = untag(json);
  if (type == "A_Const") return read_constant(fields, near);
  if (type == "ColumnRef") return read_column(fields, near);
  if (type == "A_Expr") return read_operator(fields, near);
  if (type == "BoolExpr") return read_boolean(fields, near);
  if (type == "FuncCall") return read_function(fields, near);
  if (type == "TypeCast") return read_cast(fields, near);
  if (type == "CaseExpr") return read_case(fields, near);
  if (type == "NullTest") return read_test(fields, near, "nulltesttype");
  if (type == "BooleanTest") return read_test(fields, near, "booltesttype");
  int offset = find_offset(json, near);
  if (type == "CoalesceExpr" || type == "MinMaxExpr") {
    std::string name = type == "CoalesceExpr" ? "coalesce" : text_in(fields, "op") == "IS_LEAST" ? "least" : "greatest";
    return {.kind = Node::Kind::kFunction,
            .offset = offset,
            .text = name,
            .args = read_list(list_in(fields, "args"), offset)};
  }
  if (type == "SubLink") return refuse(offset, "a subquery is not supported");
  if (type == "SQLValueFunction") {
    return refuse(offset,
                  "the current time is not supported, it would differ when records are read again: use _timestamp, "
                  "the time of the record");
  }
  if (type == "ParamRef") return refuse(offset, "parameters are not supported");
  if (type == "A_ArrayExpr" || type == "A_Indirection")
    return refuse(offset, "arrays and their elements are not supported");
  if (type == "RowExpr") return refuse(offset, "row values are not supported");
  if (type == "CollateClause") return refuse(offset, "COLLATE is not supported: texts compare by their bytes");
  if (type == "GroupingSet") return refuse(offset, "ROLLUP, CUBE and GROUPING SETS are not supported");
  return refuse(offset, fmt::format("this is not supported ({})", type.empty() ? "an empty expression" : type));
}

Node Reader::read_constant(const Json& fields, int near) {
  Node node{.offset = offset_of(fields, near)};
  if (flag(fields, "isnull")) return node;
  if (has(fields, "boolval")) {
    node.kind = Node::Kind::kBool;
    node.integer = flag(object_in(fields, "boolval"), "boolval");
  } else if (has(fields, "ival")) {
    node.kind = Node::Kind::kInteger;
    Json value = object_in(fields, "ival");
    node.integer = has(value, "ival") ? integer_in(value, "ival", 0) : read_unprinted_integer(node.offset);
  } else if (has(fields, "fval")) {
    std::string text(text_in(object_in(fields, "fval"), "fval"));
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node.integer);
    bool whole = error == std::errc() && end == text.data() + text.size();
    node.kind = whole ? Node::Kind::kInteger : Node::Kind::kNumber;
    if (!whole) node.number = std::strtod(text.c_str(), nullptr);
  } else if (has(fields, "sval")) {
    node.kind = Node::Kind::kText;
    node.text = text_in(object_in(fields, "sval"), "sval");
  } else {
    return refuse(node.offset, "bit strings are not supported");
  }
  return node;
}

/// The tree's writer leaves out integers below 1, not only 0 (libpg_query 15-4.0.0), so their digits are read from the
/// text, where the location points at the first minus: `-5`, `- (5)`, `0`.
int64_t Reader::read_unprinted_integer(int offset) {
  size_t at = static_cast<size_t>(offset);
  while (at < sql_.size() && !std::isdigit(static_cast<unsigned char>(sql_[at]))) {
    if (!std::strchr("-() \t\r\n\f\v", sql_[at])) {
      refuse(offset, "no comments are supported between a minus and its number");
      return 0;
    }
    ++at;
  }
  int64_t value = 0;
  std::from_chars(sql_.data() + at, sql_.data() + sql_.size(), value);
  return -value;
}

Node Reader::read_column(const Json& fields, int near) {
  Node node{.kind = Node::Kind::kColumn, .offset = offset_of(fields, near), .path = names_in(fields, "fields")};
  for (const Json& part : list_in(fields, "fields")) {
    if (untag(part).type == "A_Star") node.kind = Node::Kind::kStar;
  }
  return node;
}

Node Reader::read_operator(const Json& fields, int near) {
  std::string_view kind = text_in(fields, "kind");
  std::vector<std::string> name = names_in(fields, "name");
  int offset = offset_of(fields, near);
  if (name.empty() || name.size() > 1) return refuse(offset, "operators of a schema are not supported");
  Node node{.kind = Node::Kind::kOperator, .offset = offset, .text = name[0]};
  bool negated = name[0].starts_with("!") || name[0] == "<>";
  if (kind == "AEXPR_DISTINCT") {
    node.text = "is distinct from";
  } else if (kind == "AEXPR_NOT_DISTINCT") {
    node.text = "is not distinct from";
  } else if (kind == "AEXPR_NULLIF") {
    node.kind = Node::Kind::kFunction;
    node.text = "nullif";
  } else if (kind == "AEXPR_IN") {
    node.text = negated ? "not in" : "in";
  } else if (kind == "AEXPR_LIKE") {
    node.text = negated ? "not like" : "like";
  } else if (kind == "AEXPR_ILIKE") {
    node.text = negated ? "not ilike" : "ilike";
  } else if (kind == "AEXPR_BETWEEN" || kind == "AEXPR_NOT_BETWEEN") {
    node.text = kind == "AEXPR_BETWEEN" ? "between" : "not between";
  } else if (kind == "AEXPR_SIMILAR") {
    return refuse(offset, "SIMILAR TO is not supported: use LIKE");
  } else if (kind != "AEXPR_OP") {
    return refuse(offset, "this operator is not supported");
  }
  if (has(fields, "lexpr")) node.args.push_back(read(object_in(fields, "lexpr"), offset));
  Tagged right = untag(object_in(fields, "rexpr"));
  if (right.type == "List") {
    for (Node& item : read_list(list_in(right.fields, "items"), offset)) node.args.push_back(std::move(item));
  } else {
    node.args.push_back(read(object_in(fields, "rexpr"), offset));
  }
  return node;
}

Node Reader::read_boolean(const Json& fields, int near) {
  std::string_view op = text_in(fields, "boolop");
  int offset = offset_of(fields, near);
  std::string text = op == "AND_EXPR" ? "and" : op == "OR_EXPR" ? "or" : "not";
  return {.kind = Node::Kind::kOperator,
          .offset = offset,
          .text = text,
          .args = read_list(list_in(fields, "args"), offset)};
}

Node Reader::read_test(const Json& fields, int near, std::string_view key) {
  std::string text = lower_case(text_in(fields, key));
  std::replace(text.begin(), text.end(), '_', ' ');
  int offset = offset_of(fields, near);
  return {
      .kind = Node::Kind::kOperator, .offset = offset, .text = text, .args = {read(object_in(fields, "arg"), offset)}};
}

Node Reader::read_function(const Json& fields, int near) {
  int offset = offset_of(fields, near);
  std::vector<std::string> name = names_in(fields, "funcname");
  if (name.size() == 2 && name[0] == "pg_catalog") name.erase(name.begin());
  Node node{.kind = Node::Kind::kFunction, .offset = offset, .text = join(name)};
  if (node.text == "position") node.text = "strpos";  // The grammar gives position's operands in strpos' order.
  if (node.text == "timezone") return refuse(offset, "AT TIME ZONE is not supported: all times are UTC");
  if (has(fields, "over")) return refuse(offset, "OVER is not supported: windows are tumble(...) in GROUP BY");
  if (flag(fields, "agg_distinct")) return refuse(offset, "DISTINCT in an aggregate is not supported");
  if (has(fields, "agg_order")) return refuse(offset, "ORDER BY in an aggregate is not supported");
  if (flag(fields, "agg_within_group")) return refuse(offset, "WITHIN GROUP is not supported");
  if (flag(fields, "func_variadic")) return refuse(offset, "VARIADIC is not supported");
  node.star_argument = flag(fields, "agg_star");
  node.args = read_list(list_in(fields, "args"), offset);
  if (has(fields, "agg_filter")) node.filter.push_back(read(object_in(fields, "agg_filter"), offset));
  return node;
}

Node Reader::read_cast(const Json& fields, int near) {
  Json type_name = object_in(fields, "typeName");
  int type_offset = offset_of(type_name, near);
  int offset = offset_of(fields, type_offset);
  Node node{.kind = Node::Kind::kCast, .offset = offset, .args = {read(object_in(fields, "arg"), offset)}};
  node.text = read_type(type_name, type_offset, node.args[0]);
  return node;
}

/// The type's name. `interval '10' minute` becomes interval '10 minute' in `argument`.
std::string Reader::read_type(const Json& type_name, int near, Node& argument) {
  std::vector<std::string> names = names_in(type_name, "names");
  if (names.size() == 2 && names[0] == "pg_catalog") names.erase(names.begin());
  std::string name = join(names);
  if (has(type_name, "arrayBounds")) refuse(near, "array types are not supported");
  std::vector<Json> modifiers = list_in(type_name, "typmods");
  if (modifiers.empty()) return name;
  Node modifier = read(modifiers[0], near);
  static constexpr std::pair<int, std::string_view> kFields[] = {
      {1 << 3, "day"}, {1 << 10, "hour"}, {1 << 11, "minute"}, {1 << 12, "second"}};
  for (auto [mask, unit] : kFields) {
    if (name != "interval" || modifiers.size() > 1 || modifier.integer != mask || argument.kind != Node::Kind::kText)
      continue;
    argument.text.append(" ").append(unit);
    return name;
  }
  refuse(near, "lengths and precisions of types are not supported: write the type alone");
  return name;
}

Node Reader::read_case(const Json& fields, int near) {
  int offset = offset_of(fields, near);
  Node node{.kind = Node::Kind::kCase, .offset = offset};
  if (has(fields, "arg")) {
    node.integer = 1;
    node.args.push_back(read(object_in(fields, "arg"), offset));
  }
  for (const Json& item : list_in(fields, "args")) {
    Json when = untag(item).fields;
    int when_offset = offset_of(when, offset);
    node.args.push_back(read(object_in(when, "expr"), when_offset));
    node.args.push_back(read(object_in(when, "result"), when_offset));
  }
  node.args.push_back(has(fields, "defresult") ? read(object_in(fields, "defresult"), offset) : Node{.offset = offset});
  return node;
}

int Reader::find_offset(const Json& json, int fallback) const {
  for (auto member : json) {
    if (member.key == "location") {
      int64_t location = -1;
      if (!member.value.get(location) && location >= 0) return static_cast<int>(location);
    }
  }
  for (auto member : json) {
    Json inner;
    JsonArray items;
    int found = -1;
    if (!member.value.get(inner)) found = find_offset(inner, -1);
    if (!member.value.get(items)) {
      for (auto item : items) {
        if (found < 0 && !item.get(inner)) found = find_offset(inner, -1);
      }
    }
    if (found >= 0) return found;
  }
  return fallback;
}

int Reader::find_word(std::string_view word) const {
  std::string lower = lower_case(sql_);
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  int found = -1;
  char quote = 0;
  for (size_t i = 0; i < lower.size(); ++i) {
    if (quote) {
      if (lower[i] == quote) quote = 0;
    } else if (lower[i] == '\'' || lower[i] == '"') {
      quote = lower[i];
    } else if (lower.compare(i, word.size(), word) == 0 && (i == 0 || !is_word(lower[i - 1])) &&
               (i + word.size() >= lower.size() || !is_word(lower[i + word.size()]))) {
      found = static_cast<int>(i);
    }
  }
  return found;
}

/// The byte that the grammar's 1-based character position means.
int byte_of_character(const std::string& sql, int position) {
  int characters = 0;
  for (size_t i = 0; i < sql.size(); ++i) {
    bool starts = (static_cast<unsigned char>(sql[i]) & 0xc0) != 0x80;
    if (starts && ++characters == position) return static_cast<int>(i);
  }
  return static_cast<int>(sql.size());
}

struct ParseResultDeleter {
  void operator()(PgQueryParseResult* result) const {
    pg_query_free_parse_result(*result);
    delete result;
  }
};

}  // namespace

bool Node::same_as(const Node& other) const {
  auto same_lists = [](const std::vector<Node>& a, const std::vector<Node>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Node& x, const Node& y) { return x.same_as(y); });
  };
  return kind == other.kind && text == other.text && path == other.path && integer == other.integer &&
         number == other.number && star_argument == other.star_argument && same_lists(args, other.args) &&
         same_lists(filter, other.filter);
}

Select read_select(const std::string& sql, Mistakes& mistakes) {
  if (sql.find('\0') != std::string::npos || !simdjson::validate_utf8(sql.data(), sql.size())) {
    mistakes.add(0, "the text is not UTF-8, or has a NUL character in it");
    return {};
  }
  std::unique_ptr<PgQueryParseResult, ParseResultDeleter> parsed(new PgQueryParseResult(pg_query_parse(sql.c_str())));
  if (parsed->error) {
    mistakes.add(byte_of_character(sql, parsed->error->cursorpos), parsed->error->message);
    return {};
  }
  simdjson::dom::parser parser;
  Json root;
  std::string_view tree(parsed->parse_tree);
  if (auto error = parser.parse(tree.data(), tree.size()).get(root)) {
    mistakes.add(0, error == simdjson::DEPTH_ERROR
                        ? "expressions are nested too deeply"
                        : fmt::format("the grammar's tree is unreadable: {}", simdjson::error_message(error)));
    return {};
  }
  return Reader(sql, mistakes).read(root);
}

}  // namespace headrace::sql
