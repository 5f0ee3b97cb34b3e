#include "broker/timers.h"

namespace headrace::broker {

Timers::Id Timers::after(std::chrono::milliseconds delay, Function<void()> task) {
  std::lock_guard lock(mutex_);
  Id id = next_id_++;
  Key key{clock_.monotonic() + delay, id};
  bool first = queue_.empty() || key < queue_.begin()->first;
  queue_.emplace(key, std::move(task));
  due_.emplace(id, key.first);
  if (first) wake_.notify_one();
  return id;
}

void Timers::cancel(Id id) {
  Function<void()> dropped;  // destroyed after the lock is released
  std::lock_guard lock(mutex_);
  auto found = due_.find(id);
  if (found == due_.end()) return;
  auto node = queue_.extract(Key{found->second, id});
  if (!node.empty()) dropped = std::move(node.mapped());
  due_.erase(found);
}

std::optional<Function<void()>> Timers::take_due() {
  std::lock_guard lock(mutex_);
  if (stopping_ || queue_.empty() || queue_.begin()->first.first > clock_.monotonic()) return std::nullopt;
  auto node = queue_.extract(queue_.begin());
  due_.erase(node.key().second);
  return std::move(node.mapped());
}

size_t Timers::run_due() {
  size_t ran = 0;
  while (auto task = take_due()) {
    (*task)();
    ++ran;
  }
  return ran;
}

void Timers::start_thread() {
  thread_ = std::thread([this] { run(); });
}

void Timers::run() {
  while (true) {
    run_due();
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (queue_.empty()) {
      wake_.wait(lock);
    } else if (auto wait = queue_.begin()->first.first - clock_.monotonic(); wait.count() > 0) {
      wake_.wait_for(lock, wait);
    }
  }
}

void Timers::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) thread_.join();
}

}  // namespace headrace::broker
