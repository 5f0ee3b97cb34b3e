#include "base/saturate.h"

#include <gtest/gtest.h>

namespace headrace {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();

TEST(Saturate, OrdinarySumsAreSums) {
  EXPECT_EQ(saturating_add(2, 3), 5);
  EXPECT_EQ(saturating_subtract(2, 3), -1);
}

TEST(Saturate, StopsAtTheEnds) {
  EXPECT_EQ(saturating_add(kMax, 1), kMax);
  EXPECT_EQ(saturating_add(-1, kMin), kMin);
  EXPECT_EQ(saturating_subtract(0, kMin), kMax);
  EXPECT_EQ(saturating_subtract(-2, kMax), kMin);
  EXPECT_EQ(saturating_subtract(-1, kMax), kMin);
}

}  // namespace
}  // namespace headrace
