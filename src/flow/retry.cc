#include "flow/retry.h"

#include <algorithm>

namespace headrace::flow {

std::chrono::milliseconds Backoff::next(std::chrono::milliseconds at_least) {
  constexpr int kDoublingsMax = 30;
  int64_t ceiling = options_.delay_first.count() << std::min(attempts_, kDoublingsMax);
  ceiling = std::clamp(ceiling, options_.delay_min.count(), std::max(options_.delay_min, options_.delay_max).count());
  ++attempts_;
  std::uniform_int_distribution<int64_t> delay(options_.delay_min.count(), ceiling);
  return std::max(std::chrono::milliseconds(delay(random_)), at_least);
}

}  // namespace headrace::flow
