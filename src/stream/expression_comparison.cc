// = <> < <= > >= on two operands of one type.
#include <functional>

#include "base/check.h"
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;

template <typename Compare>
NodePtr compare(Nodes args, Compare) {
  return with_rep(args[0]->type(), [&]<typename Rep>() -> NodePtr {
    return map_rows<uint8_t, Rep, Rep>(Type::kBool, std::move(args),
                                       [](const Rep& a, const Rep& b) { return Compare()(a, b); });
  });
}

}  // namespace

NodePtr make_comparison(Function function, Type, Nodes args) {
  CHECK(args.size() == 2);
  switch (function) {
    case Function::kEqual: return compare(std::move(args), std::equal_to<>());
    case Function::kNotEqual: return compare(std::move(args), std::not_equal_to<>());
    case Function::kLess: return compare(std::move(args), std::less<>());
    case Function::kLessEqual: return compare(std::move(args), std::less_equal<>());
    case Function::kGreater: return compare(std::move(args), std::greater<>());
    default: return compare(std::move(args), std::greater_equal<>());
  }
}

}  // namespace headrace::stream
