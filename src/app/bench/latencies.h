// Latencies gathered by a load generator, and what it tells of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace headrace::app {

struct LatencySummary {
  int64_t mean_us = 0, p50_us = 0, p99_us = 0, max_us = 0;
};

/// Sorts `us`, microseconds.
inline LatencySummary summarize(std::vector<int64_t>& us) {
  if (us.empty()) return {};
  std::sort(us.begin(), us.end());
  return {.mean_us = std::accumulate(us.begin(), us.end(), int64_t{0}) / static_cast<int64_t>(us.size()),
          .p50_us = us[us.size() / 2],
          .p99_us = us[us.size() * 99 / 100],
          .max_us = us.back()};
}

}  // namespace headrace::app
