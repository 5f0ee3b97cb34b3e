// Expressions of a plan, compiled once and run over batches.
#pragma once

#include <memory>

#include "sql/plan.h"
#include "stream/values.h"

namespace headrace::stream {

/// A node of a compiled expression. It owns the room for its values: one thread at a time.
class Node {
 public:
  explicit Node(Type type) : type_(type) {}
  virtual ~Node() = default;

  /// The values for the selected rows (others unspecified); valid until the next call. A row that can't be computed
  /// (overflow, division by zero, a cast that does not fit) is marked in `context` and has an unspecified value.
  virtual const Values& evaluate(EvalContext& context, Selection selection) = 0;

  Type type() const { return type_; }
  /// Whether evaluate() may fail rows: what can't is computed for more rows than needed where that is faster.
  virtual bool can_fail() const = 0;
  virtual bool is_constant() const { return false; }
  /// A constant's value; null for every other node.
  virtual const Values* constant() const { return nullptr; }

 private:
  Type type_;
};
using NodePtr = std::unique_ptr<Node>;

/// Compiles `expr`, whose columns are those of the contexts it will run with. Never fails: a plan is typed.
NodePtr compile(const sql::Expr& expr);

/// The rows of `selection` where the bool values are true, in `out`; rows that failed are left out.
Selection select_true(const Values& condition, Selection selection, const EvalContext& context,
                      std::vector<uint32_t>& out);

}  // namespace headrace::stream
