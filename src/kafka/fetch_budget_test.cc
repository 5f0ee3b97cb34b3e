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
  auto most = budget.admit(WaitBudget::kBytesMax - 10);
  ASSERT_TRUE(most);
  EXPECT_FALSE(budget.admit(11));
  auto rest = budget.admit(10);
  ASSERT_TRUE(rest);
  EXPECT_FALSE(budget.admit(1));
  rest.reset();
  EXPECT_TRUE(budget.admit(10));
}

TEST(WaitBudget, OutlivedByWhatItAdmitted) {
  std::unique_ptr<const WaitBudget::Charge> held;
  {
    WaitBudget budget;
    held = budget.admit(10);
  }
  held.reset();
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
