// Syntax -> typed expressions, over what a scope gives names to.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sql/functions.h"
#include "sql/internal/coercion.h"
#include "sql/internal/syntax.h"
#include "sql/plan.h"

namespace headrace::sql {

/// What names mean where an expression stands.
class Scope {
 public:
  virtual ~Scope() = default;
  /// The expression that `node` stands for as a whole (a column, a group's key, an aggregate), or nothing where it is
  /// to be bound from its parts. A column that does not exist is a mistake and gives a placeholder.
  virtual std::optional<Bound> resolve(const Node& node) = 0;
};

/// Binds expressions. The sizes of all of them together are bounded, since some syntax repeats its operands.
class Binder {
 public:
  explicit Binder(Mistakes& mistakes) : mistakes_(mistakes) {}

  Bound bind(const Node& node, Scope& scope);
  /// A condition: `what` ("WHERE") must be bool.
  Expr bind_condition(const Node& node, Scope& scope, std::string_view what);

  /// More nodes than this in the expressions of one plan are refused.
  static constexpr size_t kExprNodesMax = 20'000;

 private:
  Bound bind_new(const Node& node, Scope& scope);
  Bound bind_operator(const Node& node, Scope& scope);
  Bound bind_function(const Node& node, Scope& scope);
  Bound bind_overload(const Node& node, std::vector<Bound> args, std::string_view name);
  Bound build_call(const FunctionSpec& spec, const Node& node, std::vector<Bound> args);
  Bound bind_time_function(const FunctionSpec& spec, const Node& node, std::vector<Bound> args);
  Bound bind_comparison(Function function, const Node& node, Bound left, Bound right);
  Bound bind_between(const Node& node, std::vector<Bound> args);
  Bound bind_in(const Node& node, std::vector<Bound> args);
  Bound bind_like(const Node& node, std::vector<Bound> args);
  Bound bind_logic(const Node& node, std::vector<Bound> args);
  Bound bind_truth_test(const Node& node, Bound arg);
  Bound bind_distinct(const Node& node, Bound left, Bound right);
  Bound bind_case(const Node& node, Scope& scope);
  Bound bind_cast(const Node& node, Scope& scope);

  std::vector<Bound> bind_all(const std::vector<Node>& nodes, Scope& scope);
  Expr condition(Bound value, std::string_view what);
  Bound copy(const Bound& value);
  Bound call(Function function, Type type, int offset, std::vector<Expr> args);
  Bound negated_if(bool negated, Bound value, int offset);
  Bound fail(int offset, std::string message);

  Mistakes& mistakes_;
  size_t nodes_ = 0;
};

/// The known name closest to `name`, when it is close enough to be what was meant; empty otherwise.
std::string closest_name(std::string_view name, const std::vector<std::string>& known);
/// `; did you mean "x"?`, or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace headrace::sql
