// Time, behind an interface so that a simulator can drive it.
#pragma once

#include <chrono>
#include <cstdint>

namespace headrace::os {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_ms() = 0;  ///< Milliseconds since 1970, may jump.
  virtual std::chrono::nanoseconds monotonic() = 0;
};

Clock& system_clock();

/// A clock that stands still until told.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_ms = 0) : wall_ms_(wall_ms) {}
  int64_t wall_ms() override { return wall_ms_; }
  std::chrono::nanoseconds monotonic() override { return monotonic_; }
  void advance(std::chrono::milliseconds by) {
    wall_ms_ += by.count();
    monotonic_ += by;
  }
  void jump_wall(int64_t to_ms) { wall_ms_ = to_ms; }

 private:
  int64_t wall_ms_;
  std::chrono::nanoseconds monotonic_{0};
};

}  // namespace headrace::os
