// Requests and answers of the classic group protocol and of committed offsets, without their wire form. Field names are
// Kafka's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/ids.h"
#include "broker/coordinator_error.h"

namespace headrace::broker {

using std::chrono::milliseconds;

struct GroupProtocol {
  std::string name;  ///< The assignor: "range", "cooperative-sticky", ...
  Bytes metadata;    ///< Opaque to the broker.
  friend bool operator==(const GroupProtocol&, const GroupProtocol&) = default;
};

struct JoinGroupRequest {
  std::string group_id;
  std::string member_id;                         ///< Empty for a new member.
  std::optional<std::string> group_instance_id;  ///< Static membership, KIP-345.
  std::string client_id;
  std::string client_host;
  milliseconds session_timeout{45000};
  milliseconds rebalance_timeout{300000};
  std::string protocol_type;              ///< "consumer"
  std::vector<GroupProtocol> protocols;   ///< In order of preference.
  bool require_known_member_id = true;    ///< KIP-394: JoinGroup v4 and up.
  bool supports_skip_assignment = false;  ///< KIP-814: JoinGroup v9 and up.
};

struct JoinedMember {
  std::string member_id;
  std::optional<std::string> group_instance_id;
  Bytes metadata;
};

struct JoinGroupAnswer {
  CoordinatorError error = CoordinatorError::kNone;
  int32_t generation = -1;
  std::string protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  std::string member_id;
  bool skip_assignment = false;
  std::vector<JoinedMember> members;  ///< For the leader only.
};

struct MemberAssignment {
  std::string member_id;
  Bytes assignment;
};

struct SyncGroupRequest {
  std::string group_id;
  int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;  ///< v5 and up: must match when present.
  std::optional<std::string> protocol_name;
  std::vector<MemberAssignment> assignments;  ///< From the leader.
};

struct SyncGroupAnswer {
  CoordinatorError error = CoordinatorError::kNone;
  std::string protocol_type;
  std::string protocol_name;
  Bytes assignment;
};

/// Who speaks, as in Heartbeat, OffsetCommit and TxnOffsetCommit.
struct GroupCaller {
  std::string group_id;
  int32_t generation = -1;  ///< Or member epoch. -1 with an empty member id: a consumer without membership.
  std::string member_id;
  std::optional<std::string> group_instance_id;
  /// Whether the request's version has member epochs (OffsetCommit v9 and up), which consumer groups insist on.
  bool knows_member_epochs = true;
};

struct LeavingMember {
  std::string member_id;
  std::optional<std::string> group_instance_id;
};
struct LeaveGroupAnswer {
  CoordinatorError error = CoordinatorError::kNone;
  std::vector<CoordinatorError> members;  ///< One for each member of the request.
};

struct CommittedOffset {
  Offset offset = kNoOffset;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_time_ms = -1;
};

/// The metadata of positions that came over the bus. They stay however old they are: pipelines and sinks commit only
/// when they get on, and go on where they were after any pause.
inline constexpr std::string_view kBusOffsetMetadata = "headrace";

struct OffsetToCommit {
  TopicPartition tp;
  CommittedOffset offset;  ///< commit_time_ms is set by the coordinator.
};

/// One error for each offset of the request, in its order.
using CommitAnswer = std::vector<CoordinatorError>;

struct FetchedOffset {
  TopicPartition tp;
  CommittedOffset offset;  ///< Offset -1: nothing committed.
  CoordinatorError error = CoordinatorError::kNone;
};

/// The protocol that a group's members speak. Share groups (KIP-932) would be a third.
enum class GroupType { kClassic, kConsumer };
/// "classic", "consumer": as Kafka's tools print them.
std::string_view to_string(GroupType type);

/// Classic groups rebalance by Preparing and CompletingRebalance, consumer groups (KIP-848) by Assigning (the
/// assignment is older than the group) and Reconciling (members are on their way to it).
enum class GroupState {
  kEmpty,
  kPreparingRebalance,
  kCompletingRebalance,
  kStable,
  kDead,
  kAssigning,
  kReconciling,
};
/// "Empty", "PreparingRebalance", ...: as Kafka's tools print them.
std::string_view to_string(GroupState state);

struct GroupListing {
  std::string group_id;
  std::string protocol_type;
  GroupState state;
  GroupType type = GroupType::kClassic;
};

struct DescribedMember {
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string client_id;
  std::string client_host;
  Bytes metadata;
  Bytes assignment;
};

/// An unknown group is described as kDead.
struct GroupDescription {
  std::string group_id;
  GroupState state = GroupState::kDead;
  std::string protocol_type;
  std::string protocol;
  int32_t generation = -1;
  std::vector<DescribedMember> members;
};

using JoinCallback = Function<void(JoinGroupAnswer)>;
using SyncCallback = Function<void(SyncGroupAnswer)>;
using LeaveCallback = Function<void(LeaveGroupAnswer)>;
using CommitCallback = Function<void(CommitAnswer)>;

}  // namespace headrace::broker
