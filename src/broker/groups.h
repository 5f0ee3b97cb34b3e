// The group coordinator: memberships (state machines: group_machine.h for the classic protocol,
// consumer_group_machine.h for KIP-848) and committed offsets, all durable in __consumer_offsets, in Kafka's own
// schemas. A group without members changes its protocol when somebody joins by the other one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/consumer_group_types.h"
#include "broker/group_types.h"
#include "bus/bus.h"
#include "record/producer_fields.h"

namespace headrace::broker {

/// Thread-safe; callbacks run on the caller's thread or one of the broker's, at most once, never under a lock.
class Groups {
 public:
  virtual ~Groups() = default;

  virtual void join(JoinGroupRequest request, JoinCallback done) = 0;
  virtual void sync(SyncGroupRequest request, SyncCallback done) = 0;
  virtual CoordinatorError heartbeat(const GroupCaller& caller) = 0;
  /// Members of groups of either kind; of a consumer group answered when they are gone from the disk.
  virtual void leave(std::string_view group_id, const std::vector<LeavingMember>& members, LeaveCallback done) = 0;

  /// ConsumerGroupHeartbeat (KIP-848): joins, keeps alive, confirms and leaves, as the member's epoch says.
  virtual void consumer_heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done) = 0;

  /// Answers when the offsets are on the disk.
  virtual void commit(const GroupCaller& caller, std::vector<OffsetToCommit> offsets, CommitCallback done) = 0;
  /// TxnOffsetCommit: the offsets become visible when the producer's transaction commits. The group must have been
  /// added to the transaction (Transactions::add_offsets).
  virtual void commit_in_transaction(const GroupCaller& caller, std::string_view transactional_id,
                                     record::ProducerFields producer, std::vector<OffsetToCommit> offsets,
                                     CommitCallback done) = 0;
  /// Committed offsets of `partitions`, or of everything the group committed to when there is no list. With
  /// `require_stable` a partition with a pending transactional commit answers kUnstableOffset (KIP-447).
  virtual std::vector<FetchedOffset> fetch(std::string_view group_id,
                                           const std::optional<std::vector<TopicPartition>>& partitions,
                                           bool require_stable) = 0;
  /// Whether the caller may read offsets as a member: kStaleMemberEpoch, kUnknownMember. Only consumer groups ask.
  virtual CoordinatorError check_fetch(const GroupCaller& caller) = 0;
  /// Deletes committed offsets; refused for topics that live members of the group are subscribed to.
  virtual void delete_offsets(std::string_view group_id, std::vector<TopicPartition> partitions,
                              CommitCallback done) = 0;

  virtual std::vector<GroupListing> list() = 0;
  /// Whether there is a group of any kind, be it committed offsets only.
  virtual bool contains(std::string_view group_id) = 0;
  /// A classic group, or one that is committed offsets only. Consumer groups are kDead here, as others are there.
  virtual GroupDescription describe(std::string_view group_id) = 0;
  virtual ConsumerGroupDescription describe_consumer(std::string_view group_id) = 0;
  /// Deletes an empty group with its offsets; answers when that is on the disk.
  virtual void remove(std::string_view group_id, Function<void(CoordinatorError)> done) = 0;
};

}  // namespace headrace::broker
