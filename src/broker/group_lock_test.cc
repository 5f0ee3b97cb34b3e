#include "broker/group_lock.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace headrace::broker {
namespace {

TEST(GroupLock, TasksRunAfterTheOutermostSectionInTheirOrder) {
  GroupLock lock;
  std::vector<int> ran;
  {
    GroupLock::Section outer(lock);
    lock.after_unlock([&] { ran.push_back(1); });
    {
      GroupLock::Section inner(lock);
      lock.after_unlock([&] { ran.push_back(2); });
    }
    EXPECT_TRUE(ran.empty());
  }
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

/// Puts itself off again, as members do that keep asking, until it has been done `left` times.
struct Repeated {
  void put_off() {
    GroupLock::Section section(lock);
    lock.after_unlock([this] { run(); });
  }
  void run() {
    ran_by.push_back(std::this_thread::get_id());
    --left > 0 ? put_off() : done.set_value();
  }
  GroupLock& lock;
  int left;
  std::vector<std::thread::id> ran_by = {};
  std::promise<void> done = {};
};

TEST(GroupLock, AThreadIsNotKeptForAsLongAsOthersDecide) {
  GroupLock lock;
  Repeated tasks{.lock = lock, .left = 1000};
  tasks.put_off();
  tasks.done.get_future().get();
  lock.close();
  ASSERT_EQ(tasks.ran_by.size(), 1000u);
  for (size_t i = 0; i < tasks.ran_by.size(); ++i) {
    EXPECT_EQ(tasks.ran_by[i] == std::this_thread::get_id(), i < GroupLock::kTasksPerTurn) << i;
  }
}

TEST(GroupLock, MuchThatIsDecidedAtOnceKeepsItsOrder) {
  constexpr int kTasks = 1000;
  GroupLock lock;
  std::vector<int> ran;
  for (int round = 0; round < 2; ++round) {
    GroupLock::Section section(lock);
    for (int i = 0; i < kTasks; ++i) {
      lock.after_unlock([&ran, number = round * kTasks + i] { ran.push_back(number); });
    }
  }
  lock.close();
  ASSERT_EQ(ran.size(), 2u * kTasks);
  for (int i = 0; i < 2 * kTasks; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST(GroupLock, ClosedAmidATurnItLeavesNothingUndone) {
  constexpr int kTasks = 1000;
  GroupLock lock;
  std::promise<void> begun, closed;
  int ran = 0;
  std::thread other([&] {
    GroupLock::Section section(lock);
    lock.after_unlock([&] {
      begun.set_value();
      closed.get_future().get();
    });
    for (int i = 0; i < kTasks; ++i) lock.after_unlock([&] { ++ran; });
  });
  begun.get_future().get();
  lock.close();
  closed.set_value();
  other.join();
  EXPECT_EQ(ran, kTasks);
  Repeated tasks{.lock = lock, .left = 1};
  tasks.put_off();
  EXPECT_EQ(tasks.ran_by.size(), 1u) << "nobody else is at it";
}

TEST(GroupLock, WhatIsPutOffAfterItWasClosedIsDoneByTheCaller) {
  GroupLock lock;
  lock.close();
  Repeated tasks{.lock = lock, .left = 1000};
  tasks.put_off();
  EXPECT_EQ(tasks.ran_by.size(), 1000u);
}

}  // namespace
}  // namespace headrace::broker
