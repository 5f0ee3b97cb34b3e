#include "sql/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/check.h"

namespace headrace::sql {

namespace {

constexpr ParamType kB = ParamType::kBool, kI = ParamType::kInt64, kD = ParamType::kDouble, kT = ParamType::kText,
                    kS = ParamType::kTimestamp, kV = ParamType::kInterval, kA = ParamType::kAny, kU = ParamType::kUnit;

struct Params {
  std::array<ParamType, FunctionSpec::kParamsMax> types{};
  uint8_t count = 0;
  uint8_t required = 0;
  bool variadic = false;
};

template <typename... T>
constexpr Params of(T... types) {
  return {{types...}, sizeof...(T), sizeof...(T)};
}
constexpr Params optional_last(Params params) {
  --params.required;
  return params;
}
constexpr Params repeated_last(Params params) {
  params.variadic = true;
  return params;
}

constexpr FunctionSpec spec(std::string_view category, std::string_view name, Function function, Params params,
                            ParamType result, std::string_view help = {}) {
  return {category, name, function, params.types, params.count, params.required, params.variadic, result, help};
}

constexpr std::string_view kArithmetic = "Arithmetic";
constexpr std::string_view kConditional = "Conditional";
constexpr std::string_view kString = "Text";
constexpr std::string_view kTime = "Time";
constexpr std::string_view kMath = "Mathematics";

constexpr FunctionSpec kFunctions[] = {
    spec(kArithmetic, "+", Function::kAdd, of(kI, kI), kI, "Sum; NULL where a bigint overflows."),
    spec(kArithmetic, "+", Function::kAdd, of(kD, kD), kD),
    spec(kArithmetic, "+", Function::kAdd, of(kS, kV), kS),
    spec(kArithmetic, "+", Function::kAdd, of(kV, kS), kS),
    spec(kArithmetic, "+", Function::kAdd, of(kV, kV), kV),
    spec(kArithmetic, "-", Function::kSubtract, of(kI, kI), kI, "Difference."),
    spec(kArithmetic, "-", Function::kSubtract, of(kD, kD), kD),
    spec(kArithmetic, "-", Function::kSubtract, of(kS, kS), kV),
    spec(kArithmetic, "-", Function::kSubtract, of(kS, kV), kS),
    spec(kArithmetic, "-", Function::kSubtract, of(kV, kV), kV),
    spec(kArithmetic, "-", Function::kNegate, of(kI), kI),
    spec(kArithmetic, "-", Function::kNegate, of(kD), kD),
    spec(kArithmetic, "-", Function::kNegate, of(kV), kV),
    spec(kArithmetic, "*", Function::kMultiply, of(kI, kI), kI, "Product."),
    spec(kArithmetic, "*", Function::kMultiply, of(kD, kD), kD),
    spec(kArithmetic, "*", Function::kMultiply, of(kV, kD), kV),
    spec(kArithmetic, "*", Function::kMultiply, of(kD, kV), kV),
    spec(kArithmetic, "/", Function::kDivide, of(kI, kI), kI,
         "Quotient; of two bigints cut towards zero. Division by zero gives NULL."),
    spec(kArithmetic, "/", Function::kDivide, of(kD, kD), kD),
    spec(kArithmetic, "/", Function::kDivide, of(kV, kD), kV),
    spec(kArithmetic, "%", Function::kModulo, of(kI, kI), kI, "Remainder, with the sign of the first; NULL by zero."),
    spec(kArithmetic, "%", Function::kModulo, of(kD, kD), kD),
    spec(kArithmetic, "mod", Function::kModulo, of(kI, kI), kI, "The same as %."),
    spec(kArithmetic, "mod", Function::kModulo, of(kD, kD), kD),

    spec(kConditional, "coalesce", Function::kCoalesce, repeated_last(of(kA)), kA,
         "The first argument that is not NULL."),
    spec(kConditional, "nullif", Function::kNullIf, of(kA, kA), kA, "NULL where both are equal, else the first."),
    spec(kConditional, "greatest", Function::kGreatest, repeated_last(of(kA)), kA,
         "The largest argument; NULLs are passed over."),
    spec(kConditional, "least", Function::kLeast, repeated_last(of(kA)), kA,
         "The smallest argument; NULLs are passed over."),

    spec(kString, "||", Function::kConcatOperator, of(kT, kT), kT,
         "Both texts, one after the other; NULL when one is."),
    spec(kString, "concat", Function::kConcat, repeated_last(of(kT)), kT,
         "All arguments one after the other; NULL counts as empty, other types are cast to text."),
    spec(kString, "lower", Function::kLower, of(kT), kT, "ASCII letters in lower case."),
    spec(kString, "upper", Function::kUpper, of(kT), kT, "ASCII letters in upper case."),
    spec(kString, "length", Function::kLength, of(kT), kI, "Number of characters."),
    spec(kString, "char_length", Function::kLength, of(kT), kI, "The same as length."),
    spec(kString, "substring", Function::kSubstring, optional_last(of(kT, kI, kI)), kT,
         "From a position (the first is 1), so many characters or all that follow; also substring(x from 1 for 2)."),
    spec(kString, "substr", Function::kSubstring, optional_last(of(kT, kI, kI)), kT, "The same as substring."),
    spec(kString, "left", Function::kLeft, of(kT, kI), kT,
         "The first n characters; with a negative n all but the last -n."),
    spec(kString, "right", Function::kRight, of(kT, kI), kT,
         "The last n characters; with a negative n all but the first -n."),
    spec(kString, "trim", Function::kTrim, optional_last(of(kT, kT)), kT,
         "Without the given characters (spaces) at both ends; also trim(both 'x' from y)."),
    spec(kString, "btrim", Function::kTrim, optional_last(of(kT, kT)), kT, "The same as trim."),
    spec(kString, "ltrim", Function::kTrimLeft, optional_last(of(kT, kT)), kT, "The same at the start only."),
    spec(kString, "rtrim", Function::kTrimRight, optional_last(of(kT, kT)), kT, "The same at the end only."),
    spec(kString, "replace", Function::kReplace, of(kT, kT, kT), kT,
         "With each occurrence of the second as the third."),
    spec(kString, "strpos", Function::kPosition, of(kT, kT), kI,
         "Where the second starts in the first, from 1; 0 where it does not. Also position('x' in y)."),
    spec(kString, "starts_with", Function::kStartsWith, of(kT, kT), kB, "Whether the first begins with the second."),

    spec(kTime, "extract", Function::kExtract, of(kU, kS), kD,
         "A field of a time in UTC, as extract(hour from t): millisecond, second, minute, hour, day, week, month, "
         "quarter, year, dow (0 is Sunday), isodow (1 is Monday), doy, epoch; epoch also of an interval, in seconds."),
    spec(kTime, "extract", Function::kExtract, of(kU, kV), kD),
    spec(kTime, "date_part", Function::kExtract, of(kU, kS), kD, "The same as extract, as date_part('hour', t)."),
    spec(kTime, "date_part", Function::kExtract, of(kU, kV), kD),
    spec(kTime, "date_trunc", Function::kDateTrunc, of(kU, kS), kS,
         "The start of the unit that holds the time: date_trunc('hour', t); millisecond to year, week from Monday."),
    spec(kTime, "to_timestamp", Function::kToTimestamp, of(kD), kS, "Seconds since 1970 as a timestamp."),

    spec(kMath, "abs", Function::kAbs, of(kI), kI, "Without the sign."),
    spec(kMath, "abs", Function::kAbs, of(kD), kD),
    spec(kMath, "round", Function::kRound, optional_last(of(kD, kI)), kD,
         "To so many decimals (0; negative ones round before the point), halves away from zero."),
    spec(kMath, "floor", Function::kFloor, of(kD), kD, "The largest whole number not above."),
    spec(kMath, "ceil", Function::kCeil, of(kD), kD, "The smallest whole number not below."),
    spec(kMath, "ceiling", Function::kCeil, of(kD), kD, "The same as ceil."),
    spec(kMath, "trunc", Function::kTruncate, of(kD), kD, "Cut towards zero."),
    spec(kMath, "sign", Function::kSign, of(kD), kD, "-1, 0 or 1."),
    spec(kMath, "sqrt", Function::kSqrt, of(kD), kD, "Square root."),
    spec(kMath, "power", Function::kPower, of(kD, kD), kD, "The first to the power of the second; also ^."),
    spec(kMath, "pow", Function::kPower, of(kD, kD), kD, "The same as power."),
    spec(kMath, "^", Function::kPower, of(kD, kD), kD, "The same as power."),
    spec(kMath, "ln", Function::kLn, of(kD), kD, "Natural logarithm."),
    spec(kMath, "log", Function::kLog10, of(kD), kD, "Logarithm to base 10."),
    spec(kMath, "log10", Function::kLog10, of(kD), kD, "The same as log."),
    spec(kMath, "exp", Function::kExp, of(kD), kD, "e to that power."),
    spec(kMath, "sin", Function::kSin, of(kD), kD, "Sine of radians."),
    spec(kMath, "cos", Function::kCos, of(kD), kD, "Cosine of radians."),
    spec(kMath, "tan", Function::kTan, of(kD), kD, "Tangent of radians."),
    spec(kMath, "asin", Function::kAsin, of(kD), kD, "Inverse sine, in radians."),
    spec(kMath, "acos", Function::kAcos, of(kD), kD, "Inverse cosine, in radians."),
    spec(kMath, "atan", Function::kAtan, of(kD), kD, "Inverse tangent, in radians."),
    spec(kMath, "atan2", Function::kAtan2, of(kD, kD), kD, "Angle of the point (second, first), in radians."),
    spec(kMath, "radians", Function::kRadians, of(kD), kD, "Degrees as radians."),
    spec(kMath, "degrees", Function::kDegrees, of(kD), kD, "Radians as degrees."),
};

constexpr AggregateSpec kAggregates[] = {
    {"count", AggregateFunction::kCountRows, std::nullopt, kI, "Number of rows."},
    {"count", AggregateFunction::kCount, kA, kI, "Number of values that are not NULL."},
    {"sum", AggregateFunction::kSum, kI, kI, "Sum; NULL over no values and where a bigint overflows."},
    {"sum", AggregateFunction::kSum, kD, kD, "Sum; NULL over no values."},
    {"sum", AggregateFunction::kSum, kV, kV, "Sum; NULL over no values."},
    {"min", AggregateFunction::kMin, kA, kA, "Smallest value."},
    {"max", AggregateFunction::kMax, kA, kA, "Largest value."},
    {"avg", AggregateFunction::kAvg, kD, kD, "Mean of the values; bigints count as double."},
    {"avg", AggregateFunction::kAvg, kV, kV, "Mean of the values."},
};

struct UnitName {
  std::string_view name;
  TimeUnit unit;
};
/// The first name of a unit is the one that is printed.
constexpr UnitName kUnits[] = {
    {"millisecond", TimeUnit::kMillisecond},
    {"milliseconds", TimeUnit::kMillisecond},
    {"second", TimeUnit::kSecond},
    {"seconds", TimeUnit::kSecond},
    {"minute", TimeUnit::kMinute},
    {"minutes", TimeUnit::kMinute},
    {"hour", TimeUnit::kHour},
    {"hours", TimeUnit::kHour},
    {"day", TimeUnit::kDay},
    {"days", TimeUnit::kDay},
    {"week", TimeUnit::kWeek},
    {"weeks", TimeUnit::kWeek},
    {"month", TimeUnit::kMonth},
    {"months", TimeUnit::kMonth},
    {"quarter", TimeUnit::kQuarter},
    {"year", TimeUnit::kYear},
    {"years", TimeUnit::kYear},
    {"epoch", TimeUnit::kEpoch},
    {"dow", TimeUnit::kDow},
    {"isodow", TimeUnit::kIsoDow},
    {"doy", TimeUnit::kDoy},
};

std::string_view to_string(ParamType type) {
  if (type == ParamType::kAny) return "any";
  if (type == ParamType::kUnit) return "unit";
  return columns::to_string(static_cast<Type>(type));
}

std::string in_code(std::string_view text) {
  std::string escaped;
  for (char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return "`" + escaped + "`";
}

/// A table row for all overloads of the name that starts at `first`; `first` moves past them.
std::string reference_row(const FunctionSpec*& first, const FunctionSpec* end) {
  std::string signatures;
  std::string_view name = first->name;
  std::string_view help = first->help;
  for (; first != end && first->name == name; ++first) {
    signatures.append(signatures.empty() ? "" : "<br>").append(in_code(signature(*first)));
  }
  return fmt::format("| {} | {} |\n", signatures, help);
}

}  // namespace

bool FunctionSpec::is_operator() const { return !std::isalpha(static_cast<unsigned char>(name.front())); }

std::span<const FunctionSpec> function_table() { return kFunctions; }
std::span<const AggregateSpec> aggregate_table() { return kAggregates; }

std::string_view to_string(Function function) {
  switch (function) {
    case Function::kEqual: return "=";
    case Function::kNotEqual: return "<>";
    case Function::kLess: return "<";
    case Function::kLessEqual: return "<=";
    case Function::kGreater: return ">";
    case Function::kGreaterEqual: return ">=";
    case Function::kAnd: return "and";
    case Function::kOr: return "or";
    case Function::kNot: return "not";
    case Function::kIsNull: return "is_null";
    case Function::kIsNotNull: return "is_not_null";
    case Function::kIn: return "in";
    case Function::kLike: return "like";
    case Function::kILike: return "ilike";
    default: break;
  }
  for (const FunctionSpec& spec : kFunctions) {
    if (spec.function == function) return spec.name;
  }
  CHECK(false);
}

std::string_view to_string(AggregateFunction function) {
  for (const AggregateSpec& spec : kAggregates) {
    if (spec.function == function) return spec.name;
  }
  CHECK(false);
}

std::string_view to_string(TimeUnit unit) {
  return std::find_if(std::begin(kUnits), std::end(kUnits), [&](const UnitName& u) { return u.unit == unit; })->name;
}

std::optional<TimeUnit> parse_time_unit(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  auto found = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const UnitName& u) { return u.name == lower; });
  if (found == std::end(kUnits)) return std::nullopt;
  return found->unit;
}

bool can_cast(Type from, Type to) {
  auto is_scalar = [](Type t) {
    return t == Type::kBool || t == Type::kInt64 || t == Type::kDouble || t == Type::kTimestamp;
  };
  if (from == to) return true;
  if (to == Type::kText) return is_scalar(from) || from == Type::kJson;
  if (from == Type::kText) return is_scalar(to);
  if (from == Type::kInt64) return to == Type::kDouble || to == Type::kBool;
  return to == Type::kInt64 && (from == Type::kDouble || from == Type::kBool);
}

std::string signature(const FunctionSpec& spec) {
  if (spec.is_operator()) {
    if (spec.param_count == 1)
      return fmt::format("{}{} -> {}", spec.name, to_string(spec.params[0]), to_string(spec.result));
    return fmt::format("{} {} {} -> {}", to_string(spec.params[0]), spec.name, to_string(spec.params[1]),
                       to_string(spec.result));
  }
  std::string params;
  for (size_t i = 0; i < spec.param_count; ++i) {
    params.append(i == 0 ? "" : ", ").append(to_string(spec.params[i]));
    if (i >= spec.required) params.append(" optional");
  }
  if (spec.variadic) params.append(", ...");
  return fmt::format("{}({}) -> {}", spec.name, params, to_string(spec.result));
}

std::string function_reference() {
  std::string out;
  std::string_view category;
  for (const FunctionSpec* at = std::begin(kFunctions); at != std::end(kFunctions);) {
    if (at->category != category) {
      category = at->category;
      out.append(
          fmt::format("{}### {}\n\n| Signature | What it gives |\n|---|---|\n", out.empty() ? "" : "\n", category));
    }
    out.append(reference_row(at, std::end(kFunctions)));
  }
  out.append("\n### Aggregates\n\n| Signature | What it gives |\n|---|---|\n");
  for (const AggregateSpec& spec : kAggregates) {
    std::string_view param = spec.param ? to_string(*spec.param) : std::string_view("*");
    out.append(fmt::format("| `{}({}) -> {}` | {} |\n", spec.name, param, to_string(spec.result), spec.help));
  }
  return out;
}

}  // namespace headrace::sql
