// What fetch requests may take in memory while they wait for records, over all connections of a server.
#pragma once

#include <atomic>
#include <cstddef>

namespace headrace::kafka {

/// Clients may come, ask for much, and go without waiting themselves. Thread-safe.
class WaitBudget {
 public:
  static constexpr size_t kBytesMax = 64 << 20;

  /// False when too much waits already: the request is to be answered with what there is. Else release() the same.
  bool admit(size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= kBytesMax) return true;
    release(bytes);
    return false;
  }
  void release(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<size_t> used_{0};
};

}  // namespace headrace::kafka
