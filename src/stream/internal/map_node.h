// Nodes that compute each row from the same row of their arguments.
#pragma once

#include <array>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "stream/expression.h"

namespace headrace::stream {

using Nodes = std::vector<NodePtr>;

/// Combines the arguments' validity: null when no argument has NULLs, else bytes in `buffer` that are set for rows
/// where all arguments are valid.
inline const uint8_t* merge_valid(std::span<const Values* const> args, Selection selection, ValueBuffer& buffer) {
  bool first = true;
  uint8_t* out = nullptr;
  for (const Values* arg : args) {
    if (!arg->valid) continue;
    if (first) {
      out = buffer.valid();
      selection.for_each([&](size_t row) { out[row] = arg->valid[row & arg->mask]; });
      first = false;
    } else {
      selection.for_each([&](size_t row) { out[row] &= arg->valid[row & arg->mask]; });
    }
  }
  return out;
}

inline bool any_can_fail(const Nodes& args) {
  for (const auto& arg : args) {
    if (arg->can_fail()) return true;
  }
  return false;
}

/// `f(args...) -> Out`, NULL when an argument is; f can't fail and is safe to call with the value of a NULL.
template <typename Out, typename F, typename... In>
class MapNode final : public Node {
 public:
  MapNode(Type type, Nodes args, F f)
      : Node(type), args_(std::move(args)), f_(std::move(f)), can_fail_(any_can_fail(args_)) {}

  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    return run(context, selection, std::index_sequence_for<In...>());
  }

 private:
  template <size_t... I>
  const Values& run(EvalContext& context, Selection selection, std::index_sequence<I...>) {
    std::array<const Values*, sizeof...(In)> values = {&args_[I]->evaluate(context, selection)...};
    buffer_.prepare(type(), context.rows());
    merge_valid(values, selection, buffer_);
    Out* out = buffer_.template data<Out>();
    std::tuple<const In*...> data = {data_of<In>(*values[I])...};
    std::array<size_t, sizeof...(In)> masks = {values[I]->mask...};
    selection.for_each([&](size_t row) { out[row] = static_cast<Out>(f_(std::get<I>(data)[row & masks[I]]...)); });
    return buffer_.values();
  }

  Nodes args_;
  F f_;
  bool can_fail_;
  ValueBuffer buffer_;
};

/// `f(context, row, out, args...) -> bool`: false fails the row, for which f called context.fail(). f sees no NULLs.
template <typename Out, typename F, typename... In>
class FallibleNode final : public Node {
 public:
  FallibleNode(Type type, Nodes args, F f) : Node(type), args_(std::move(args)), f_(std::move(f)) {}

  bool can_fail() const override { return true; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    return run(context, selection, std::index_sequence_for<In...>());
  }

 private:
  template <size_t... I>
  const Values& run(EvalContext& context, Selection selection, std::index_sequence<I...>) {
    std::array<const Values*, sizeof...(In)> values = {&args_[I]->evaluate(context, selection)...};
    buffer_.prepare(type(), context.rows());
    const uint8_t* valid = merge_valid(values, selection, buffer_);
    Out* out = buffer_.template data<Out>();
    std::tuple<const In*...> data = {data_of<In>(*values[I])...};
    std::array<size_t, sizeof...(In)> masks = {values[I]->mask...};
    selection.for_each([&](size_t row) {
      if (valid && !valid[row]) return;
      Out value{};
      out[row] = f_(context, row, value, std::get<I>(data)[row & masks[I]]...) ? value : Out{};
    });
    return buffer_.values();
  }

  Nodes args_;
  F f_;
  ValueBuffer buffer_;
};

template <typename Out, typename... In, typename F>
NodePtr map_rows(Type type, Nodes args, F f) {
  return std::make_unique<MapNode<Out, F, In...>>(type, std::move(args), std::move(f));
}
template <typename Out, typename... In, typename F>
NodePtr try_rows(Type type, Nodes args, F f) {
  return std::make_unique<FallibleNode<Out, F, In...>>(type, std::move(args), std::move(f));
}

/// One for each family of operations; `type` is the result's.
NodePtr make_arithmetic(sql::Function function, Type type, Nodes args);
NodePtr make_comparison(sql::Function function, Type type, Nodes args);
NodePtr make_logic(sql::Function function, Type type, Nodes args);
NodePtr make_case(Type type, Nodes args);
NodePtr make_text(sql::Function function, Type type, Nodes args);
NodePtr make_time(sql::Function function, sql::TimeUnit unit, Type type, Nodes args);
NodePtr make_math(sql::Function function, Type type, Nodes args);
NodePtr make_cast(Type to, NodePtr arg);
NodePtr make_literal(const sql::Value& value, Type type);

/// Calls `f.template operator()<Rep>()` with how `type` is held.
template <typename F>
auto with_rep(Type type, F&& f) {
  switch (type) {
    case Type::kBool: return f.template operator()<uint8_t>();
    case Type::kDouble: return f.template operator()<double>();
    case Type::kText:
    case Type::kJson: return f.template operator()<std::string_view>();
    case Type::kInt64:
    case Type::kTimestamp:
    case Type::kInterval: break;
  }
  return f.template operator()<int64_t>();
}

}  // namespace headrace::stream
