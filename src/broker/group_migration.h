// A group from one protocol to the other while its members run (KIP-848, "Online migration"): each machine's state as
// the other one's, and what a member of the classic protocol calls its partitions. Pure functions.
#pragma once

#include "broker/consumer_group_schema.h"
#include "broker/consumer_protocol.h"
#include "broker/group_machine.h"
#include "broker/topic_view.h"

namespace headrace::broker {

/// Every member keeps what it was assigned, at an epoch that is the group's generation, and is to give up what it may
/// have besides. An error that says why, to be told to who asked for it, where the group does not assign partitions by
/// the consumer protocol, or tells its members more than those.
Result<StoredConsumerGroup> to_consumer_group(const StoredGroup& group, const TopicView& topics);

/// A group of which all members are of the classic protocol, each with what it may have. The generation is the highest
/// epoch that a member may have.
StoredGroup to_classic_group(const std::string& id, const StoredConsumerGroup& group, const TopicView& topics,
                             int64_t now_ms);

/// Without those of topics that are gone.
PartitionSet ids_of(const std::vector<NamedPartitions>& partitions, const TopicView& topics);
/// What SyncGroup gives to a member that has these partitions, in a version that it reads.
Bytes encode_assignment(const ClassicMemberInfo& member, const PartitionSet& partitions, const TopicView& topics);

}  // namespace headrace::broker
