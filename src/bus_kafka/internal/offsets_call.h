// rd_kafka_send_offsets_to_transaction() with an end. librdkafka ignores its timeout while the group's coordinator is
// not there (its issues 5456 and 5511).
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "bus_kafka/internal/handle.h"

namespace headrace::bus_kafka {

/// The most clients that calls which do not come back may hold; no new transactional producers are made then.
inline constexpr size_t kAbandonedClientsMax = 16;

/// How long a call may take.
struct OffsetsCallTimes {
  std::chrono::milliseconds timeout;  ///< What librdkafka is told.
  std::chrono::milliseconds grace;    ///< How much later it is given up.
};

/// Adds positions of `group` to the open transaction; what librdkafka answered (null: done). Nothing when the call was
/// given up: `client` must not be used any more then. The call, on a thread of its own, keeps it alive until it ends.
std::optional<Owned<rd_kafka_error_t>> send_offsets(std::shared_ptr<const Handle> client, const std::string& group,
                                                    const std::vector<bus::Position>& positions,
                                                    OffsetsCallTimes times);

/// How many clients of this process are held by calls that were given up. Thread-safe.
size_t abandoned_clients();

}  // namespace headrace::bus_kafka
