// The settings of a consumer group (KIP-848, KIP-1043's resource type GROUP): Kafka's names, what a value may be.
#pragma once

#include <chrono>
#include <vector>

#include "base/result.h"
#include "broker/topic_config.h"

namespace headrace::broker {

/// How long members of a consumer group may be silent, and how often they are told to speak up.
struct GroupTimeouts {
  std::chrono::milliseconds session{45000};   ///< consumer.session.timeout.ms
  std::chrono::milliseconds heartbeat{5000};  ///< consumer.heartbeat.interval.ms
};

inline constexpr std::chrono::milliseconds kConsumerSessionTimeoutMin{100}, kConsumerSessionTimeoutMax{1'800'000};
inline constexpr std::chrono::milliseconds kConsumerHeartbeatMin{10}, kConsumerHeartbeatMax{600'000};

/// What applies to a group on which `set` is set. kInvalidArgument: an unknown name, a value out of its bounds, or a
/// session that is no longer than the heartbeat interval.
Result<GroupTimeouts> apply_group_configs(const ConfigMap& set, const GroupTimeouts& defaults);

/// Every option of a group with its effective value, sorted by name.
std::vector<ConfigEntry> describe_group_configs(const ConfigMap& set, const GroupTimeouts& defaults);

}  // namespace headrace::broker
