#include "kafka/blocking_tasks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace headrace::kafka {
namespace {

class BlockingTasksTest : public testing::Test {
 protected:
  // The thread is busy until go_on().
  void SetUp() override {
    tasks_.run(1, [this] {
      began_.set_value();
      go_on_.get_future().wait();
    });
    began_.get_future().wait();
  }
  void go_on() { go_on_.set_value(); }

  std::promise<void> began_, go_on_;
  BlockingTasks tasks_;
};

TEST_F(BlockingTasksTest, WhatIsTooMuchIsDroppedAtOnceAndTheRestRuns) {
  std::atomic<int> ran = 0;
  auto witness = std::make_shared<int>();
  constexpr size_t kBytes = 1000;
  size_t fit = kWaitingBytesMax / (kBytes * kDecodedFactor);
  for (size_t i = 0; i < fit + 10; ++i) tasks_.run(kBytes, [&ran, witness] { ++ran; });
  EXPECT_EQ(static_cast<size_t>(witness.use_count()), fit + 1);
  go_on();
  std::promise<void> last;
  while (witness.use_count() > 1) std::this_thread::yield();
  tasks_.run(kWaitingBytesMax * 2, [&last] { last.set_value(); });  // One alone may be of any size.
  last.get_future().wait();
  EXPECT_EQ(static_cast<size_t>(ran), fit);
}

TEST_F(BlockingTasksTest, StopRunsNothingThatWaits) {
  bool ran = false;
  std::thread stopping([this] { tasks_.stop(); });
  std::shared_ptr<int> probe;
  do {  // Until it takes no more.
    probe = std::make_shared<int>();
    tasks_.run(1, [&ran, probe] { ran = true; });
  } while (probe.use_count() > 1);
  go_on();
  stopping.join();
  tasks_.run(1, [&ran] { ran = true; });
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace headrace::kafka
