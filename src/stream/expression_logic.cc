// Three-valued logic, IN, and what chooses among its arguments: CASE, COALESCE, NULLIF, GREATEST, LEAST. An argument
// that can fail is computed only for the rows that need it, so `x <> 0 AND 1 / x > 2` is safe.
#include <algorithm>

#include "base/check.h"
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;

/// Copies the selected rows of `from` into `to`, which holds the same type; `valid` are its validity bytes.
void copy_rows(const Values& from, Selection selection, ValueBuffer& to, uint8_t* valid) {
  with_rep(from.type, [&]<typename Rep>() {
    Rep* out = to.data<Rep>();
    const Rep* in = data_of<Rep>(from);
    selection.for_each([&](size_t row) {
      out[row] = in[row & from.mask];
      valid[row] = from.is_valid(row);
    });
  });
}

/// The rows of `selection` for which `wanted(row)`, in `out`.
template <typename F>
Selection narrow(Selection selection, std::vector<uint32_t>& out, F wanted) {
  out.resize(selection.count);
  size_t count = 0;
  selection.for_each([&](size_t row) {
    out[count] = static_cast<uint32_t>(row);
    count += wanted(row) ? 1 : 0;
  });
  return {out.data(), count};
}

/// AND and OR of any number of operands. `decisive` is the value that settles the result: false for AND, true for OR.
class JunctionNode final : public Node {
 public:
  JunctionNode(Nodes args, bool decisive)
      : Node(Type::kBool), args_(std::move(args)), decisive_(decisive), can_fail_(any_can_fail(args_)) {}

  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    buffer_.prepare(Type::kBool, context.rows());
    auto* out = buffer_.data<uint8_t>();
    uint8_t* valid = buffer_.valid();
    copy_rows(args_[0]->evaluate(context, selection), selection, buffer_, valid);
    for (size_t i = 1; i < args_.size(); ++i) {
      Selection open = selection;
      if (args_[i]->can_fail()) {
        open = narrow(selection, rows_, [&](size_t row) { return !(valid[row] && out[row] == decisive_); });
      }
      combine(args_[i]->evaluate(context, open), open, out, valid);
    }
    return buffer_.values();
  }

 private:
  void combine(const Values& next, Selection selection, uint8_t* out, uint8_t* valid) const {
    const bool decisive = decisive_;
    selection.for_each([&](size_t row) {
      bool next_valid = next.is_valid(row);
      bool decided = (valid[row] && out[row] == decisive) || (next_valid && next.bools[row & next.mask] == decisive);
      valid[row] = decided || (valid[row] && next_valid);
      out[row] = decided ? decisive : !decisive;
    });
  }

  Nodes args_;
  uint8_t decisive_;
  bool can_fail_;
  ValueBuffer buffer_;
  std::vector<uint32_t> rows_;
};

class IsNullNode final : public Node {
 public:
  IsNullNode(NodePtr arg, bool null_is) : Node(Type::kBool), arg_(std::move(arg)), null_is_(null_is) {}
  bool can_fail() const override { return arg_->can_fail(); }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    const Values& arg = arg_->evaluate(context, selection);
    buffer_.prepare(Type::kBool, context.rows());
    auto* out = buffer_.data<uint8_t>();
    selection.for_each([&](size_t row) { out[row] = arg.is_valid(row) ? !null_is_ : null_is_; });
    return buffer_.values();
  }

 private:
  NodePtr arg_;
  bool null_is_;
  ValueBuffer buffer_;
};

class InNode final : public Node {
 public:
  explicit InNode(Nodes args) : Node(Type::kBool), args_(std::move(args)), can_fail_(any_can_fail(args_)) {}
  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    const Values& subject = args_[0]->evaluate(context, selection);
    buffer_.prepare(Type::kBool, context.rows());
    auto* out = buffer_.data<uint8_t>();
    uint8_t* valid = buffer_.valid();
    selection.for_each([&](size_t row) {
      out[row] = 0;
      valid[row] = subject.is_valid(row);
    });
    for (size_t i = 1; i < args_.size(); ++i) {
      Selection open = narrow(selection, rows_, [&](size_t row) { return !out[row] && subject.is_valid(row); });
      match(subject, args_[i]->evaluate(context, open), open, out, valid);
    }
    return buffer_.values();
  }

 private:
  static void match(const Values& subject, const Values& item, Selection open, uint8_t* out, uint8_t* valid) {
    with_rep(subject.type, [&]<typename Rep>() {
      const Rep* a = data_of<Rep>(subject);
      const Rep* b = data_of<Rep>(item);
      open.for_each([&](size_t row) {
        if (!item.is_valid(row)) {
          valid[row] = 0;
        } else if (a[row & subject.mask] == b[row & item.mask]) {
          out[row] = valid[row] = 1;
        }
      });
    });
  }

  Nodes args_;
  bool can_fail_;
  ValueBuffer buffer_;
  std::vector<uint32_t> rows_;
};

class CoalesceNode final : public Node {
 public:
  CoalesceNode(Type type, Nodes args) : Node(type), args_(std::move(args)), can_fail_(any_can_fail(args_)) {}
  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    buffer_.prepare(type(), context.rows());
    uint8_t* valid = buffer_.valid();
    Selection open = selection;
    for (auto& arg : args_) {
      copy_rows(arg->evaluate(context, open), open, buffer_, valid);
      open = narrow(selection, rows_, [&](size_t row) { return !valid[row]; });
      if (open.count == 0) break;
    }
    return buffer_.values();
  }

 private:
  Nodes args_;
  bool can_fail_;
  ValueBuffer buffer_;
  std::vector<uint32_t> rows_;
};

/// GREATEST and LEAST.
class ExtremeNode final : public Node {
 public:
  ExtremeNode(Type type, Nodes args, bool greatest)
      : Node(type), args_(std::move(args)), greatest_(greatest), can_fail_(any_can_fail(args_)) {}
  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    buffer_.prepare(type(), context.rows());
    uint8_t* valid = buffer_.valid();
    copy_rows(args_[0]->evaluate(context, selection), selection, buffer_, valid);
    for (size_t i = 1; i < args_.size(); ++i) merge(args_[i]->evaluate(context, selection), selection, valid);
    return buffer_.values();
  }

 private:
  void merge(const Values& next, Selection selection, uint8_t* valid) {
    with_rep(type(), [&]<typename Rep>() {
      Rep* out = buffer_.data<Rep>();
      const Rep* in = data_of<Rep>(next);
      selection.for_each([&](size_t row) {
        if (!next.is_valid(row)) return;
        const Rep& value = in[row & next.mask];
        bool better = greatest_ ? out[row] < value : value < out[row];
        if (!valid[row] || better) out[row] = value;
        valid[row] = 1;
      });
    });
  }

  Nodes args_;
  bool greatest_;
  bool can_fail_;
  ValueBuffer buffer_;
};

class NullIfNode final : public Node {
 public:
  NullIfNode(Type type, Nodes args) : Node(type), args_(std::move(args)), can_fail_(any_can_fail(args_)) {}
  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    const Values& a = args_[0]->evaluate(context, selection);
    const Values& b = args_[1]->evaluate(context, selection);
    buffer_.prepare(type(), context.rows());
    uint8_t* valid = buffer_.valid();
    copy_rows(a, selection, buffer_, valid);
    with_rep(type(), [&]<typename Rep>() {
      const Rep* left = data_of<Rep>(a);
      const Rep* right = data_of<Rep>(b);
      selection.for_each([&](size_t row) {
        if (b.is_valid(row) && left[row & a.mask] == right[row & b.mask]) valid[row] = 0;
      });
    });
    return buffer_.values();
  }

 private:
  Nodes args_;
  bool can_fail_;
  ValueBuffer buffer_;
};

/// args: when, then, when, then, ..., else.
class CaseNode final : public Node {
 public:
  CaseNode(Type type, Nodes args) : Node(type), args_(std::move(args)), can_fail_(any_can_fail(args_)) {}
  bool can_fail() const override { return can_fail_; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    buffer_.prepare(type(), context.rows());
    uint8_t* valid = buffer_.valid();
    Selection open = selection;
    for (size_t i = 0; i + 1 < args_.size() && open.count > 0; i += 2) {
      const Values& when = args_[i]->evaluate(context, open);
      Selection taken = narrow(open, taken_, [&](size_t row) { return when.is_true(row); });
      rest_.clear();
      open.for_each([&](size_t row) {
        if (!when.is_true(row)) rest_.push_back(static_cast<uint32_t>(row));
      });
      if (taken.count > 0) copy_rows(args_[i + 1]->evaluate(context, taken), taken, buffer_, valid);
      std::swap(rest_, open_rows_);
      open = {open_rows_.data(), open_rows_.size()};
    }
    if (open.count > 0) copy_rows(args_.back()->evaluate(context, open), open, buffer_, valid);
    return buffer_.values();
  }

 private:
  Nodes args_;
  bool can_fail_;
  ValueBuffer buffer_;
  std::vector<uint32_t> taken_, rest_, open_rows_;
};

}  // namespace

NodePtr make_case(Type type, Nodes args) {
  CHECK(args.size() % 2 == 1);
  return std::make_unique<CaseNode>(type, std::move(args));
}

NodePtr make_logic(Function function, Type type, Nodes args) {
  switch (function) {
    case Function::kAnd: return std::make_unique<JunctionNode>(std::move(args), false);
    case Function::kOr: return std::make_unique<JunctionNode>(std::move(args), true);
    case Function::kNot: return map_rows<uint8_t, uint8_t>(Type::kBool, std::move(args), [](uint8_t a) { return !a; });
    case Function::kIsNull: return std::make_unique<IsNullNode>(std::move(args[0]), true);
    case Function::kIsNotNull: return std::make_unique<IsNullNode>(std::move(args[0]), false);
    case Function::kIn: return std::make_unique<InNode>(std::move(args));
    case Function::kCoalesce: return std::make_unique<CoalesceNode>(type, std::move(args));
    case Function::kNullIf: return std::make_unique<NullIfNode>(type, std::move(args));
    default: return std::make_unique<ExtremeNode>(type, std::move(args), function == Function::kGreatest);
  }
}

}  // namespace headrace::stream
