// Plans as text.
#include <fmt/format.h>

#include "base/check.h"
#include "columns/timestamp.h"
#include "sql/functions.h"
#include "sql/plan.h"

namespace headrace::sql {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string explain_literal(const Expr& expr) {
  if (std::holds_alternative<std::monostate>(expr.value)) return fmt::format("null::{}", columns::to_string(expr.type));
  if (auto* truth = std::get_if<bool>(&expr.value)) return *truth ? "true" : "false";
  if (auto* text = std::get_if<std::string>(&expr.value)) return quoted(*text);
  if (auto* number = std::get_if<double>(&expr.value)) return fmt::format("{}", *number);
  int64_t whole = std::get<int64_t>(expr.value);
  if (expr.type == Type::kInterval) return fmt::format("interval '{} ms'", whole);
  if (expr.type == Type::kTimestamp) return fmt::format("timestamp '{}'", columns::format_timestamp(whole));
  return fmt::format("{}", whole);
}

std::string explain_case(const Expr& expr, const columns::Schema& schema) {
  std::string out = "case";
  size_t at = 0;
  for (; at + 1 < expr.args.size(); at += 2) {
    out += fmt::format(" when {} then {}", explain(expr.args[at], schema), explain(expr.args[at + 1], schema));
  }
  return out + fmt::format(" else {} end", explain(expr.args[at], schema));
}

std::string explain_call(const Expr& expr, const columns::Schema& schema) {
  std::string args;
  if (expr.function == Function::kExtract || expr.function == Function::kDateTrunc) {
    args = std::string(to_string(expr.unit)) + ", ";
  }
  for (size_t i = 0; i < expr.args.size(); ++i) args.append(i == 0 ? "" : ", ").append(explain(expr.args[i], schema));
  return fmt::format("{}({})", expr.function == Function::kNegate ? "negate" : to_string(expr.function), args);
}

std::string explain_aggregate_call(const AggregateCall& call, const columns::Schema& input) {
  std::string out = fmt::format("{}({})", to_string(call.function), call.arg ? explain(*call.arg, input) : "*");
  if (call.filter) out += fmt::format(" where {}", explain(*call.filter, input));
  return out;
}

}  // namespace

bool Expr::same_as(const Expr& other) const {
  if (kind != other.kind || type != other.type || column != other.column || value != other.value ||
      function != other.function || unit != other.unit || args.size() != other.args.size()) {
    return false;
  }
  for (size_t i = 0; i < args.size(); ++i) {
    if (!args[i].same_as(other.args[i])) return false;
  }
  return true;
}

std::string explain(const Expr& expr, const columns::Schema& schema) {
  switch (expr.kind) {
    case Expr::Kind::kColumn: return schema[expr.column].name;
    case Expr::Kind::kLiteral: return explain_literal(expr);
    case Expr::Kind::kCall: return explain_call(expr, schema);
    case Expr::Kind::kCase: return explain_case(expr, schema);
    case Expr::Kind::kCast: return fmt::format("{}::{}", explain(expr.args[0], schema), columns::to_string(expr.type));
  }
  CHECK(false);
}

std::string explain(const Plan& plan) {
  std::string out = fmt::format("source {}:", plan.source);
  for (const columns::Column& column : plan.input)
    out += fmt::format(" {} {},", column.name, columns::to_string(column.type));
  if (!plan.input.empty()) out.pop_back();
  out += "\n";
  if (plan.filter) out += fmt::format("filter {}\n", explain(*plan.filter, plan.input));
  if (plan.aggregate) {
    const Aggregate& aggregate = *plan.aggregate;
    out += fmt::format("window tumble {} ms of {}\n", aggregate.window.size_ms,
                       plan.input[aggregate.window.time_column].name);
    for (size_t i = 0; i < aggregate.keys.size(); ++i) {
      out += fmt::format("key {} = {}\n", aggregate.row[i].name, explain(aggregate.keys[i], plan.input));
    }
    for (size_t i = 0; i < aggregate.calls.size(); ++i) {
      out += fmt::format("aggregate {} = {}\n", aggregate.row[aggregate.call_column(i)].name,
                         explain_aggregate_call(aggregate.calls[i], plan.input));
    }
  }
  const columns::Schema& rows = plan.aggregate ? plan.aggregate->row : plan.input;
  if (plan.having) out += fmt::format("having {}\n", explain(*plan.having, rows));
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    out += fmt::format("output {} {} = {}\n", plan.outputs[i].name, columns::to_string(plan.output[i].type),
                       explain(plan.outputs[i].expr, rows));
  }
  return out;
}

}  // namespace headrace::sql
