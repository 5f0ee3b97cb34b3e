// Waiting between attempts: exponential back-off with full jitter.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace headrace::flow {

/// Bounds of a back-off. Attempt n (from 0) waits a random time in [0, min(delay_max, delay_first * 2^n)], but never
/// less than delay_min ("full jitter": clients that failed together don't come back together).
struct BackoffOptions {
  std::chrono::milliseconds delay_min{10};
  std::chrono::milliseconds delay_first{200};
  std::chrono::milliseconds delay_max{30'000};
};

/// The delays of one series of attempts. Not thread-safe; the same seed gives the same delays.
class Backoff {
 public:
  Backoff(BackoffOptions options, uint64_t seed) : options_(options), random_(seed) {}

  /// The delay before the next attempt, at least `at_least` (what the other side asked for, as in Retry-After).
  std::chrono::milliseconds next(std::chrono::milliseconds at_least = std::chrono::milliseconds(0));
  /// Forgets the failures: the next delay is a first one.
  void reset() { attempts_ = 0; }
  /// Failures since the last reset().
  int attempts() const { return attempts_; }

 private:
  BackoffOptions options_;
  std::mt19937_64 random_;
  int attempts_ = 0;
};

}  // namespace headrace::flow
