// The records of consumer groups (KIP-848) in __consumer_offsets, as Apache Kafka 4 writes them (its schemas
// ConsumerGroupMetadata, ConsumerGroupMemberMetadata, ConsumerGroupTargetAssignmentMetadata,
// ConsumerGroupTargetAssignmentMember and ConsumerGroupCurrentMemberAssignment), so that Kafka's own tools read ours.
//
//   key            := type:i16 group:string (member:string, where the record is a member's)
//   group value    := version:i16(=0) epoch:i32 tags(0: metadata_hash:i64)                                   type 3
//   member value   := version:i16(=0) instance:text? rack:text? client_id:text client_host:text
//                     topic:text[] regex:text? rebalance_timeout_ms:i32 assignor:text? tags(0: classic)      type 5
//   classic        := 1 session_timeout_ms:i32 (name:text metadata:bytes tags)[] tags
//   target epoch   := version:i16(=0) epoch:i32 tags                                                         type 6
//   target member  := version:i16(=0) partitions[] tags                                                      type 7
//   current member := version:i16(=0) epoch:i32 previous_epoch:i32 state:i8 assigned:partitions[]
//                     revoking:partitions[] tags                                                             type 8
//   partitions     := topic_id:16 partition:i32[] tags
//   text, x[], ... := KIP-482's compact forms (unsigned varint of the size plus one);  string := as in offsets_schema.h
//   tags           := KIP-482's tagged fields; unknown ones are skipped
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/group_types.h"
#include "broker/partition_set.h"
#include "broker/state_log.h"

namespace headrace::broker {

enum class ConsumerRecordType : int16_t {
  kGroup = 3,
  kPartitionMetadata = 4,  ///< Written by Kafka 4.0 only; not read.
  kMember = 5,
  kTargetEpoch = 6,
  kTargetMember = 7,
  kCurrentMember = 8,
  kRegularExpression = 16,  ///< What a regular expression matched; found anew instead of read.
};

struct ConsumerRecordKey {
  ConsumerRecordType type = ConsumerRecordType::kGroup;
  std::string group_id;
  std::string member_id;  ///< Empty in a record of the group's.
  friend bool operator==(const ConsumerRecordKey&, const ConsumerRecordKey&) = default;
};

/// Where a member is on its way to the target assignment. The numbers are the format's.
enum class MemberState : int8_t {
  kStable = 0,
  kUnrevokedPartitions = 1,   ///< It has been told to give partitions up and has not confirmed that.
  kUnreleasedPartitions = 2,  ///< It waits for partitions that others have not given up.
};

struct StoredConsumerGroupEpoch {
  int32_t epoch = 0;
  int64_t metadata_hash = 0;  ///< Of the topics that were subscribed to, at that epoch.
  friend bool operator==(const StoredConsumerGroupEpoch&, const StoredConsumerGroupEpoch&) = default;
};

/// What a member says of itself that speaks the classic protocol in a consumer group.
struct ClassicMemberInfo {
  int32_t session_timeout_ms = 0;
  std::vector<GroupProtocol> protocols;
  friend bool operator==(const ClassicMemberInfo&, const ClassicMemberInfo&) = default;
};

/// What a member said of itself.
struct ConsumerMemberInfo {
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;
  std::set<std::string> topics;
  std::optional<std::string> regex;
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::string> assignor;
  std::optional<ClassicMemberInfo> classic;  ///< Where it does not speak the consumer protocol.
  friend bool operator==(const ConsumerMemberInfo&, const ConsumerMemberInfo&) = default;
};

/// What a member has.
struct CurrentAssignment {
  int32_t epoch = 0;
  int32_t previous_epoch = -1;
  MemberState state = MemberState::kStable;
  PartitionSet assigned;
  PartitionSet revoking;  ///< Told to give up, not confirmed; nobody else may have them.
  friend bool operator==(const CurrentAssignment&, const CurrentAssignment&) = default;
};

/// A consumer group as its records say.
struct StoredConsumerGroup {
  struct Member {
    std::optional<ConsumerMemberInfo> info;  ///< Without it the member is gone and the rest is left over.
    PartitionSet target;
    CurrentAssignment current;
  };
  std::optional<StoredConsumerGroupEpoch> epoch;  ///< Without it the group is gone.
  int32_t target_epoch = 0;
  std::map<std::string, Member> members;
};

std::string encode_consumer_key(const ConsumerRecordKey& key);
Bytes encode_consumer_epoch(const StoredConsumerGroupEpoch& epoch);
Bytes encode_consumer_member(const ConsumerMemberInfo& info);
Bytes encode_target_epoch(int32_t epoch);
Bytes encode_target_member(const PartitionSet& target);
Bytes encode_current_member(const CurrentAssignment& current);

/// Nothing: a key that is not a consumer group's.
Result<std::optional<ConsumerRecordKey>> decode_consumer_key(std::string_view key);
Result<StoredConsumerGroupEpoch> decode_consumer_epoch(std::string_view value);
Result<ConsumerMemberInfo> decode_consumer_member(std::string_view value);
Result<int32_t> decode_target_epoch(std::string_view value);
Result<PartitionSet> decode_target_member(std::string_view value);
Result<CurrentAssignment> decode_current_member(std::string_view value);

/// Replays one record (no value: a tombstone) into what was read so far, by group id. The order of records of different
/// keys does not matter, so a compacted log reads as the whole one.
Status replay_consumer_record(const ConsumerRecordKey& key, std::optional<std::string_view> value,
                              std::map<std::string, StoredConsumerGroup>& groups);

}  // namespace headrace::broker
