#include "kafka/fetch_budget.h"

#include <gtest/gtest.h>

#include "kafka/wait_budget.h"

namespace headrace::kafka {
namespace {

TEST(FetchBudget, CountsBytesUntilTheLastHolderIsGone) {
  FetchBudget budget(1 << 20);
  SharedBytes charged = budget.charge(SharedBytes(Bytes(1000, 7)));
  SharedBytes slice = charged.slice(10, 20);
  charged = SharedBytes();
  EXPECT_EQ(budget.used(), 1000);
  EXPECT_EQ(slice.view()[0], 7);
  slice = SharedBytes();
  EXPECT_EQ(budget.used(), 0);
}

TEST(FetchBudget, AUsedUpBudgetMakesFetchesSmallAndNeverEmpty) {
  FetchBudget budget(1 << 20);
  EXPECT_EQ(budget.share(), 1 << 20);
  SharedBytes held = budget.charge(SharedBytes(Bytes(1 << 20)));
  EXPECT_EQ(budget.share(), FetchBudget::kShareMin);
}

TEST(WaitBudget, AdmitsUntilItIsUsedUp) {
  WaitBudget budget;
  EXPECT_TRUE(budget.admit(WaitBudget::kBytesMax - 10));
  EXPECT_FALSE(budget.admit(11));
  EXPECT_TRUE(budget.admit(10));
  budget.release(11);
  EXPECT_TRUE(budget.admit(11));
}

TEST(FetchBudget, OutlivedByWhatItCounted) {
  SharedBytes held;
  {
    FetchBudget budget(1 << 20);
    held = budget.charge(SharedBytes(Bytes(10)));
  }
  held = SharedBytes();
}

}  // namespace
}  // namespace headrace::kafka
