// Types of expressions while binding: literals whose type their surroundings decide, and implicit conversions.
#pragma once

#include <vector>

#include "sql/internal/syntax.h"
#include "sql/plan.h"

namespace headrace::sql {

/// A bound expression. `open` marks a bare text literal or NULL, whose type is whatever its place asks for (text where
/// nothing does).
struct Bound {
  Expr expr;
  bool open = false;

  bool is_null() const {
    return expr.kind == Expr::Kind::kLiteral && std::holds_alternative<std::monostate>(expr.value);
  }
};

Expr literal(Type type, Value value, int offset);

/// Whether `value` can stand where `target` is asked for, without an explicit cast: the same type, bigint for double,
/// an open literal for anything.
bool fits(const Bound& value, Type target);

/// Makes it so. A text literal that does not have the target's form is a mistake; `value` must fit.
Expr coerce(Bound value, Type target, Mistakes& mistakes);

/// The one type that all of `values` fit (text when all are open). Not fitting is a mistake at the value that does not,
/// about `what` ("the branches of CASE").
Type common_type(const std::vector<Bound>& values, std::string_view what, Mistakes& mistakes);

/// CAST(value AS target), folded for literals; `offset` is the cast's.
Expr explicit_cast(Bound value, Type target, int offset, Mistakes& mistakes);

}  // namespace headrace::sql
