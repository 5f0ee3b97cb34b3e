// + - * / % and negation on bigint, double, timestamp and interval.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/check.h"
#include "columns/timestamp.h"
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;

bool overflow(EvalContext& context, size_t row, Type type) {
  context.fail(row, fmt::format("{} out of range", to_string(type)));
  return false;
}

bool in_range(Type type, int64_t value) {
  return type != Type::kTimestamp || (value >= columns::kTimestampMinMs && value <= columns::kTimestampMaxMs);
}

/// Integers with the check that `compute` makes: true on overflow, as the compiler's builtins say it.
template <typename F>
NodePtr checked(Type type, Nodes args, F compute) {
  return try_rows<int64_t, int64_t, int64_t>(
      type, std::move(args), [type, compute](EvalContext& context, size_t row, int64_t& out, int64_t a, int64_t b) {
        if (compute(a, b, &out) || !in_range(type, out)) return overflow(context, row, type);
        return true;
      });
}

template <typename F>
NodePtr divided(Type type, Nodes args, F compute) {
  return try_rows<int64_t, int64_t, int64_t>(
      type, std::move(args), [type, compute](EvalContext& context, size_t row, int64_t& out, int64_t a, int64_t b) {
        if (b == 0) return context.fail(row, "division by zero"), false;
        if (b == -1 && a == std::numeric_limits<int64_t>::min()) return overflow(context, row, type);
        out = compute(a, b);
        return true;
      });
}

NodePtr integers(Function function, Type type, Nodes args) {
  switch (function) {
    case Function::kAdd:
      return checked(type, std::move(args),
                     [](int64_t a, int64_t b, int64_t* out) { return __builtin_add_overflow(a, b, out); });
    case Function::kSubtract:
      return checked(type, std::move(args),
                     [](int64_t a, int64_t b, int64_t* out) { return __builtin_sub_overflow(a, b, out); });
    case Function::kMultiply:
      return checked(type, std::move(args),
                     [](int64_t a, int64_t b, int64_t* out) { return __builtin_mul_overflow(a, b, out); });
    case Function::kDivide: return divided(type, std::move(args), [](int64_t a, int64_t b) { return a / b; });
    default: return divided(type, std::move(args), [](int64_t a, int64_t b) { return a % b; });
  }
}

NodePtr doubles(Function function, Nodes args) {
  auto by_zero = [](EvalContext& context, size_t row) { return context.fail(row, "division by zero"), false; };
  switch (function) {
    case Function::kAdd:
      return map_rows<double, double, double>(Type::kDouble, std::move(args), [](double a, double b) { return a + b; });
    case Function::kSubtract:
      return map_rows<double, double, double>(Type::kDouble, std::move(args), [](double a, double b) { return a - b; });
    case Function::kMultiply:
      return map_rows<double, double, double>(Type::kDouble, std::move(args), [](double a, double b) { return a * b; });
    case Function::kDivide:
      return try_rows<double, double, double>(
          Type::kDouble, std::move(args), [by_zero](EvalContext& context, size_t row, double& out, double a, double b) {
            if (b == 0) return by_zero(context, row);
            out = a / b;
            return true;
          });
    default:
      return try_rows<double, double, double>(
          Type::kDouble, std::move(args), [by_zero](EvalContext& context, size_t row, double& out, double a, double b) {
            if (b == 0) return by_zero(context, row);
            out = std::fmod(a, b);
            return true;
          });
  }
}

/// interval * factor, factor * interval and interval / divisor, rounded to the millisecond.
NodePtr scaled_interval(Function function, Nodes args) {
  if (args[0]->type() != Type::kInterval) std::swap(args[0], args[1]);
  bool divide = function == Function::kDivide;
  auto scale = [divide](EvalContext& context, size_t row, int64_t& out, int64_t interval, double factor) {
    if (divide && factor == 0) return context.fail(row, "division by zero"), false;
    double scaled = divide ? static_cast<double>(interval) / factor : static_cast<double>(interval) * factor;
    if (!(std::abs(scaled) < 9.2e18)) return overflow(context, row, Type::kInterval);
    out = std::llrint(scaled);
    return true;
  };
  if (args[1]->type() == Type::kDouble) {
    return try_rows<int64_t, int64_t, double>(Type::kInterval, std::move(args), scale);
  }
  return try_rows<int64_t, int64_t, int64_t>(
      Type::kInterval, std::move(args),
      [scale](EvalContext& context, size_t row, int64_t& out, int64_t interval, int64_t factor) {
        return scale(context, row, out, interval, static_cast<double>(factor));
      });
}

NodePtr negated(Type type, Nodes args) {
  if (type == Type::kDouble) return map_rows<double, double>(type, std::move(args), [](double a) { return -a; });
  return try_rows<int64_t, int64_t>(type, std::move(args),
                                    [type](EvalContext& context, size_t row, int64_t& out, int64_t a) {
                                      if (__builtin_sub_overflow(int64_t{0}, a, &out))
                                        return overflow(context, row, type);
                                      return true;
                                    });
}

}  // namespace

NodePtr make_arithmetic(Function function, Type type, Nodes args) {
  if (function == Function::kNegate) return negated(type, std::move(args));
  CHECK(args.size() == 2);
  if (type == Type::kDouble) return doubles(function, std::move(args));
  bool scales = type == Type::kInterval && (function == Function::kMultiply || function == Function::kDivide);
  if (scales) return scaled_interval(function, std::move(args));
  return integers(function, type, std::move(args));
}

}  // namespace headrace::stream
