// A thread for what waits for the disk or takes long (creating topics, deleting records), so that event loops don't.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/function.h"

namespace headrace::kafka {

/// Tasks run one after the other, in order. Their number is bounded by that of connections: none has more than one
/// request of this kind at a time.
class BlockingTasks {
 public:
  BlockingTasks() = default;
  ~BlockingTasks() { stop(); }

  /// From any thread; after stop() the task is destroyed without being run.
  void run(Function<void()> task);
  /// Waits for the task that is running and drops the others. Not from a task.
  void stop();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Function<void()>> tasks_;
  bool stopped_ = false;
  std::thread thread_;  ///< Started with the first task.
};

}  // namespace headrace::kafka
