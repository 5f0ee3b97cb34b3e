#include "broker/group_migration.h"

#include <algorithm>
#include <map>

#include "broker/consumer_protocol.h"

namespace headrace::broker {
namespace {

Error can_not_go(const StoredGroup& group, std::string_view why) {
  return {ErrorCode::kInvalidArgument,
          "Group " + group.group_id + " can't go on as a consumer group: " + std::string(why)};
}

Result<ConsumerMemberInfo> info_of(const StoredGroup& group, const StoredGroup::Member& member) {
  if (member.protocols.empty()) return can_not_go(group, "a member supports no protocol.");
  auto subscription = decode_subscription(member.protocols.front().metadata);
  if (!subscription.ok()) return can_not_go(group, subscription.error().message);
  return ConsumerMemberInfo{
      .instance_id = member.group_instance_id,
      .rack_id = std::move(subscription->rack),
      .client_id = member.client_id,
      .client_host = member.client_host,
      .topics = std::move(subscription->topics),
      .rebalance_timeout_ms = member.rebalance_timeout_ms,
      .classic = ClassicMemberInfo{.session_timeout_ms = member.session_timeout_ms, .protocols = member.protocols}};
}

struct Had {
  PartitionSet told;    ///< By the group's generation.
  PartitionSet before;  ///< By the one before.
};

Result<Had> partitions_of(const StoredGroup& group, const StoredGroup::Member& member, const TopicView& topics) {
  auto now = decode_assignment(member.assignment), before = decode_assignment(member.previous_assignment);
  if (!now.ok()) return can_not_go(group, now.error().message);
  if (!before.ok()) return can_not_go(group, before.error().message);
  if (now->has_user_data) {
    return can_not_go(group, "an unsupported custom assignor is in use, whose user data would be lost.");
  }
  return Had{.told = member.told ? ids_of(now->partitions, topics) : PartitionSet(),
             .before = ids_of(before->partitions, topics)};
}

}  // namespace

PartitionSet ids_of(const std::vector<NamedPartitions>& partitions, const TopicView& topics) {
  std::vector<TopicIdPartition> items;
  for (const NamedPartitions& topic : partitions) {
    auto entry = topics.find_entry(topic.topic);
    if (!entry) continue;
    for (int32_t partition : topic.partitions) items.push_back({entry->id, partition});
  }
  return PartitionSet(std::move(items));
}

Bytes encode_assignment(const ClassicMemberInfo& member, const PartitionSet& partitions, const TopicView& topics) {
  std::map<Uuid, std::vector<int32_t>> by_topic;
  for (const TopicIdPartition& item : partitions) by_topic[item.topic].push_back(item.partition);
  std::vector<NamedPartitions> named;
  for (auto& [id, numbers] : by_topic) {
    if (auto name = topics.find_name(id)) named.push_back({*std::move(name), std::move(numbers)});
  }
  std::sort(named.begin(), named.end(), [](const auto& a, const auto& b) { return a.topic < b.topic; });
  auto subscription = decode_subscription(member.protocols.front().metadata);
  return encode_assignment(subscription.ok() ? subscription->version : int16_t{0}, named);
}

Result<StoredConsumerGroup> to_consumer_group(const StoredGroup& group, const TopicView& topics) {
  if (group.protocol_type != kConsumerProtocolType) return can_not_go(group, "it does not use the consumer protocol.");
  StoredConsumerGroup out{
      .epoch = StoredConsumerGroupEpoch{.epoch = group.generation}, .target_epoch = group.generation, .members = {}};
  std::map<std::string, Had> had;
  for (const StoredGroup::Member& from : group.members) {
    ASSIGN_OR_RETURN(out.members[from.member_id].info, info_of(group, from));
    ASSIGN_OR_RETURN(had[from.member_id], partitions_of(group, from, topics));
  }
  // What a member was told is its own. What members may have besides, of the generation before, nobody gets before they
  // have joined without it.
  PartitionSet taken;
  for (const auto& [id, partitions] : had) taken = taken.plus(partitions.told);
  for (const auto& [id, partitions] : had) {
    PartitionSet may_have = partitions.before.minus(taken);
    taken = taken.plus(may_have);
    StoredConsumerGroup::Member& member = out.members[id];
    member.target = partitions.told;
    member.current = {.epoch = group.generation,
                      .previous_epoch = group.generation,
                      .state = may_have.empty() ? MemberState::kStable : MemberState::kUnrevokedPartitions,
                      .assigned = partitions.told,
                      .revoking = std::move(may_have)};
  }
  return out;
}

StoredGroup to_classic_group(const std::string& id, const StoredConsumerGroup& group, const TopicView& topics,
                             int64_t now_ms) {
  StoredGroup out{.group_id = id,
                  .protocol_type = std::string(kConsumerProtocolType),
                  .generation = group.target_epoch,
                  .state_time_ms = now_ms,
                  .members = {}};
  for (const auto& [member_id, from] : group.members) {
    const ConsumerMemberInfo& info = *from.info;
    PartitionSet had = from.current.assigned.plus(from.current.revoking);
    out.members.push_back({.member_id = member_id,
                           .group_instance_id = info.instance_id,
                           .client_id = info.client_id,
                           .client_host = info.client_host,
                           .rebalance_timeout_ms = info.rebalance_timeout_ms,
                           .session_timeout_ms = info.classic->session_timeout_ms,
                           .assignment = encode_assignment(*info.classic, had, topics),
                           .protocols = info.classic->protocols});
  }
  return out;
}

}  // namespace headrace::broker
