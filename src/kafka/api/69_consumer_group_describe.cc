// ConsumerGroupDescribe (69): tells state, epochs and members of consumer groups (KIP-848).
//
// Behavior:
// - What is no consumer group answers GROUP_ID_NOT_FOUND, upon which admin clients ask DescribeGroups (15).
// - The assignment is what a member has, the target assignment what it is to have. Topics that are gone are left out.
//
// Version notes:
// - 1 tells the protocol that each member speaks: the classic one (0) or that of consumer groups (1).
#include "wire/kafka/messages/69_consumer_group_describe.h"

#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ConsumerGroupDescribeRequest;
using wire::kafka::ConsumerGroupDescribeResponse;
using DescribedGroup = ConsumerGroupDescribeResponse::DescribedGroup;

constexpr int8_t kClassicMember = 0;
constexpr int8_t kConsumerMember = 1;

DescribedGroup::Assignment to_wire_assignment(const broker::Broker& broker, const broker::PartitionSet& partitions) {
  DescribedGroup::Assignment out;
  std::shared_ptr<const broker::Topic> topic;
  for (const auto& item : partitions) {
    bool same = !out.topic_partitions.empty() && out.topic_partitions.back().topic_id == to_wire(item.topic);
    if (!same) {
      topic = broker.topic(item.topic);
      if (!topic) continue;
      out.topic_partitions.push_back({to_wire(item.topic), topic->name, {}});
    }
    out.topic_partitions.back().partitions.push_back(item.partition);
  }
  return out;
}

DescribedGroup::Member describe(const broker::Broker& broker, broker::DescribedConsumerMember& member) {
  DescribedGroup::Member out;
  out.member_id = std::move(member.member_id);
  out.instance_id = std::move(member.info.instance_id);
  out.rack_id = std::move(member.info.rack_id);
  out.member_epoch = member.epoch;
  out.client_id = std::move(member.info.client_id);
  out.client_host = std::move(member.info.client_host);
  out.subscribed_topic_names = {member.info.topics.begin(), member.info.topics.end()};
  out.subscribed_topic_regex = std::move(member.info.regex);
  out.assignment = to_wire_assignment(broker, member.assignment);
  out.target_assignment = to_wire_assignment(broker, member.target);
  out.member_type = member.info.classic ? kClassicMember : kConsumerMember;
  return out;
}

DescribedGroup describe(broker::Broker& broker, const std::string& id) {
  DescribedGroup out;
  out.group_id = id;
  auto group = broker.groups().describe_consumer(id);
  out.group_state = std::string(to_string(group.state));
  if (group.state == broker::GroupState::kDead) {
    out.error_code = wire_code(KafkaError::kGroupIdNotFound);
    out.error_message = "Group " + id + " is not a consumer group.";
    return out;
  }
  out.group_epoch = group.epoch;
  out.assignment_epoch = group.assignment_epoch;
  out.assignor_name = std::move(group.assignor);
  for (auto& member : group.members) out.members.push_back(describe(broker, member));
  return out;
}

void consumer_group_describe(const Call& call, ConsumerGroupDescribeRequest request,
                             Reply<ConsumerGroupDescribeResponse> reply) {
  ConsumerGroupDescribeResponse response;
  drop_repeated(request.group_ids);
  for (const auto& id : request.group_ids) {
    auto& group = response.groups.emplace_back(describe(call.server.broker, id));
    if (request.include_authorized_operations && group.error_code == 0) group.authorized_operations = kGroupOperations;
  }
  reply(response);
}

}  // namespace

const Api& api_69() {
  static const Api api = make_api<69, consumer_group_describe>({.name = "ConsumerGroupDescribe", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
