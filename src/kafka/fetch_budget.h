// What fetched records may take in memory until clients have received them, over all connections of a server.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace headrace::kafka {

/// Thread-safe. A budget that is used up makes fetches small, never empty: however many groups read at once, memory is
/// at most `bytes_max` and, for each connection, kShareMin and a batch.
class FetchBudget {
 public:
  /// What a fetch may read when nothing is left.
  static constexpr int64_t kShareMin = 64 << 10;

  explicit FetchBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Bytes that a fetch may read now.
  int64_t share() const { return std::max(kShareMin, bytes_max_ - used_->load(std::memory_order_relaxed)); }

  /// `bytes`, counted until nobody holds them any more.
  SharedBytes charge(SharedBytes bytes) const {
    if (bytes.empty()) return bytes;
    auto charge = std::make_shared<const Charge>(used_, bytes);
    BytesView view = bytes.view();
    return SharedBytes(std::move(charge), view);
  }
  int64_t used() const { return used_->load(std::memory_order_relaxed); }

 private:
  using Counter = std::shared_ptr<std::atomic<int64_t>>;
  struct Charge {
    Charge(Counter counter, SharedBytes charged) : used(std::move(counter)), bytes(std::move(charged)) {
      used->fetch_add(static_cast<int64_t>(bytes.size()), std::memory_order_relaxed);
    }
    ~Charge() { used->fetch_sub(static_cast<int64_t>(bytes.size()), std::memory_order_relaxed); }
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    const Counter used;
    const SharedBytes bytes;
  };

  const int64_t bytes_max_;
  const Counter used_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace headrace::kafka
