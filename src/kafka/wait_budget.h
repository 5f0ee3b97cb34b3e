// What fetch requests may take in memory while they wait for records, over all connections of a server.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace headrace::kafka {

/// Clients may come, ask for much, and go without waiting themselves. Thread-safe.
class WaitBudget {
  using Counter = std::shared_ptr<std::atomic<size_t>>;

 public:
  static constexpr size_t kBytesMax = 64 << 20;

  /// What one request holds. May outlive the budget, as a request that waits may outlive its server.
  struct Charge {
    Charge(Counter counter, size_t charged) : used(std::move(counter)), bytes(charged) {}
    ~Charge() { used->fetch_sub(bytes, std::memory_order_relaxed); }
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    const Counter used;
    const size_t bytes;
  };

  /// Nothing when too much waits already: the request is to be answered with what there is.
  std::unique_ptr<const Charge> admit(size_t bytes) {
    size_t before = used_->fetch_add(bytes, std::memory_order_relaxed);
    auto charge = std::make_unique<const Charge>(used_, bytes);
    return before + bytes <= kBytesMax ? std::move(charge) : nullptr;
  }

 private:
  const Counter used_ = std::make_shared<std::atomic<size_t>>(0);
};

}  // namespace headrace::kafka
