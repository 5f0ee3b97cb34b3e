#include "broker/flusher.h"

#include <algorithm>
#include <utility>

#include "broker/partition.h"

namespace headrace::broker {
namespace {

using State = FlushTurn::State;
/// The longest that an append waits for others to share its fdatasync.
constexpr std::chrono::nanoseconds kGatherMax = std::chrono::milliseconds(2);
/// How long a flush waits that found no descriptors to open its files with.
constexpr std::chrono::nanoseconds kRetryPause = std::chrono::milliseconds(50);
/// Gathers in vain after which they become no rarer: one in 2^6 flushes.
constexpr int kGathersMissedMax = 6;

}  // namespace

Flusher::Flusher(int threads, os::Clock& clock) : clock_(clock) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Flusher::~Flusher() { stop(); }

void Flusher::enqueue(std::shared_ptr<Partition> partition) {
  Wake whom;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    whom = enqueue_locked(std::move(partition));
  }
  wake(whom);
}

Flusher::Wake Flusher::enqueue_locked(std::shared_ptr<Partition> partition) {
  FlushTurn& turn = partition->flush_turn_;
  ++turn.waiting;
  switch (turn.state) {
    case State::kIdle: push(std::move(partition)); return idle_ > 0 ? Wake::kIdle : Wake::kGatherer;
    case State::kFlushing: turn.state = State::kFlushingAgain; return Wake::kNobody;
    case State::kGathering:
      if (turn.waiting < turn.gather) return Wake::kNobody;
      turn.gathers_missed = 0;
      std::erase(gathering_, partition);
      push(std::move(partition));
      return Wake::kGatherer;
    case State::kPausing:
    case State::kQueued:
    case State::kFlushingAgain: break;
  }
  return Wake::kNobody;
}

void Flusher::wake(Wake whom) {
  if (whom == Wake::kIdle) idle_wake_.notify_one();
  if (whom == Wake::kGatherer) gatherer_wake_.notify_one();
}

void Flusher::push(std::shared_ptr<Partition> partition) {
  partition->flush_turn_.state = State::kQueued;
  queue_.push_back(std::move(partition));
}

std::chrono::nanoseconds Flusher::take_due() {
  constexpr std::chrono::nanoseconds kNever = std::chrono::hours(1);
  if (gathering_.empty()) return kNever;
  auto now = clock_.monotonic();
  auto next = kNever;
  std::erase_if(gathering_, [&](std::shared_ptr<Partition>& partition) {
    auto left = partition->flush_turn_.due - now;
    if (left.count() > 0 && !stopping_) {
      next = std::min({next, left, kGatherMax});  // Others may begin to gather amid a pause.
      return false;
    }
    FlushTurn& turn = partition->flush_turn_;
    if (turn.state == State::kGathering) {
      turn.gathers_missed = std::min(turn.gathers_missed + 1, kGathersMissedMax);
      turn.flushes_ungathered = 1 << turn.gathers_missed;
    }
    push(std::move(partition));
    return true;
  });
  return next;
}

void Flusher::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    auto next = take_due();
    if (!queue_.empty()) {
      std::shared_ptr<Partition> partition = std::move(queue_.front());
      queue_.pop_front();
      leave_to_idle();
      flush(lock, std::move(partition));
    } else if (stopping_) {
      return;
    } else {
      wait(lock, next);
    }
  }
}

/// What would wait for this thread's flush otherwise: partitions in the queue, and those that gather unwatched.
void Flusher::leave_to_idle() {
  bool unwatched = !gathering_.empty() && !gatherer_;
  if (idle_ > 0 && (!queue_.empty() || unwatched)) idle_wake_.notify_one();
}

void Flusher::wait(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds next) {
  if (!gathering_.empty() && !gatherer_) {
    gatherer_ = true;
    gatherer_wake_.wait_for(lock, next);
    gatherer_ = false;
  } else {
    ++idle_;
    idle_wake_.wait(lock);
    --idle_;
  }
}

void Flusher::flush(std::unique_lock<std::mutex>& lock, std::shared_ptr<Partition> partition) {
  FlushTurn& turn = partition->flush_turn_;
  turn.state = State::kFlushing;
  int answered = std::exchange(turn.waiting, 0);
  ++flushing_;
  lock.unlock();
  auto begin = clock_.monotonic();
  bool settled = partition->flush_now();
  auto end = clock_.monotonic();
  lock.lock();
  --flushing_;
  if (!settled && !stopping_) return pause(std::move(partition), end + kRetryPause);
  if (turn.state == State::kFlushing || !settled) {
    turn.state = State::kIdle;
    lock.unlock();
    partition.reset();
    lock.lock();
    return;
  }
  if (flushing_ > 0 || !queue_.empty()) return push(std::move(partition));  // It gathers while others are flushed.
  gather(std::move(partition), answered, end + std::min((end - begin) / 2, kGatherMax));
}

void Flusher::pause(std::shared_ptr<Partition> partition, std::chrono::nanoseconds until) {
  FlushTurn& turn = partition->flush_turn_;
  turn.state = State::kPausing;
  turn.due = until;
  gathering_.push_back(std::move(partition));
}

void Flusher::gather(std::shared_ptr<Partition> partition, int answered, std::chrono::nanoseconds due) {
  FlushTurn& turn = partition->flush_turn_;
  if (turn.flushes_ungathered > 0) {
    --turn.flushes_ungathered;
    return push(std::move(partition));
  }
  turn.state = State::kGathering;
  turn.gather = answered + turn.waiting;
  turn.due = due;
  gathering_.push_back(std::move(partition));
}

void Flusher::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  idle_wake_.notify_all();
  gatherer_wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace headrace::broker
