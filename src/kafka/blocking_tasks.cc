#include "kafka/blocking_tasks.h"

#include "base/logging.h"

namespace headrace::kafka {

void BlockingTasks::run(size_t bytes, Function<void()> task) {
  bytes *= kDecodedFactor;
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (!tasks_.empty() && waiting_bytes_ + bytes > kWaitingBytesMax) {
    log_debug("kafka: closing a connection: {} requests that change topics or configs wait already", tasks_.size());
    return;
  }
  waiting_bytes_ += bytes;
  tasks_.push_back({bytes, std::move(task)});
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  changed_.notify_one();
}

void BlockingTasks::stop() {
  std::deque<Waiting> dropped;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(tasks_);
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void BlockingTasks::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
    if (stopped_) return;
    Function<void()> task = std::move(tasks_.front().task);
    waiting_bytes_ -= tasks_.front().bytes;
    tasks_.pop_front();
    lock.unlock();
    task();
    task = {};
    lock.lock();
  }
}

}  // namespace headrace::kafka
