// SyncGroup (14): hands out the assignment that the group leader made.
//
// Behavior:
// - Members wait until the leader's SyncGroup brings the assignments; REBALANCE_IN_PROGRESS sends them back to
//   JoinGroup.
//
// Version notes:
// - 3 adds static members, 4 is flexible, 5 names protocol type and name, which must then match (KIP-559).
#include "wire/kafka/messages/14_sync_group.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::SyncGroupRequest;
using wire::kafka::SyncGroupResponse;

void sync_group(const Call& call, SyncGroupRequest request, Reply<SyncGroupResponse> reply) {
  broker::SyncGroupRequest sync;
  sync.group_id = std::move(request.group_id);
  sync.generation = request.generation_id;
  sync.member_id = std::move(request.member_id);
  sync.group_instance_id = std::move(request.group_instance_id);
  sync.protocol_type = std::move(request.protocol_type);
  sync.protocol_name = std::move(request.protocol_name);
  for (auto& one : request.assignments) {
    sync.assignments.push_back({std::move(one.member_id), std::move(one.assignment)});
  }
  call.server.broker.groups().sync(std::move(sync), [reply = std::move(reply)](broker::SyncGroupAnswer answer) mutable {
    SyncGroupResponse response;
    response.error_code = wire_code(answer.error);
    if (!answer.protocol_type.empty()) response.protocol_type = std::move(answer.protocol_type);
    if (!answer.protocol_name.empty()) response.protocol_name = std::move(answer.protocol_name);
    response.assignment = std::move(answer.assignment);
    reply(response);
  });
}

}  // namespace

const Api& api_14() {
  static const Api api = make_api<14, sync_group>({.name = "SyncGroup", .versions = "0-5"});
  return api;
}

}  // namespace headrace::kafka
