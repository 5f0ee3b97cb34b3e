// Group commit: threads that flush partitions with something new in them, once for everything that waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "os/clock.h"

namespace headrace::broker {

class Partition;

/// A partition's turn at the flusher, whose lock guards it.
struct FlushTurn {
  enum class State {
    kIdle,
    kGathering,  ///< Something waits; so do those who were just answered, to share the next fdatasync.
    kQueued,
    kFlushing,
    kFlushingAgain,  ///< Something was appended meanwhile.
    kPausing,        ///< The last flush could not open its files; those who wait go on waiting for the next one.
  };
  State state = State::kIdle;
  int waiting = 0;                  ///< Appends since the last flush began.
  int gather = 0;                   ///< Under kGathering: as many need no further waiting.
  std::chrono::nanoseconds due{0};  ///< Under kGathering, kPausing: when it ends at the latest.
  int gathers_missed = 0;           ///< Gathers in a row that ended without all who were waited for.
  int flushes_ungathered = 0;       ///< Still to come without gathering, since the last gathers were in vain.
};

/// Thread-safe. While a partition is being flushed, what is appended to it gathers for its next flush. Producers with
/// several requests in flight would fall into two halves so, one on its way to the disk while the other waits: after a
/// flush those who were answered get half the time that it took to come back (as with PostgreSQL's commit_delay), which
/// makes one fdatasync of two. Where they don't come back, as with a producer that sends at its own pace, gathering is
/// tried again ever more seldom. Nobody who is alone ever waits.
class Flusher {
 public:
  Flusher(int threads, os::Clock& clock);
  ~Flusher();

  /// Has `partition` flushed soon; once for each append. Cheap when it is queued already.
  void enqueue(std::shared_ptr<Partition> partition);
  /// Flushes what is queued, once, then ends the threads. Afterwards enqueue() does nothing.
  void stop();

 private:
  /// Whom a change concerns, to be woken once the lock is given back: waking under it would wake into a wait.
  enum class Wake { kNobody, kIdle, kGatherer };

  void run();
  void leave_to_idle();
  void wait(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds next);
  void wake(Wake whom);
  Wake enqueue_locked(std::shared_ptr<Partition> partition);
  void flush(std::unique_lock<std::mutex>& lock, std::shared_ptr<Partition> partition);
  void push(std::shared_ptr<Partition> partition);
  void pause(std::shared_ptr<Partition> partition, std::chrono::nanoseconds until);
  void gather(std::shared_ptr<Partition> partition, int answered, std::chrono::nanoseconds due);
  /// Queues what has gathered or paused long enough; how long until there is more.
  std::chrono::nanoseconds take_due();

  os::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable idle_wake_, gatherer_wake_;
  std::deque<std::shared_ptr<Partition>> queue_;       ///< Each partition at most once: bounded by their number.
  std::vector<std::shared_ptr<Partition>> gathering_;  ///< Likewise, with those that pause.
  int idle_ = 0;                                       ///< Threads that wait for work.
  int flushing_ = 0;                                   ///< Threads that flush.
  bool gatherer_ = false;                              ///< One thread waits for what gathers.
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace headrace::broker
