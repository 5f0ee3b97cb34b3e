// Timers on a Clock: run by a thread of their own, or by hand in tests with a ManualClock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/function.h"
#include "os/clock.h"

namespace headrace::broker {

/// Thread-safe. Tasks run one at a time, without a lock of the timers.
class Timers {
 public:
  /// Names a timer; 0 names none.
  using Id = uint64_t;

  explicit Timers(os::Clock& clock) : clock_(clock) {}
  ~Timers() { stop(); }

  Id after(std::chrono::milliseconds delay, Function<void()> task);
  /// A task that has begun to run still runs.
  void cancel(Id id);
  /// Runs everything that is due by the clock; how many ran.
  size_t run_due();

  /// Runs due tasks on a thread until stop().
  void start_thread();
  /// Ends the thread; no task runs afterwards.
  void stop();

 private:
  using Key = std::pair<std::chrono::nanoseconds, Id>;
  void run();
  std::optional<Function<void()>> take_due();

  os::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<Key, Function<void()>> queue_;
  std::map<Id, std::chrono::nanoseconds> due_;
  Id next_id_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace headrace::broker
