// ConsumerGroupHeartbeat (68): the life of a member of a consumer group (KIP-848).
//
// Behavior:
// - Member epoch 0 joins, -1 leaves, -2 is a static member's leave for a while; any other must be the one that the
//   coordinator knows (FENCED_MEMBER_EPOCH).
// - Answered when what the answer rests on is on the disk. The assignment is in it when it has changed or the member
//   has told everything of itself.
// - A classic group becomes a consumer group, with its members; GROUP_ID_NOT_FOUND where they can't go along: they are
//   no consumers, or a custom assignor tells them more than partitions.
// - Regular expressions are RE2's, match whole names, and none of the broker's own topics.
//
// Version notes:
// - 1 has member ids chosen by the members, and regular expressions (KIP-1082).
#include "wire/kafka/messages/68_consumer_group_heartbeat.h"

#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ConsumerGroupHeartbeatRequest;
using wire::kafka::ConsumerGroupHeartbeatResponse;

constexpr int16_t kMemberIdRequiredSince = 1;

broker::ConsumerHeartbeatRequest to_broker(const Call& call, ConsumerGroupHeartbeatRequest& request) {
  broker::ConsumerHeartbeatRequest out;
  out.group_id = std::move(request.group_id);
  out.member_id = std::move(request.member_id);
  out.member_epoch = request.member_epoch;
  out.instance_id = std::move(request.instance_id);
  out.rack_id = std::move(request.rack_id);
  out.client_id = call.client_id;
  out.client_host = "/" + call.peer.client_host;
  if (request.rebalance_timeout_ms >= 0) {
    out.rebalance_timeout = std::chrono::milliseconds(request.rebalance_timeout_ms);
  }
  out.topics = std::move(request.subscribed_topic_names);
  out.regex = std::move(request.subscribed_topic_regex);
  out.assignor = std::move(request.server_assignor);
  if (request.topic_partitions) {
    std::vector<broker::TopicIdPartition> owned;
    for (const auto& topic : *request.topic_partitions) {
      for (int32_t partition : topic.partitions) owned.push_back({from_wire(topic.topic_id), partition});
    }
    out.owned = broker::PartitionSet(std::move(owned));
  }
  out.member_id_required = call.version >= kMemberIdRequiredSince;
  return out;
}

ConsumerGroupHeartbeatResponse::Assignment to_wire_assignment(const broker::PartitionSet& partitions) {
  ConsumerGroupHeartbeatResponse::Assignment out;
  for (const auto& item : partitions) {
    auto id = to_wire(item.topic);
    if (out.topic_partitions.empty() || out.topic_partitions.back().topic_id != id) {
      out.topic_partitions.push_back({id, {}});
    }
    out.topic_partitions.back().partitions.push_back(item.partition);
  }
  return out;
}

void consumer_group_heartbeat(const Call& call, ConsumerGroupHeartbeatRequest request,
                              Reply<ConsumerGroupHeartbeatResponse> reply) {
  call.server.broker.groups().consumer_heartbeat(
      to_broker(call, request), [reply = std::move(reply)](broker::ConsumerHeartbeatAnswer answer) mutable {
        ConsumerGroupHeartbeatResponse response;
        response.error_code = wire_code(answer.error);
        if (!answer.message.empty()) response.error_message = std::move(answer.message);
        if (answer.error == broker::CoordinatorError::kNone) {
          response.member_id = std::move(answer.member_id);
          response.member_epoch = answer.member_epoch;
          response.heartbeat_interval_ms = static_cast<int32_t>(answer.heartbeat_interval.count());
        }
        if (answer.assignment) response.assignment = to_wire_assignment(*answer.assignment);
        reply(response);
      });
}

}  // namespace

const Api& api_68() {
  static const Api api = make_api<68, consumer_group_heartbeat>({.name = "ConsumerGroupHeartbeat", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
