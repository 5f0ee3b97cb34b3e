// A pipeline's typed plan: what sql makes of a text and stream runs. No SQL text beyond this point.
//
//   source -> filter -> [aggregate over windows -> having] -> outputs
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "columns/schema.h"

namespace headrace::sql {

using columns::Type;

/// Every scalar operation an evaluator must know. Operands arrive with equal types where the operation compares or
/// combines them (the binder put casts in); functions.h says which types each takes and gives.
///
/// Expressions never fail at run time: division or modulo by zero, bigint overflow, a cast of a text that does not have
/// the form, and mathematics outside of the domain (square root of -1) give NULL. NULL operands give NULL except where
/// noted; AND, OR, NOT follow SQL's three-valued logic.
enum class Function : uint8_t {
  // Arithmetic: bigint and double; bigint division cuts towards zero. Also timestamp +- interval, timestamp -
  // timestamp,
  // interval +- interval, interval * double, interval / double (all in milliseconds).
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kNegate,
  // Comparison: two operands of the same type (text by bytes, false < true).
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  // Logic; kIsNull and kIsNotNull never give NULL.
  kAnd,
  kOr,
  kNot,
  kIsNull,
  kIsNotNull,
  kIn,        ///< args[0] equals one of args[1..] (any expressions); NULL among them as SQL has it.
  kLike,      ///< (text, pattern): % any run, _ one character, backslash escapes.
  kILike,     ///< The same without regard to ASCII case.
  kCoalesce,  ///< The first argument that is not NULL.
  kNullIf,    ///< NULL where both are equal, else the first.
  kGreatest,
  kLeast,  ///< NULL arguments are passed over.
  // Text, in characters (code points), positions from 1.
  kLower,
  kUpper,  ///< ASCII letters.
  kLength,
  kSubstring,       ///< (text, start[, count])
  kConcat,          ///< Any number of texts; NULL counts as empty.
  kConcatOperator,  ///< || : NULL when one is NULL.
  kTrim,
  kTrimLeft,
  kTrimRight,  ///< (text[, characters]); spaces by default.
  kReplace,    ///< (text, from, to)
  kPosition,   ///< (text, needle): 0 where there is none.
  kLeft,
  kRight,       ///< (text, n); negative n: all but n.
  kStartsWith,  ///< (text, prefix)
  // Time, always in UTC.
  kExtract,      ///< Expr::unit of a timestamp, or kEpoch of an interval, as double.
  kDateTrunc,    ///< Expr::unit of a timestamp.
  kToTimestamp,  ///< Seconds since 1970 as double.
  // Mathematics, on double unless the type says bigint.
  kAbs,    ///< bigint or double
  kRound,  ///< (double[, decimals bigint]); halves away from zero.
  kFloor,
  kCeil,
  kTruncate,
  kSign,
  kSqrt,
  kPower,
  kLn,
  kLog10,
  kExp,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kAtan2,
  kRadians,
  kDegrees,
};

/// Fields of extract and units of date_trunc.
enum class TimeUnit : uint8_t {
  kMillisecond,  ///< extract: seconds within the minute times 1000, with the fraction, as PostgreSQL has it.
  kSecond,       ///< extract: with the fraction.
  kMinute,
  kHour,
  kDay,
  kWeek /* ISO 8601 */,
  kMonth,
  kQuarter,
  kYear,
  kEpoch,   ///< extract only: seconds since 1970.
  kDow,     ///< extract only: 0 is Sunday.
  kIsoDow,  ///< extract only: 1 is Monday, 7 is Sunday.
  kDoy,     ///< extract only: 1 to 366.
};

/// A constant: NULL, bool, bigint (also timestamps and intervals, in milliseconds), double or text (also json).
using Value = std::variant<std::monostate, bool, int64_t, double, std::string>;

/// A typed expression over the columns of one schema.
struct Expr {
  enum class Kind : uint8_t {
    kColumn,   ///< `column` of the schema.
    kLiteral,  ///< `value`.
    kCall,     ///< `function` of `args`.
    kCase,     ///< args: when, then, when, then, ..., else; always an else; a when that is NULL is not taken.
    kCast,     ///< args[0] to `type`: see functions.h, casts.
  };
  Kind kind = Kind::kLiteral;
  Type type = Type::kText;
  int offset = 0;  ///< The byte of the SQL text where it stands.
  size_t column = 0;
  Value value;
  Function function = Function::kAdd;
  TimeUnit unit = TimeUnit::kSecond;
  std::vector<Expr> args;

  /// Equal but for where they stand.
  bool same_as(const Expr& other) const;
};

enum class AggregateFunction : uint8_t {
  kCountRows,  ///< count(*): no argument.
  kCount,      ///< Values that are not NULL.
  kSum,        ///< bigint, double or interval; the same type. Overflow of bigint gives NULL.
  kMin,
  kMax,  ///< Any type but json.
  kAvg,  ///< bigint or double to double; interval to interval.
};

struct AggregateCall {
  AggregateFunction function = AggregateFunction::kCountRows;
  std::optional<Expr> arg;     ///< Over the input; its type says what to accumulate.
  std::optional<Expr> filter;  ///< bool over the input: FILTER (WHERE ...); rows where it is not true do not count.
  Type type = Type::kInt64;    ///< Of the result. Over no values it is NULL, but for the counts.
};

/// Tumbling windows [k * size, (k + 1) * size) of event time since 1970.
struct Window {
  int64_t size_ms = 0;
  size_t time_column = 0;  ///< Of the input: the stream's event time, or `_timestamp` where it declares none.
};

/// Groups by window and keys. Its rows have the columns of `row`: the keys, window_start, window_end, the calls.
struct Aggregate {
  Window window;
  std::vector<Expr> keys;  ///< Over the input.
  std::vector<AggregateCall> calls;
  columns::Schema row;

  size_t window_start_column() const { return keys.size(); }
  size_t window_end_column() const { return keys.size() + 1; }
  size_t call_column(size_t call) const { return keys.size() + 2 + call; }
};

struct Output {
  std::string name;
  Expr expr;
};

struct Plan {
  std::string source;          ///< The stream.
  columns::Schema input;       ///< What the decoder must deliver: the columns used and no others, metadata included.
  std::optional<Expr> filter;  ///< bool over the input.
  std::optional<Aggregate> aggregate;
  std::optional<Expr> having;   ///< bool over the aggregate's rows.
  std::vector<Output> outputs;  ///< Over the aggregate's rows where there is one, else over the input.
  columns::Schema output;       ///< Names and types of `outputs`.
};

/// The plan as text, a line per step, for tests and EXPLAIN.
std::string explain(const Plan& plan);
/// An expression as text with column names from `schema`.
std::string explain(const Expr& expr, const columns::Schema& schema);

}  // namespace headrace::sql
