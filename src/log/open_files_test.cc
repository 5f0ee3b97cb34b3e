#include "log/open_files.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace headrace::log {
namespace {

class FakeHolder final : public OpenFiles::Holder {
 public:
  explicit FakeHolder(OpenFiles& files) : files_(files) {}
  ~FakeHolder() override { files_.closed(*this); }
  void use() {
    touch();
    if (!open) {
      open = true;
      files_.opened(*this);
    }
  }
  bool open = false, dirty = false, busy = false, synced = false;

 private:
  bool try_close(Close how) override {
    if (busy || (dirty && how == Close::kIfClean)) return false;
    synced = dirty;
    open = dirty = false;
    return true;
  }
  OpenFiles& files_;
};

std::vector<std::unique_ptr<FakeHolder>> open_holders(OpenFiles& files, int count) {
  std::vector<std::unique_ptr<FakeHolder>> holders;
  for (int i = 0; i < count; ++i) {
    holders.push_back(std::make_unique<FakeHolder>(files));
    holders.back()->use();
  }
  return holders;
}

TEST(OpenFiles, KeepsToItsLimit) {
  OpenFiles files(10);
  auto holders = open_holders(files, 100);
  int open = 0;
  for (const auto& holder : holders) open += holder->open;
  EXPECT_EQ(open, 10);
  EXPECT_EQ(files.count(), 10u);
  EXPECT_TRUE(holders.back()->open);
}

TEST(OpenFiles, ClosesWhatWasNotUsedLately) {
  OpenFiles files(3);
  auto holders = open_holders(files, 3);
  FakeHolder fourth(files), fifth(files);
  fourth.use();  // All had been used; the round takes their flags.
  FakeHolder* kept = holders[1]->open ? holders[1].get() : holders[2].get();
  kept->use();
  fifth.use();
  EXPECT_TRUE(kept->open);
  EXPECT_TRUE(fifth.open);
  EXPECT_EQ(files.count(), 3u);
}

TEST(OpenFiles, DataThatWasNeverSyncedIsSyncedWhereNothingElseCanBeClosed) {
  OpenFiles files(2);
  auto holders = open_holders(files, 2);
  holders[0]->dirty = true;
  FakeHolder third(files), fourth(files);
  third.use();
  EXPECT_TRUE(holders[0]->open);
  EXPECT_FALSE(holders[1]->open);
  third.dirty = true;
  fourth.use();
  EXPECT_EQ(files.count(), 2u);
  EXPECT_NE(holders[0]->synced, third.synced);
}

TEST(OpenFiles, FilesInUseMayExceedTheLimit) {
  OpenFiles files(1);
  auto holders = open_holders(files, 1);
  holders[0]->busy = true;
  FakeHolder second(files);
  second.use();
  EXPECT_TRUE(second.open);
  EXPECT_TRUE(holders[0]->open);
  EXPECT_EQ(files.count(), 2u);
}

TEST(OpenFiles, ForgetsHoldersThatGoAway) {
  OpenFiles files(5);
  { auto holders = open_holders(files, 5); }
  EXPECT_EQ(files.count(), 0u);
}

}  // namespace
}  // namespace headrace::log
