// Mathematics on double, and abs, round, sign of bigint. What is outside of a function's domain fails the row.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "base/check.h"
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;

/// A function of one double that gives NaN (for an argument that is not) outside of its domain and infinity when the
/// result does not fit.
template <typename F>
NodePtr checked(Nodes args, std::string_view name, F f) {
  return try_rows<double, double>(
      Type::kDouble, std::move(args), [f, name](EvalContext& context, size_t row, double& out, double a) {
        out = f(a);
        if (std::isfinite(out) || !std::isfinite(a)) return true;
        return context.fail(row, fmt::format("{}({}) is not a number that fits", name, a)), false;
      });
}
template <typename F>
NodePtr checked2(Nodes args, std::string_view name, F f) {
  return try_rows<double, double, double>(
      Type::kDouble, std::move(args), [f, name](EvalContext& context, size_t row, double& out, double a, double b) {
        out = f(a, b);
        if (std::isfinite(out) || !std::isfinite(a) || !std::isfinite(b)) return true;
        return context.fail(row, fmt::format("{}({}, {}) is not a number that fits", name, a, b)), false;
      });
}
template <typename F>
NodePtr mapped(Nodes args, F f) {
  return map_rows<double, double>(Type::kDouble, std::move(args), f);
}

/// Halves away from zero. Scales by a power of ten and back; what is too large to have decimals stays as it is.
double round_to(double value, int64_t decimals) {
  if (!std::isfinite(value) || decimals > 300) return value;
  if (decimals < -308) return 0;
  double scale = std::pow(10.0, static_cast<double>(std::abs(decimals)));
  double scaled = decimals >= 0 ? value * scale : value / scale;
  if (!std::isfinite(scaled) || std::abs(scaled) >= 9007199254740992.0) return value;
  double rounded = std::round(scaled);
  return decimals >= 0 ? rounded / scale : rounded * scale;
}

NodePtr make_round(Nodes args) {
  if (args.size() == 1) return mapped(std::move(args), [](double a) { return std::round(a); });
  return map_rows<double, double, int64_t>(Type::kDouble, std::move(args), round_to);
}

NodePtr integers(Function function, Nodes args) {
  switch (function) {
    case Function::kAbs:
      return try_rows<int64_t, int64_t>(Type::kInt64, std::move(args),
                                        [](EvalContext& context, size_t row, int64_t& out, int64_t a) {
                                          if (a == std::numeric_limits<int64_t>::min()) {
                                            return context.fail(row, "bigint out of range"), false;
                                          }
                                          out = a < 0 ? -a : a;
                                          return true;
                                        });
    case Function::kSign:
      return map_rows<int64_t, int64_t>(Type::kInt64, std::move(args), [](int64_t a) { return (a > 0) - (a < 0); });
    default:  // round, floor, ceil and trunc of a whole number are that number
      return std::move(args[0]);
  }
}

double sign(double a) { return std::isnan(a) ? a : static_cast<double>((a > 0) - (a < 0)); }

}  // namespace

NodePtr make_math(Function function, Type type, Nodes args) {
  if (type == Type::kInt64) return integers(function, std::move(args));
  switch (function) {
    case Function::kAbs: return mapped(std::move(args), [](double a) { return std::abs(a); });
    case Function::kRound: return make_round(std::move(args));
    case Function::kFloor: return mapped(std::move(args), [](double a) { return std::floor(a); });
    case Function::kCeil: return mapped(std::move(args), [](double a) { return std::ceil(a); });
    case Function::kTruncate: return mapped(std::move(args), [](double a) { return std::trunc(a); });
    case Function::kSign: return mapped(std::move(args), sign);
    case Function::kSqrt: return checked(std::move(args), "sqrt", [](double a) { return std::sqrt(a); });
    case Function::kPower: return checked2(std::move(args), "power", [](double a, double b) { return std::pow(a, b); });
    case Function::kLn: return checked(std::move(args), "ln", [](double a) { return std::log(a); });
    case Function::kLog10: return checked(std::move(args), "log", [](double a) { return std::log10(a); });
    case Function::kExp: return checked(std::move(args), "exp", [](double a) { return std::exp(a); });
    case Function::kSin: return mapped(std::move(args), [](double a) { return std::sin(a); });
    case Function::kCos: return mapped(std::move(args), [](double a) { return std::cos(a); });
    case Function::kTan: return mapped(std::move(args), [](double a) { return std::tan(a); });
    case Function::kAsin: return checked(std::move(args), "asin", [](double a) { return std::asin(a); });
    case Function::kAcos: return checked(std::move(args), "acos", [](double a) { return std::acos(a); });
    case Function::kAtan: return mapped(std::move(args), [](double a) { return std::atan(a); });
    case Function::kAtan2:
      return map_rows<double, double, double>(type, std::move(args),
                                              [](double a, double b) { return std::atan2(a, b); });
    case Function::kRadians: return mapped(std::move(args), [](double a) { return a * std::numbers::pi / 180.0; });
    case Function::kDegrees: return mapped(std::move(args), [](double a) { return a * 180.0 / std::numbers::pi; });
    default: break;
  }
  CHECK(!"a mathematical function");
  return nullptr;
}

}  // namespace headrace::stream
