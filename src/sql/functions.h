// The functions of the language, as data: the binder resolves calls with it and the reference page is printed from it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sql/plan.h"

namespace headrace::sql {

/// What an overload takes or gives.
enum class ParamType : uint8_t {
  kBool,
  kInt64,
  kDouble,
  kText,
  kTimestamp,
  kInterval,
  kJson,  ///< As columns::Type, in its order.
  kAny,   ///< Any type; all arguments of this kind in a call (and the result) have one common type.
  kUnit,  ///< A literal that names a TimeUnit.
};

/// One overload of a function or operator.
struct FunctionSpec {
  static constexpr size_t kParamsMax = 3;

  std::string_view category;  ///< The heading that it is listed under.
  std::string_view name;      ///< A function's name, or an operator's characters.
  Function function;
  std::array<ParamType, kParamsMax> params;
  uint8_t param_count;
  uint8_t required;       ///< So many of them must be given.
  bool variadic = false;  ///< The last one may come any number of times.
  ParamType result;
  std::string_view help;  ///< One sentence, about all overloads of that name where it is on the first of them.

  bool is_operator() const;
};

struct AggregateSpec {
  std::string_view name;
  AggregateFunction function;
  std::optional<ParamType> param;  ///< None: written as name(*).
  ParamType result;
  std::string_view help;
};

/// All overloads; those of one name stand together, the preferred first.
std::span<const FunctionSpec> function_table();
std::span<const AggregateSpec> aggregate_table();

/// The name that explain() prints a function with.
std::string_view to_string(Function function);
std::string_view to_string(AggregateFunction function);
std::string_view to_string(TimeUnit unit);
/// The unit of that name ("second", "seconds", "epoch"), in any case.
std::optional<TimeUnit> parse_time_unit(std::string_view name);

/// Whether CAST(from AS to) exists: between bool, bigint and double (not bool and double), text to and from all of
/// bool, bigint, double and timestamp, and json to text. Doubles round to the nearest bigint, halves to even; a double
/// outside of bigint's range gives NULL. Texts of numbers and timestamps are those of JSON output
/// (columns/timestamp.h).
bool can_cast(Type from, Type to);

/// "round(double, bigint) -> double", for messages and the reference.
std::string signature(const FunctionSpec& spec);

/// The generated part of docs/sql.md: operators and functions by category, and the aggregates, as Markdown.
std::string function_reference();

}  // namespace headrace::sql
