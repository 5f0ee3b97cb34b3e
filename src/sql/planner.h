// SQL text -> typed plan.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "columns/schema.h"
#include "sql/plan.h"

namespace headrace::sql {

/// A topic seen as typed columns: what FROM can name.
struct Stream {
  std::string name;
  columns::Schema columns;
  std::string event_time;  ///< A timestamp column; empty: the record's own time, `_timestamp`.
};

/// What is wrong with a text, and where.
struct SqlError {
  std::string message;
  size_t offset = 0;  ///< Byte of the text.
  int line = 1;
  int column = 1;  ///< In characters, from 1.
  std::string
      excerpt;  ///< The line of the text and a caret under the place, on a second line; empty where the line is.

  /// "line 3, column 14: <message>" and the excerpt on the lines below.
  std::string to_string() const;
};

/// A plan or what is wrong.
struct PlanResult {
  std::optional<Plan> plan;
  SqlError error;  ///< When there is no plan.

  bool ok() const { return plan.has_value(); }
};

/// Texts above this are refused: the grammar's trees are walked recursively.
inline constexpr size_t kSqlBytesMax = 16 << 10;

/// Parses and binds one SELECT over `streams`. Whatever is not supported is refused, never ignored. Any thread.
PlanResult plan_query(std::string_view sql, std::span<const Stream> streams);

/// The same with the error as kInvalidArgument and SqlError::to_string() as its text.
Result<Plan> plan_query_or_error(std::string_view sql, std::span<const Stream> streams);

}  // namespace headrace::sql
