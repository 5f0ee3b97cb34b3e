// The one lock of everything that decides about group membership, and the way out of it: what must happen without the
// lock (answers, writes) is put off and done in the order in which it was decided, by one thread at a time.
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "base/function.h"

namespace headrace::broker {

/// Thread-safe. Sections nest on one thread, so that a decision can span both kinds of groups.
class GroupLock {
 public:
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

  /// Runs `task` after the outermost section has ended, after all that was put off before. Inside a section only.
  void after_unlock(Function<void()> task) { outbox_.push_back(std::move(task)); }

 private:
  /// Whoever finds nobody at it empties the outbox; the others leave theirs there.
  void leave() {
    if (--depth_ > 0 || draining_) return mutex_.unlock();
    draining_ = true;
    std::deque<Function<void()>> work;
    while (!outbox_.empty()) {
      work.swap(outbox_);
      mutex_.unlock();
      for (Function<void()>& task : work) task();
      work.clear();
      mutex_.lock();
    }
    draining_ = false;
    mutex_.unlock();
  }

  std::recursive_mutex mutex_;
  int depth_ = 0;          ///< Of sections of the thread that has the lock.
  bool draining_ = false;  ///< Some thread is at the outbox.
  std::deque<Function<void()>> outbox_;
};

}  // namespace headrace::broker
