// Group commit: threads that flush partitions with something new in them, once for everything that waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace headrace::broker {

class Partition;

/// Thread-safe. While a partition is being flushed, what is appended to it gathers for its next flush: the busier, the
/// more batches share one fdatasync.
class Flusher {
 public:
  explicit Flusher(int threads);
  ~Flusher();

  /// Has `partition` flushed soon. Cheap when it is queued already.
  void enqueue(std::shared_ptr<Partition> partition);
  /// Flushes what is queued, then ends the threads. Afterwards enqueue() does nothing.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Partition>> queue_;  ///< Each partition at most once: bounded by their number.
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace headrace::broker
