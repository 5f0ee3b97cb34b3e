// What the buffers of all connections may hold in memory together.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace headrace::net::internal {

/// Counts bytes that were received and not consumed, and those that wait for their reader. Thread-safe.
///
/// A frame whose size is known counts whole once it is begun, and is then read to its end; while there is no room none
/// is begun, unless it is the only one. Large ones leave a quarter to small ones, which are answered while the large
/// wait. So memory is at most `bytes_max`, one frame that came alone, and what a read brings of frames that wait.
class BufferBudget {
 public:
  struct Limits {
    size_t bytes_max = SIZE_MAX;
    /// A connection that holds what others wait for is closed when it moves less than kProgressBytes in this time;
    std::chrono::milliseconds stalled_max{10'000};
    /// in this one, if it was itself not read from for want of memory.
    std::chrono::milliseconds starved_max{30'000};
  };
  static constexpr size_t kProgressBytes = 1 << 20;
  /// What is over this is large: more than a full batch of a producer with its defaults.
  static constexpr size_t kLargeBytes = 2 << 20;

  explicit BufferBudget(const Limits& limits) : limits_(limits) {}

  const Limits& limits() const { return limits_; }
  void change(size_t from, size_t to) { used_.fetch_add(to - from, std::memory_order_relaxed); }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  bool exhausted(bool for_large) const { return used() >= (for_large ? large_max() : limits_.bytes_max); }
  /// Begins a frame if there is room, or if no other is under way that could make some; then end_frame() when it is
  /// through, or its connection at its end. A large one that has not `waited` lets those go first that do.
  bool begin_frame(size_t bytes, bool waited) {
    std::lock_guard lock(mutex_);
    bool large = bytes > kLargeBytes;
    if (large && !waited && starving() > 0) return false;
    bool fits = std::max(frames_, used()) + bytes <= limits_.bytes_max && (!large || frames_ < large_max());
    if (frames_ > 0 && (!fits || exhausted(large))) return false;
    frames_ += bytes;
    return true;
  }
  void end_frame(size_t bytes) {
    std::lock_guard lock(mutex_);
    frames_ -= bytes;
  }
  /// Whether it is worth asking again for those that wait.
  bool may_have_room() {
    if (!exhausted(/*for_large=*/false)) return true;
    std::lock_guard lock(mutex_);
    return frames_ == 0;
  }
  /// How many connections wait for memory, over all loops.
  void change_starving(size_t from, size_t to) { starving_.fetch_add(to - from, std::memory_order_relaxed); }
  /// Bytes that stalled connections are to give back: where somebody waits, all over what large frames may use, or any.
  size_t wanted() const {
    size_t now = used(), kept = starving() > 0 ? large_max() : limits_.bytes_max;
    return now > kept ? now - kept : std::min<size_t>(starving(), 1);
  }

 private:
  size_t starving() const { return starving_.load(std::memory_order_relaxed); }
  size_t large_max() const { return limits_.bytes_max / 4 * 3; }

  const Limits limits_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> starving_{0};
  std::mutex mutex_;
  size_t frames_ = 0;  ///< Bytes of the frames that were begun.
};

}  // namespace headrace::net::internal
