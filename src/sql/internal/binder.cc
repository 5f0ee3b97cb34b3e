#include "sql/internal/binder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/check.h"

namespace headrace::sql {

namespace {

std::vector<Expr> list(Expr a) {
  std::vector<Expr> all;
  all.push_back(std::move(a));
  return all;
}
std::vector<Expr> list(Expr a, Expr b) {
  std::vector<Expr> all = list(std::move(a));
  all.push_back(std::move(b));
  return all;
}

size_t count_nodes(const Expr& expr) {
  size_t count = 1;
  for (const Expr& arg : expr.args) count += count_nodes(arg);
  return count;
}

bool is_unit(ParamType param) { return param == ParamType::kUnit; }

ParamType param_at(const FunctionSpec& spec, size_t index) {
  return spec.params[std::min<size_t>(index, spec.param_count - 1u)];
}

bool takes_count(const FunctionSpec& spec, size_t count) {
  return count >= spec.required && (count <= spec.param_count || spec.variadic);
}

/// How far `value` is from what `param` takes: 0 is exact, nothing does not fit.
std::optional<int> distance(const Bound& value, ParamType param) {
  if (param == ParamType::kAny) return 0;
  if (is_unit(param)) return value.open && !value.is_null() ? std::optional(0) : std::nullopt;
  Type type = static_cast<Type>(param);
  if (!fits(value, type)) return std::nullopt;
  if (value.open) return value.is_null() || type == Type::kText ? 0 : 1;
  return value.expr.type == type ? 0 : 1;
}

std::optional<int> distance(const std::vector<Bound>& args, const FunctionSpec& spec) {
  if (!takes_count(spec, args.size())) return std::nullopt;
  int total = 0;
  for (size_t i = 0; i < args.size(); ++i) {
    std::optional<int> one = distance(args[i], param_at(spec, i));
    if (!one) return std::nullopt;
    total += *one;
  }
  return total;
}

std::string type_list(const std::vector<Bound>& args) {
  std::string all;
  for (const Bound& arg : args) {
    all.append(all.empty() ? "" : ", ").append(arg.is_null() && arg.open ? "NULL" : columns::to_string(arg.expr.type));
  }
  return all;
}

std::optional<Function> comparison(std::string_view op) {
  static constexpr std::pair<std::string_view, Function> kComparisons[] = {
      {"=", Function::kEqual},      {"<>", Function::kNotEqual}, {"<", Function::kLess},
      {"<=", Function::kLessEqual}, {">", Function::kGreater},   {">=", Function::kGreaterEqual}};
  for (auto [text, function] : kComparisons) {
    if (text == op) return function;
  }
  return std::nullopt;
}

/// The text after `not `, or the text.
std::string_view without_not(std::string_view text) {
  if (text.starts_with("not ") && text.size() > 4) text.remove_prefix(4);
  return text;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (std::tolower(a[i - 1]) != std::tolower(b[j - 1]));
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::vector<std::string> function_names() {
  std::vector<std::string> names = {"tumble"};
  for (const FunctionSpec& spec : function_table()) {
    if (!spec.is_operator()) names.emplace_back(spec.name);
  }
  for (const AggregateSpec& spec : aggregate_table()) names.emplace_back(spec.name);
  return names;
}

}  // namespace

std::string closest_name(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, std::min<size_t>(3, name.size() / 3)) + 1;
  if (name.size() > 128) return best;
  for (const std::string& candidate : known) {
    size_t distance = candidate.size() > 128 ? best_distance : edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  std::string closest = closest_name(name, known);
  if (closest.empty()) return {};
  bool capitals = std::any_of(closest.begin(), closest.end(), [](unsigned char c) { return std::isupper(c); });
  return fmt::format("; did you mean \"{}\"?{}", closest,
                     capitals ? " (a name with capital letters is written in double quotes)" : "");
}

Bound Binder::bind(const Node& node, Scope& scope) {
  if (mistakes_.any()) return {literal(Type::kText, {}, node.offset), true};
  if (++nodes_ > kExprNodesMax) return fail(node.offset, "the expressions are too large");
  if (std::optional<Bound> known = scope.resolve(node)) return *std::move(known);
  return bind_new(node, scope);
}

Bound Binder::bind_new(const Node& node, Scope& scope) {
  switch (node.kind) {
    case Node::Kind::kNull: return {literal(Type::kText, {}, node.offset), true};
    case Node::Kind::kBool: return {literal(Type::kBool, node.integer != 0, node.offset)};
    case Node::Kind::kInteger: return {literal(Type::kInt64, node.integer, node.offset)};
    case Node::Kind::kNumber:
      if (!std::isfinite(node.number)) return fail(node.offset, "the number is too large for a double");
      return {literal(Type::kDouble, node.number, node.offset)};
    case Node::Kind::kText: return {literal(Type::kText, node.text, node.offset), true};
    case Node::Kind::kColumn: break;
    case Node::Kind::kStar: return fail(node.offset, "* stands alone in the SELECT list, or in count(*)");
    case Node::Kind::kOperator: return bind_operator(node, scope);
    case Node::Kind::kFunction: return bind_function(node, scope);
    case Node::Kind::kCast: return bind_cast(node, scope);
    case Node::Kind::kCase: return bind_case(node, scope);
  }
  CHECK(false);  // Scopes resolve every column.
}

Expr Binder::bind_condition(const Node& node, Scope& scope, std::string_view what) {
  return condition(bind(node, scope), what);
}

std::vector<Bound> Binder::bind_all(const std::vector<Node>& nodes, Scope& scope) {
  std::vector<Bound> all;
  for (const Node& node : nodes) all.push_back(bind(node, scope));
  return all;
}

Bound Binder::bind_operator(const Node& node, Scope& scope) {
  std::string_view op = node.text;
  std::vector<Bound> args = bind_all(node.args, scope);
  if (mistakes_.any()) return {literal(Type::kBool, {}, node.offset)};
  if (auto function = comparison(op); function && args.size() == 2) {
    return bind_comparison(*function, node, std::move(args[0]), std::move(args[1]));
  }
  if (op == "and" || op == "or" || op == "not") return bind_logic(node, std::move(args));
  if (op == "is distinct from" || op == "is not distinct from")
    return bind_distinct(node, std::move(args[0]), std::move(args[1]));
  if (op.starts_with("is ")) return bind_truth_test(node, std::move(args[0]));
  std::string_view positive = without_not(op);
  if (positive == "between") return bind_between(node, std::move(args));
  if (positive == "in") return bind_in(node, std::move(args));
  if (positive == "like" || positive == "ilike") return bind_like(node, std::move(args));
  if (op == "+" && args.size() == 1) return std::move(args[0]);
  return bind_overload(node, std::move(args), op);
}

Bound Binder::bind_comparison(Function function, const Node& node, Bound left, Bound right) {
  std::vector<Bound> sides = {std::move(left), std::move(right)};
  Type type = common_type(sides, fmt::format("the sides of {}", to_string(function)), mistakes_);
  if (type == Type::kJson) return fail(node.offset, "json values do not compare: cast them to text");
  Expr a = coerce(std::move(sides[0]), type, mistakes_);
  return call(function, Type::kBool, node.offset, list(std::move(a), coerce(std::move(sides[1]), type, mistakes_)));
}

Bound Binder::bind_logic(const Node& node, std::vector<Bound> args) {
  if (node.text == "not") return negated_if(true, std::move(args[0]), node.offset);
  Function function = node.text == "and" ? Function::kAnd : Function::kOr;
  std::string_view what = node.text == "and" ? "each side of AND" : "each side of OR";
  std::vector<Expr> terms;
  for (Bound& arg : args) terms.push_back(condition(std::move(arg), what));
  while (terms.size() > 1) {  // A tree of pairs, so that long lists do not nest deeply.
    std::vector<Expr> pairs;
    for (size_t i = 0; i + 1 < terms.size(); i += 2) {
      pairs.push_back(
          call(function, Type::kBool, node.offset, list(std::move(terms[i]), std::move(terms[i + 1]))).expr);
    }
    if (terms.size() % 2 == 1) pairs.push_back(std::move(terms.back()));
    terms = std::move(pairs);
  }
  return {std::move(terms[0])};
}

/// IS [NOT] NULL, TRUE, FALSE and UNKNOWN; the last three by coalesce.
Bound Binder::bind_truth_test(const Node& node, Bound arg) {
  bool negated = node.text.starts_with("is not ");
  std::string_view test = std::string_view(node.text).substr(negated ? 7 : 3);
  if (test != "null") arg = {condition(std::move(arg), fmt::format("what IS {} tests", test))};
  if (test == "null" || test == "unknown") {
    Function function = negated ? Function::kIsNotNull : Function::kIsNull;
    Type type = arg.expr.type;
    return call(function, Type::kBool, node.offset, list(coerce(std::move(arg), type, mistakes_)));
  }
  bool wants_true = test == "true";
  Expr other = literal(Type::kBool, !wants_true, node.offset);
  Bound known = call(Function::kCoalesce, Type::kBool, node.offset, list(std::move(arg.expr), std::move(other)));
  return negated_if(negated == wants_true, std::move(known), node.offset);
}

/// CASE WHEN a IS NULL THEN b IS NOT NULL WHEN b IS NULL THEN true ELSE a <> b END.
Bound Binder::bind_distinct(const Node& node, Bound left, Bound right) {
  auto test = [&](Function function, const Bound& value) {
    return call(function, Type::kBool, node.offset, list(copy(value).expr)).expr;
  };
  Expr choice{.kind = Expr::Kind::kCase, .type = Type::kBool, .offset = node.offset};
  choice.args.push_back(test(Function::kIsNull, left));
  choice.args.push_back(test(Function::kIsNotNull, right));
  choice.args.push_back(test(Function::kIsNull, right));
  choice.args.push_back(literal(Type::kBool, true, node.offset));
  choice.args.push_back(bind_comparison(Function::kNotEqual, node, std::move(left), std::move(right)).expr);
  return negated_if(node.text == "is not distinct from", {std::move(choice)}, node.offset);
}

Bound Binder::bind_between(const Node& node, std::vector<Bound> args) {
  Bound again = copy(args[0]);
  Bound low = bind_comparison(Function::kGreaterEqual, node, std::move(args[0]), std::move(args[1]));
  Bound high = bind_comparison(Function::kLessEqual, node, std::move(again), std::move(args[2]));
  Bound both = call(Function::kAnd, Type::kBool, node.offset, list(std::move(low.expr), std::move(high.expr)));
  return negated_if(node.text != "between", std::move(both), node.offset);
}

Bound Binder::bind_in(const Node& node, std::vector<Bound> args) {
  Type type = common_type(args, "the values of IN", mistakes_);
  if (type == Type::kJson) return fail(node.offset, "json values do not compare: cast them to text");
  std::vector<Expr> values;
  for (Bound& arg : args) values.push_back(coerce(std::move(arg), type, mistakes_));
  return negated_if(node.text != "in", call(Function::kIn, Type::kBool, node.offset, std::move(values)), node.offset);
}

Bound Binder::bind_like(const Node& node, std::vector<Bound> args) {
  std::string_view positive = without_not(node.text);
  for (const Bound& arg : args) {
    if (!fits(arg, Type::kText)) {
      return fail(arg.expr.offset, fmt::format("LIKE takes text, and this is {}", columns::to_string(arg.expr.type)));
    }
  }
  Function function = positive == "like" ? Function::kLike : Function::kILike;
  Expr text = coerce(std::move(args[0]), Type::kText, mistakes_);
  Bound matched = call(function, Type::kBool, node.offset,
                       list(std::move(text), coerce(std::move(args[1]), Type::kText, mistakes_)));
  return negated_if(positive != node.text, std::move(matched), node.offset);
}

Bound Binder::bind_function(const Node& node, Scope& scope) {
  if (node.text == "pi" && node.args.empty()) return {literal(Type::kDouble, std::numbers::pi, node.offset)};
  if (node.text == "now" || node.text == "clock_timestamp") {
    return fail(node.offset,
                "the current time is not supported, it would differ when records are read again: use "
                "_timestamp, the time of the record");
  }
  if (node.text == "hop" || node.text == "session" || node.text == "tumble") {
    return fail(node.offset, node.text == "tumble"
                                 ? "tumble(...) stands in GROUP BY; use window_start and window_end here"
                                 : fmt::format("{} windows are not supported: use tumble(...)", node.text));
  }
  if (!node.filter.empty())
    return fail(node.offset, fmt::format("FILTER belongs to an aggregate, and {} is none", node.text));
  if (node.star_argument) return fail(node.offset, fmt::format("only count takes *, not {}", node.text));
  std::vector<Bound> args = bind_all(node.args, scope);
  if (mistakes_.any()) return {literal(Type::kText, {}, node.offset)};
  if (node.text == "concat") {
    for (Bound& arg : args) {
      if (!fits(arg, Type::kText)) arg = {explicit_cast(std::move(arg), Type::kText, node.offset, mistakes_)};
    }
  }
  return bind_overload(node, std::move(args), node.text);
}

Bound Binder::bind_overload(const Node& node, std::vector<Bound> args, std::string_view name) {
  const FunctionSpec* best = nullptr;
  int best_distance = 0;
  std::string signatures;
  for (const FunctionSpec& spec : function_table()) {
    if (spec.name != name) continue;
    signatures.append(signatures.empty() ? "" : "; ").append(signature(spec));
    std::optional<int> far = distance(args, spec);
    if (!far || (best && *far >= best_distance)) continue;
    best = &spec;
    best_distance = *far;
  }
  if (best) return build_call(*best, node, std::move(args));
  if (node.kind == Node::Kind::kOperator) {
    if (signatures.empty()) return fail(node.offset, fmt::format("operator {} is not supported", name));
    return fail(node.offset,
                fmt::format("operator {} does not take {}; there are {}", name, type_list(args), signatures));
  }
  if (signatures.empty()) {
    return fail(node.offset, fmt::format("there is no function \"{}\"{}", name, did_you_mean(name, function_names())));
  }
  return fail(node.offset, fmt::format("{} does not take ({}); there is {}", name, type_list(args), signatures));
}

Bound Binder::build_call(const FunctionSpec& spec, const Node& node, std::vector<Bound> args) {
  if (is_unit(spec.params[0])) return bind_time_function(spec, node, std::move(args));
  Type common = Type::kText;
  if (spec.params[0] == ParamType::kAny) {
    common = common_type(args, fmt::format("the arguments of {}", spec.name), mistakes_);
    if (common == Type::kJson && spec.function != Function::kCoalesce) {
      return fail(node.offset, "json values do not compare: cast them to text");
    }
  }
  auto type_of = [&](ParamType param) { return param == ParamType::kAny ? common : static_cast<Type>(param); };
  std::vector<Expr> values;
  for (size_t i = 0; i < args.size(); ++i) {
    values.push_back(coerce(std::move(args[i]), type_of(param_at(spec, i)), mistakes_));
  }
  if (spec.function == Function::kNegate && values[0].kind == Expr::Kind::kLiteral) {
    if (auto* number = std::get_if<double>(&values[0].value)) return {literal(values[0].type, -*number, node.offset)};
  }
  return call(spec.function, type_of(spec.result), node.offset, std::move(values));
}

/// extract and date_trunc: the unit is known now.
Bound Binder::bind_time_function(const FunctionSpec& spec, const Node& node, std::vector<Bound> args) {
  const std::string& name = std::get<std::string>(args[0].expr.value);
  std::optional<TimeUnit> unit = parse_time_unit(name);
  if (!unit) return fail(args[0].expr.offset, fmt::format("\"{}\" is not a unit or field of time", name));
  if (spec.function == Function::kDateTrunc && *unit >= TimeUnit::kEpoch) {
    return fail(args[0].expr.offset,
                fmt::format("date_trunc does not take \"{}\": only units, millisecond to year", name));
  }
  if (spec.params[1] == ParamType::kInterval && *unit != TimeUnit::kEpoch) {
    return fail(args[0].expr.offset, "of an interval only epoch can be extracted: its length in seconds");
  }
  Expr value = coerce(std::move(args[1]), static_cast<Type>(spec.params[1]), mistakes_);
  Bound bound = call(spec.function, static_cast<Type>(spec.result), node.offset, list(std::move(value)));
  bound.expr.unit = *unit;
  return bound;
}

Bound Binder::bind_case(const Node& node, Scope& scope) {
  bool has_operand = node.integer != 0;
  std::optional<Bound> operand;
  if (has_operand) operand = bind(node.args[0], scope);
  std::vector<Expr> whens;
  std::vector<Bound> results;
  size_t at = has_operand ? 1 : 0;
  for (; at + 1 < node.args.size() && !mistakes_.any(); at += 2) {
    Bound when = bind(node.args[at], scope);
    if (operand) when = bind_comparison(Function::kEqual, node.args[at], copy(*operand), std::move(when));
    whens.push_back(condition(std::move(when), "WHEN"));
    results.push_back(bind(node.args[at + 1], scope));
  }
  results.push_back(bind(node.args.back(), scope));
  if (mistakes_.any()) return {literal(Type::kText, {}, node.offset)};
  Type type = common_type(results, "the branches of CASE", mistakes_);
  Expr choice{.kind = Expr::Kind::kCase, .type = type, .offset = node.offset};
  for (size_t i = 0; i < results.size(); ++i) {
    if (i < whens.size()) choice.args.push_back(std::move(whens[i]));
    choice.args.push_back(coerce(std::move(results[i]), type, mistakes_));
  }
  return {std::move(choice)};
}

Bound Binder::bind_cast(const Node& node, Scope& scope) {
  Bound value = bind(node.args[0], scope);
  std::optional<Type> type = node.text == "interval" ? Type::kInterval : columns::parse_type(node.text);
  if (!type) {
    return fail(node.offset,
                fmt::format("type \"{}\" is not supported; there are {}", node.text, columns::type_names()));
  }
  return {explicit_cast(std::move(value), *type, node.offset, mistakes_)};
}

Expr Binder::condition(Bound value, std::string_view what) {
  if (fits(value, Type::kBool)) return coerce(std::move(value), Type::kBool, mistakes_);
  mistakes_.add(value.expr.offset,
                fmt::format("{} must be true or false, and this is {}", what, columns::to_string(value.expr.type)));
  return literal(Type::kBool, {}, value.expr.offset);
}

Bound Binder::copy(const Bound& value) {
  nodes_ += count_nodes(value.expr);
  if (nodes_ <= kExprNodesMax) return value;
  return fail(value.expr.offset, "the expressions are too large");
}

Bound Binder::call(Function function, Type type, int offset, std::vector<Expr> args) {
  return {{.kind = Expr::Kind::kCall, .type = type, .offset = offset, .function = function, .args = std::move(args)}};
}

Bound Binder::negated_if(bool negated, Bound value, int offset) {
  if (!negated) return value;
  return call(Function::kNot, Type::kBool, offset, list(condition(std::move(value), "what NOT turns round")));
}

Bound Binder::fail(int offset, std::string message) {
  mistakes_.add(offset, std::move(message));
  return {literal(Type::kText, {}, offset), true};
}

}  // namespace headrace::sql
