// JoinGroup (11): makes a consumer a member of a group.
//
// Behavior:
// - Answers when the rebalance that it causes or joins is through its join phase; the leader hears of all members.
// - A new dynamic member is first told its id with MEMBER_ID_REQUIRED and joins again with it (KIP-394).
//
// Version notes:
// - 1 adds the rebalance time-out (before, the session time-out is both), 4 requires known member ids, 5 adds static
//   members, 6 is flexible, 7 answers the protocol type and may answer a null protocol name, 9 lets the leader skip
//   assignment (KIP-814).
#include "wire/kafka/messages/11_join_group.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using std::chrono::milliseconds;
using wire::kafka::JoinGroupRequest;
using wire::kafka::JoinGroupResponse;

constexpr int16_t kRebalanceTimeoutSince = 1;
constexpr int16_t kKnownMemberIdSince = 4;
constexpr int16_t kProtocolTypeSince = 7;
constexpr int16_t kSkipAssignmentSince = 9;

broker::JoinGroupRequest to_broker(const Call& call, JoinGroupRequest& request) {
  broker::JoinGroupRequest join;
  join.group_id = std::move(request.group_id);
  join.member_id = std::move(request.member_id);
  join.group_instance_id = std::move(request.group_instance_id);
  join.client_id = call.client_id;
  join.client_host = "/" + call.peer.client_host;
  join.session_timeout = milliseconds(request.session_timeout_ms);
  bool has_own = call.version >= kRebalanceTimeoutSince && request.rebalance_timeout_ms >= 0;
  join.rebalance_timeout = milliseconds(has_own ? request.rebalance_timeout_ms : request.session_timeout_ms);
  join.protocol_type = std::move(request.protocol_type);
  for (auto& protocol : request.protocols) {
    join.protocols.push_back({std::move(protocol.name), std::move(protocol.metadata)});
  }
  join.require_known_member_id = call.version >= kKnownMemberIdSince;
  join.supports_skip_assignment = call.version >= kSkipAssignmentSince;
  return join;
}

JoinGroupResponse to_wire(broker::JoinGroupAnswer& answer, int16_t version) {
  JoinGroupResponse response;
  response.error_code = wire_code(answer.error);
  response.generation_id = answer.generation;
  if (!answer.protocol_type.empty()) response.protocol_type = std::move(answer.protocol_type);
  response.protocol_name = std::move(answer.protocol_name);
  if (version < kProtocolTypeSince && !response.protocol_name) response.protocol_name = "";
  response.leader = std::move(answer.leader);
  response.skip_assignment = answer.skip_assignment;
  response.member_id = std::move(answer.member_id);
  for (auto& member : answer.members) {
    response.members.push_back(
        {std::move(member.member_id), std::move(member.group_instance_id), std::move(member.metadata)});
  }
  return response;
}

void join_group(const Call& call, JoinGroupRequest request, Reply<JoinGroupResponse> reply) {
  call.server.broker.groups().join(to_broker(call, request),
                                   [reply = std::move(reply), version = call.version](
                                       broker::JoinGroupAnswer answer) mutable { reply(to_wire(answer, version)); });
}

}  // namespace

const Api& api_11() {
  static const Api api = make_api<11, join_group>({.name = "JoinGroup", .versions = "0-9"});
  return api;
}

}  // namespace headrace::kafka
