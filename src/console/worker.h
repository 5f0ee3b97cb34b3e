// A thread for requests that may block (the bus may be a cluster far away), behind a bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/function.h"

namespace headrace::console {

class Worker {
 public:
  static constexpr size_t kQueuedRequestsMax = 128;

  Worker() : thread_([this] { run(); }) {}
  ~Worker() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  /// Runs `task` on the worker's thread. False, and `task` is not taken, when too many wait.
  bool post(Function<void()>& task) {
    {
      std::lock_guard lock(mutex_);
      if (stop_ || tasks_.size() >= kQueuedRequestsMax) return false;
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
    return true;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
      if (stop_) return;
      Function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Function<void()>> tasks_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace headrace::console
