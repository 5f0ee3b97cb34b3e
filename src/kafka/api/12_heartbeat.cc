// Heartbeat (12): keeps a group member alive.
//
// Behavior:
// - REBALANCE_IN_PROGRESS tells the member to join again; UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION and FENCED_INSTANCE_ID
//   that it is no longer one.
//
// Version notes:
// - 1 adds the throttle time, 3 static members, 4 is flexible.
#include "wire/kafka/messages/12_heartbeat.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::HeartbeatRequest;
using wire::kafka::HeartbeatResponse;

void heartbeat(const Call& call, HeartbeatRequest request, Reply<HeartbeatResponse> reply) {
  HeartbeatResponse response;
  response.error_code = wire_code(call.server.broker.groups().heartbeat(
      {request.group_id, request.generation_id, request.member_id, request.group_instance_id}));
  reply(response);
}

}  // namespace

const Api& api_12() {
  static const Api api = make_api<12, heartbeat>({.name = "Heartbeat", .versions = "0-4"});
  return api;
}

}  // namespace headrace::kafka
