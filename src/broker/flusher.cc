#include "broker/flusher.h"

#include "broker/partition.h"

namespace headrace::broker {

Flusher::Flusher(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Flusher::~Flusher() { stop(); }

void Flusher::enqueue(std::shared_ptr<Partition> partition) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || partition->flush_state_ == Partition::FlushState::kQueued ||
        partition->flush_state_ == Partition::FlushState::kFlushingAgain) {
      return;
    }
    if (partition->flush_state_ == Partition::FlushState::kFlushing) {
      partition->flush_state_ = Partition::FlushState::kFlushingAgain;
      return;
    }
    partition->flush_state_ = Partition::FlushState::kQueued;
    queue_.push_back(std::move(partition));
  }
  wake_.notify_one();
}

void Flusher::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::shared_ptr<Partition> partition = std::move(queue_.front());
    queue_.pop_front();
    partition->flush_state_ = Partition::FlushState::kFlushing;
    lock.unlock();
    partition->flush_now();
    lock.lock();
    bool again = partition->flush_state_ == Partition::FlushState::kFlushingAgain;
    partition->flush_state_ = again ? Partition::FlushState::kQueued : Partition::FlushState::kIdle;
    if (again) {
      queue_.push_back(std::move(partition));
      wake_.notify_one();
    } else {
      lock.unlock();
      partition.reset();
      lock.lock();
    }
  }
}

void Flusher::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace headrace::broker
