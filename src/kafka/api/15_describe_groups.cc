// DescribeGroups (15): tells state and members of groups.
//
// Behavior:
// - A group that does not exist, or is a consumer group (KIP-848, see ConsumerGroupDescribe), is described as "Dead",
//   and from version 6 on with GROUP_ID_NOT_FOUND.
//
// Version notes:
// - 3 adds allowed operations, 4 static members, 5 is flexible, 6 the error message.
#include "wire/kafka/messages/15_describe_groups.h"
#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeGroupsRequest;
using wire::kafka::DescribeGroupsResponse;

constexpr int16_t kNotFoundSince = 6;

DescribeGroupsResponse::DescribedGroup describe(broker::Groups& groups, const std::string& id, int16_t version) {
  auto group = groups.describe(id);
  DescribeGroupsResponse::DescribedGroup out;
  out.group_id = id;
  out.group_state = std::string(to_string(group.state));
  out.protocol_type = std::move(group.protocol_type);
  out.protocol_data = std::move(group.protocol);
  if (group.state == broker::GroupState::kDead && version >= kNotFoundSince) {
    out.error_code = wire_code(KafkaError::kGroupIdNotFound);
    out.error_message = "Group " + id + " not found.";
  }
  for (auto& member : group.members) {
    out.members.push_back({std::move(member.member_id), std::move(member.group_instance_id),
                           std::move(member.client_id), std::move(member.client_host), std::move(member.metadata),
                           std::move(member.assignment)});
  }
  return out;
}

void describe_groups(const Call& call, DescribeGroupsRequest request, Reply<DescribeGroupsResponse> reply) {
  DescribeGroupsResponse response;
  drop_repeated(request.groups);
  for (const auto& id : request.groups) {
    auto& group = response.groups.emplace_back(describe(call.server.broker.groups(), id, call.version));
    if (request.include_authorized_operations) group.authorized_operations = kGroupOperations;
  }
  reply(response);
}

}  // namespace

const Api& api_15() {
  static const Api api = make_api<15, describe_groups>({.name = "DescribeGroups", .versions = "0-6"});
  return api;
}

}  // namespace headrace::kafka
