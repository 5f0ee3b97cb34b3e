// Waits for records in any of several partitions (a long-polling fetch, a consumer of the embedded bus).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/function.h"

namespace headrace::broker {

/// Fires once: when enough bytes became readable in the partitions that it was added to, or a partition in which
/// waiting makes no sense any more (deleted) says so. Made with make_shared, added with Partition::add_waiter(). Give
/// it up with cancel(); partitions forget fired and cancelled waiters by themselves. Thread-safe.
class DataWaiter {
 public:
  /// `on_ready` runs at most once, on whatever thread made the records readable: post to your own loop, don't block.
  DataWaiter(int64_t bytes_min, Function<void()> on_ready) : bytes_left_(bytes_min), on_ready_(std::move(on_ready)) {}

  /// Counts `bytes` that became readable; fires when the minimum is reached.
  void add_bytes(int64_t bytes) {
    if (bytes_left_.fetch_sub(bytes, std::memory_order_acq_rel) <= bytes) fire();
  }
  void fire() {
    if (done_.exchange(true, std::memory_order_acq_rel)) return;
    auto on_ready = std::exchange(on_ready_, {});  // With what it holds: partitions may keep the waiter for a while.
    on_ready();
  }
  /// After it returns true `on_ready` never runs, and is gone; false: it has run or is running.
  bool cancel() {
    if (done_.exchange(true, std::memory_order_acq_rel)) return false;
    on_ready_ = {};
    return true;
  }
  bool done() const { return done_.load(std::memory_order_acquire); }

 private:
  std::atomic<int64_t> bytes_left_;
  std::atomic<bool> done_{false};
  Function<void()> on_ready_;
};

}  // namespace headrace::broker
