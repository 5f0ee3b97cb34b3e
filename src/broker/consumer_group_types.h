// Requests and answers of the consumer group protocol (KIP-848), without their wire form. Field names are Kafka's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/consumer_group_schema.h"
#include "broker/group_types.h"
#include "broker/partition_set.h"

namespace headrace::broker {

/// Member epochs with a meaning of their own in a heartbeat.
inline constexpr int32_t kJoinEpoch = 0;
inline constexpr int32_t kLeaveEpoch = -1;
inline constexpr int32_t kLeaveStaticEpoch = -2;  ///< A static member goes, and means to come back.

/// Fields that are absent have not changed since the member's last heartbeat.
struct ConsumerHeartbeatRequest {
  std::string group_id;
  std::string member_id;  ///< Chosen by the member; empty for a new member of version 0, which is given one.
  int32_t member_epoch = kJoinEpoch;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;
  std::optional<milliseconds> rebalance_timeout;
  std::optional<std::vector<std::string>> topics;
  std::optional<std::string> regex;  ///< Empty: none any more.
  std::optional<std::string> assignor;
  std::optional<PartitionSet> owned;
  bool member_id_required = true;  ///< Version 1 and up.
};

struct ConsumerHeartbeatAnswer {
  CoordinatorError error = CoordinatorError::kNone;
  std::string message;  ///< With an error.
  std::string member_id;
  int32_t member_epoch = 0;
  milliseconds heartbeat_interval{0};
  std::optional<PartitionSet> assignment;  ///< When it has changed, or the member told everything of itself.
};
using ConsumerHeartbeatCallback = Function<void(ConsumerHeartbeatAnswer)>;

struct DescribedConsumerMember {
  std::string member_id;
  ConsumerMemberInfo info;
  int32_t epoch = 0;
  PartitionSet assignment;
  PartitionSet target;
};

/// kDead: there is no such consumer group.
struct ConsumerGroupDescription {
  GroupState state = GroupState::kDead;
  int32_t epoch = 0;
  int32_t assignment_epoch = 0;
  std::string assignor;
  std::vector<DescribedConsumerMember> members;
};

}  // namespace headrace::broker
