#include "stream/expression.h"

#include <algorithm>
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;

class ColumnNode final : public Node {
 public:
  ColumnNode(Type type, size_t column) : Node(type), column_(column) {}
  bool can_fail() const override { return false; }
  const Values& evaluate(EvalContext& context, Selection) override { return context.column(column_); }

 private:
  size_t column_;
};

class LiteralNode final : public Node {
 public:
  LiteralNode(Type type, const sql::Value& value) : Node(type) {
    Values& values = buffer_.prepare(type, 1);
    values.mask = 0;
    if (const auto* text = std::get_if<std::string>(&value)) {
      text_ = *text;
      *buffer_.data<std::string_view>() = text_;
    } else if (const auto* number = std::get_if<double>(&value)) {
      *buffer_.data<double>() = *number;
    } else if (const auto* whole = std::get_if<int64_t>(&value)) {
      if (type == Type::kDouble) {
        *buffer_.data<double>() = static_cast<double>(*whole);
      } else {
        *buffer_.data<int64_t>() = *whole;
      }
    } else if (const auto* boolean = std::get_if<bool>(&value)) {
      *buffer_.data<uint8_t>() = *boolean;
    } else {
      set_null();
    }
  }
  bool can_fail() const override { return false; }
  bool is_constant() const override { return true; }
  const Values* constant() const override { return &buffer_.values(); }
  const Values& evaluate(EvalContext&, Selection) override { return buffer_.values(); }

 private:
  void set_null() {
    switch (type()) {
      case Type::kBool: *buffer_.data<uint8_t>() = 0; break;
      case Type::kDouble: *buffer_.data<double>() = 0; break;
      case Type::kText:
      case Type::kJson: break;
      case Type::kInt64:
      case Type::kTimestamp:
      case Type::kInterval: *buffer_.data<int64_t>() = 0; break;
    }
    *buffer_.valid() = 0;
  }

  ValueBuffer buffer_;
  std::string text_;
};

sql::Value value_of(const Values& values) {
  if (!values.is_valid(0)) return std::monostate();
  switch (values.type) {
    case Type::kBool: return values.bools[0] != 0;
    case Type::kDouble: return values.doubles[0];
    case Type::kText:
    case Type::kJson: return std::string(values.texts[0]);
    case Type::kInt64:
    case Type::kTimestamp:
    case Type::kInterval: break;
  }
  return values.ints[0];
}

NodePtr make_call(const sql::Expr& expr, Nodes args) {
  Function f = expr.function;
  if (f <= Function::kNegate) return make_arithmetic(f, expr.type, std::move(args));
  if (f <= Function::kGreaterEqual) return make_comparison(f, expr.type, std::move(args));
  if (f <= Function::kIn || (f >= Function::kCoalesce && f <= Function::kLeast)) {
    return make_logic(f, expr.type, std::move(args));
  }
  if (f <= Function::kStartsWith) return make_text(f, expr.type, std::move(args));
  if (f <= Function::kToTimestamp) return make_time(f, expr.unit, expr.type, std::move(args));
  return make_math(f, expr.type, std::move(args));
}

/// `node` as a constant when all that it is made of is constant and it can be computed.
NodePtr fold(NodePtr node, bool constant_args) {
  if (!constant_args) return node;
  EvalContext context{columns::Schema()};
  context.bind_rows(1);
  const Values& values = node->evaluate(context, Selection{nullptr, 1});
  if (!context.failures().empty()) return node;
  return make_literal(value_of(values), node->type());
}

}  // namespace

NodePtr make_literal(const sql::Value& value, Type type) { return std::make_unique<LiteralNode>(type, value); }

NodePtr compile(const sql::Expr& expr) {
  using Kind = sql::Expr::Kind;
  if (expr.kind == Kind::kColumn) return std::make_unique<ColumnNode>(expr.type, expr.column);
  if (expr.kind == Kind::kLiteral) return make_literal(expr.value, expr.type);
  Nodes args;
  bool constant = true;
  for (const auto& arg : expr.args) {
    args.push_back(compile(arg));
    constant &= args.back()->is_constant();
  }
  if (expr.kind == Kind::kCase) return fold(make_case(expr.type, std::move(args)), constant);
  if (expr.kind == Kind::kCast) return fold(make_cast(expr.type, std::move(args[0])), constant);
  return fold(make_call(expr, std::move(args)), constant);
}

Selection select_true(const Values& condition, Selection selection, const EvalContext& context,
                      std::vector<uint32_t>& out) {
  out.resize(selection.count);
  size_t count = 0;
  selection.for_each([&](size_t row) {
    out[count] = static_cast<uint32_t>(row);
    count += condition.is_true(row);
  });
  if (!context.failures().empty()) {
    auto end = std::remove_if(out.begin(), out.begin() + static_cast<ptrdiff_t>(count),
                              [&](uint32_t row) { return context.has_failed(row); });
    count = static_cast<size_t>(end - out.begin());
  }
  return {out.data(), count};
}

}  // namespace headrace::stream
