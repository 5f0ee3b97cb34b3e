// A thread for what waits for the disk or takes long (creating topics, looking up by time), so that event loops don't.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/function.h"

namespace headrace::kafka {

/// Memory of requests that wait for their turn, as far as their sizes tell it: a request of many short names takes
/// kDecodedFactor times its bytes when it is decoded. A connection has no more than one of them, but clients may come,
/// ask and go.
inline constexpr size_t kWaitingBytesMax = 64 << 20;
inline constexpr size_t kDecodedFactor = 48;

/// Tasks run one after the other, in order.
class BlockingTasks {
 public:
  BlockingTasks() = default;
  ~BlockingTasks() { stop(); }

  /// The task of a request of `bytes`. From any thread. It is destroyed without being run, which closes the request's
  /// connection, when kWaitingBytesMax wait already, and after stop().
  void run(size_t bytes, Function<void()> task);
  /// Waits for the task that is running and drops the others. Not from a task.
  void stop();

 private:
  struct Waiting {
    size_t bytes;
    Function<void()> task;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> tasks_;
  size_t waiting_bytes_ = 0;
  bool stopped_ = false;
  std::thread thread_;  ///< Started with the first task.
};

}  // namespace headrace::kafka
