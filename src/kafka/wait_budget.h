// What fetch requests may take in memory while they wait for records, over all connections of a server.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace headrace::kafka {

/// Clients may come, ask for much, and go without waiting themselves. Thread-safe.
class WaitBudget {
  using Counter = std::shared_ptr<std::atomic<size_t>>;

 public:
  static constexpr size_t kBytesMax = 64 << 20;

  /// What one request holds. May outlive the budget, as a request that waits may outlive its server.
  class Charge {
   public:
    Charge(Counter used, size_t bytes) : used_(std::move(used)), bytes_(bytes) {}
    Charge(Charge&& other) noexcept : used_(std::move(other.used_)), bytes_(other.bytes_) {}
    Charge& operator=(Charge&& other) noexcept {
      std::swap(used_, other.used_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Charge() {
      if (used_) used_->fetch_sub(bytes_, std::memory_order_relaxed);
    }

   private:
    Counter used_;
    size_t bytes_;
  };

  /// Nothing when too much waits already: the request is to be answered with what there is.
  std::optional<Charge> admit(size_t bytes) {
    size_t before = used_->fetch_add(bytes, std::memory_order_relaxed);
    Charge charge(used_, bytes);
    if (before + bytes > kBytesMax) return std::nullopt;
    return charge;
  }

 private:
  const Counter used_ = std::make_shared<std::atomic<size_t>>(0);
};

}  // namespace headrace::kafka
