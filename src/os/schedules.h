// How many seeds a random test runs, and which: HEADRACE_SCHEDULES=10000 for more than its own number, HEADRACE_SEED=7
// for one alone.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace headrace::os {

struct Seeds {
  uint64_t first = 1;
  uint64_t last = 1;
  bool alone() const { return first == last; }
};

/// Seeds 1 to `by_default`, where the environment does not say otherwise.
inline Seeds seeds_wanted(uint64_t by_default) {
  if (const char* seed = std::getenv("HEADRACE_SEED")) {
    uint64_t only = std::strtoull(seed, nullptr, 10);
    return {only, only};
  }
  const char* count = std::getenv("HEADRACE_SCHEDULES");
  return {1, count ? std::strtoull(count, nullptr, 10) : by_default};
}

}  // namespace headrace::os
