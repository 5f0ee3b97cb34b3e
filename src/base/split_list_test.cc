#include "base/split_list.h"

#include <gtest/gtest.h>

namespace headrace {
namespace {

using Items = std::vector<std::string_view>;

TEST(SplitList, BlanksAroundItemsAreNoPartOfThem) {
  EXPECT_EQ(split_list("a"), Items{"a"});
  EXPECT_EQ(split_list(" a,b c ,\td"), (Items{"a", "b c", "d"}));
}

TEST(SplitList, EmptyItemsAreLeftOut) {
  EXPECT_EQ(split_list(""), Items{});
  EXPECT_EQ(split_list(" , ,"), Items{});
  EXPECT_EQ(split_list(",a,,b,"), (Items{"a", "b"}));
}

}  // namespace
}  // namespace headrace
