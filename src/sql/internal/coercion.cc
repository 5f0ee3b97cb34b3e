#include "sql/internal/coercion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "columns/timestamp.h"
#include "sql/functions.h"
#include "sql/internal/interval.h"

namespace headrace::sql {

namespace {

std::string trimmed_lower(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

std::optional<Value> parse_bool(const std::string& text) {
  for (std::string_view word : {"true", "t", "yes", "on", "1"}) {
    if (text == word) return Value(true);
  }
  for (std::string_view word : {"false", "f", "no", "off", "0"}) {
    if (text == word) return Value(false);
  }
  return std::nullopt;
}

template <typename T>
std::optional<Value> parse_number(const std::string& text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Value(value);
}

/// A text literal as a value of `type`; nothing when it does not have the form.
std::optional<Value> parse_literal(const std::string& text, Type type) {
  std::string plain = trimmed_lower(text);
  switch (type) {
    case Type::kBool: return parse_bool(plain);
    case Type::kInt64: return parse_number<int64_t>(plain);
    case Type::kDouble: return parse_number<double>(plain);
    case Type::kText: return Value(text);
    case Type::kTimestamp:
      if (auto ms = columns::parse_timestamp(plain)) return Value(*ms);
      return std::nullopt;
    case Type::kInterval:
    case Type::kJson: return std::nullopt;
  }
  return std::nullopt;
}

Expr literal_from_text(const Expr& text, Type type, Mistakes& mistakes) {
  const std::string& words = std::get<std::string>(text.value);
  if (type == Type::kInterval) {
    Result<int64_t> ms = parse_interval(words);
    if (!ms.ok()) mistakes.add(text.offset, ms.error().message);
    return literal(type, ms.ok() ? *ms : 0, text.offset);
  }
  std::optional<Value> value = parse_literal(words, type);
  std::string_view form = type == Type::kTimestamp ? " (2026-01-31 08:00:00, or RFC 3339)" : "";
  if (!value) mistakes.add(text.offset, fmt::format("'{}' is not a {}{}", words, columns::to_string(type), form));
  return literal(type, value ? *value : Value(), text.offset);
}

}  // namespace

Expr literal(Type type, Value value, int offset) {
  return {.kind = Expr::Kind::kLiteral, .type = type, .offset = offset, .value = std::move(value)};
}

bool fits(const Bound& value, Type target) {
  return value.expr.type == target || (value.open && (value.is_null() || target != Type::kJson)) ||
         (value.expr.type == Type::kInt64 && target == Type::kDouble);
}

Expr coerce(Bound value, Type target, Mistakes& mistakes) {
  Expr& expr = value.expr;
  if (expr.type == target) return std::move(expr);
  if (value.is_null()) return literal(target, {}, expr.offset);
  if (value.open) return literal_from_text(expr, target, mistakes);
  if (expr.kind == Expr::Kind::kLiteral && target == Type::kDouble && expr.type == Type::kInt64) {
    return literal(target, static_cast<double>(std::get<int64_t>(expr.value)), expr.offset);
  }
  int offset = expr.offset;
  Expr cast{.kind = Expr::Kind::kCast, .type = target, .offset = offset};
  cast.args.push_back(std::move(expr));
  return cast;
}

Type common_type(const std::vector<Bound>& values, std::string_view what, Mistakes& mistakes) {
  std::optional<Type> common;
  for (const Bound& value : values) {
    if (value.open) continue;
    Type type = value.expr.type;
    bool widens = common == Type::kInt64 && type == Type::kDouble;
    if (!common || widens) {
      common = type;
    } else if (!fits(value, *common)) {
      mistakes.add(value.expr.offset, fmt::format("{} do not go together: {} and {}", what, columns::to_string(*common),
                                                  columns::to_string(type)));
    }
  }
  return common.value_or(Type::kText);
}

Expr explicit_cast(Bound value, Type target, int offset, Mistakes& mistakes) {
  Type from = value.expr.type;
  if (fits(value, target)) {
    Expr expr = coerce(std::move(value), target, mistakes);
    expr.offset = offset;
    return expr;
  }
  if (!can_cast(from, target)) {
    mistakes.add(offset,
                 fmt::format("there is no cast from {} to {}", columns::to_string(from), columns::to_string(target)));
    return literal(target, {}, offset);
  }
  Expr cast{.kind = Expr::Kind::kCast, .type = target, .offset = offset};
  cast.args.push_back(std::move(value.expr));
  return cast;
}

}  // namespace headrace::sql
