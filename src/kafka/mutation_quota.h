// The controller_mutation_rate of one request that creates or deletes partitions (KIP-599).
#pragma once

#include <algorithm>
#include <chrono>
#include <string>

#include "kafka/api.h"

namespace headrace::kafka {

/// Made in the handler, used by one thread at a time.
class MutationQuota {
 public:
  static constexpr char kExceeded[] = "the client's controller_mutation_rate is exceeded; try again later";

  MutationQuota(const Call& call, int16_t strict_since)
      : rates_(call.server.rates),
        user_(call.peer.user),
        client_(call.client_id),
        strict_(call.version >= strict_since) {}

  /// Whether this many partitions may be created or deleted now.
  bool admit(int64_t partitions) {
    auto wait = rates_.mutate(user_, client_, partitions, strict_);
    wait_ = std::max(wait_, wait);
    return wait.count() == 0 || !strict_;
  }
  /// What the client has to wait.
  std::chrono::milliseconds wait() const { return wait_; }

 private:
  ClientRates& rates_;
  std::string user_, client_;
  bool strict_;
  std::chrono::milliseconds wait_{0};
};

}  // namespace headrace::kafka
