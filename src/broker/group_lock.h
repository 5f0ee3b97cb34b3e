// The one lock of everything that decides about group membership, and the way out of it: what must happen without the
// lock (answers, writes) is put off and done in the order in which it was decided, by one thread at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "base/function.h"

namespace headrace::broker {

/// Thread-safe. Sections nest on one thread, so that a decision can span both kinds of groups.
class GroupLock {
 public:
  /// How much of what was put off a thread does that came for its own; a thread of the lock's does what is left then,
  /// so that nobody is kept for as long as others decide.
  static constexpr size_t kTasksPerTurn = 100;

  class Section {
   public:
    explicit Section(GroupLock& lock) : lock_(lock) {
      lock_.mutex_.lock();
      ++lock_.depth_;
    }
    ~Section() { lock_.leave(); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    GroupLock& lock_;
  };

  GroupLock() = default;
  ~GroupLock() { close(); }
  GroupLock(const GroupLock&) = delete;
  GroupLock& operator=(const GroupLock&) = delete;

  /// Runs `task` after the outermost section has ended, after all that was put off before. Inside a section only.
  void after_unlock(Function<void()> task) { outbox_.push_back(std::move(task)); }

  /// Ends the lock's thread, which does first what it was left. From then on turns have no end. Not inside a section.
  void close() {
    mutex_.lock();
    closed_ = true;
    mutex_.unlock();
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  using Tasks = std::deque<Function<void()>>;

  /// Whoever finds nobody at it has a turn at the outbox; the others leave theirs there.
  void leave() {
    if (--depth_ > 0 || draining_) return mutex_.unlock();
    draining_ = true;
    drain(kTasksPerTurn);
    if (closed_) drain(SIZE_MAX);
    outbox_.empty() ? void(draining_ = false) : hand_on();
    mutex_.unlock();
  }

  /// Runs up to `most` tasks without the lock, which the caller has.
  void drain(size_t most) {
    Tasks work;
    while (!outbox_.empty() && most > 0) {
      take(most, work);
      most -= work.size();
      mutex_.unlock();
      for (Function<void()>& task : work) task();
      work.clear();
      mutex_.lock();
    }
  }
  void take(size_t most, Tasks& work) {
    if (outbox_.size() <= most) return work.swap(outbox_);
    for (; most > 0; --most) {
      work.push_back(std::move(outbox_.front()));
      outbox_.pop_front();
    }
  }

  void hand_on() {
    handed_on_ = true;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    wake_.notify_one();
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return handed_on_ || closed_; });
      if (!handed_on_) return;
      drain(SIZE_MAX);
      handed_on_ = draining_ = false;
    }
  }

  std::recursive_mutex mutex_;
  std::condition_variable_any wake_;  ///< Of the thread.
  int depth_ = 0;                     ///< Of sections of the thread that has the lock.
  bool draining_ = false;             ///< Some thread is at the outbox.
  bool handed_on_ = false;            ///< It is the lock's own.
  bool closed_ = false;
  Tasks outbox_;
  std::thread thread_;  ///< Made when it is needed first.
};

}  // namespace headrace::broker
