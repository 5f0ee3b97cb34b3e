// LeaveGroup (13): takes members out of a group, at once and without waiting for their session time-out.
//
// Behavior:
// - From version 3 on the members are listed, each with an answer of its own; the top-level error is for the group.
// - Members of consumer groups (KIP-848) are removed as well, by their member or instance ids: admin clients ask so.
//
// Version notes:
// - 0-2 name a single member, whose error is the top-level one. 3 lists members, static ones too. 4 is flexible, 5 adds
//   a reason, which is not used.
#include "wire/kafka/messages/13_leave_group.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::LeaveGroupRequest;
using wire::kafka::LeaveGroupResponse;

constexpr int16_t kSeveralMembersSince = 3;

LeaveGroupResponse to_wire(const broker::LeaveGroupAnswer& answer, std::vector<broker::LeavingMember> leaving,
                           int16_t version) {
  LeaveGroupResponse response;
  response.error_code = wire_code(answer.error);
  if (version < kSeveralMembersSince) {
    bool single = answer.error == broker::CoordinatorError::kNone && !answer.members.empty();
    if (single) response.error_code = wire_code(answer.members[0]);
    return response;
  }
  for (size_t i = 0; i < answer.members.size() && i < leaving.size(); ++i) {
    response.members.push_back(
        {std::move(leaving[i].member_id), std::move(leaving[i].group_instance_id), wire_code(answer.members[i])});
  }
  return response;
}

void leave_group(const Call& call, LeaveGroupRequest request, Reply<LeaveGroupResponse> reply) {
  std::vector<broker::LeavingMember> leaving;
  if (call.version < kSeveralMembersSince) leaving.push_back({request.member_id, std::nullopt});
  for (const auto& member : request.members) leaving.push_back({member.member_id, member.group_instance_id});
  call.server.broker.groups().leave(
      request.group_id, leaving,
      [leaving, version = call.version, reply = std::move(reply)](const broker::LeaveGroupAnswer& answer) mutable {
        reply(to_wire(answer, std::move(leaving), version));
      });
}

}  // namespace

const Api& api_13() {
  static const Api api = make_api<13, leave_group>({.name = "LeaveGroup", .versions = "0-5"});
  return api;
}

}  // namespace headrace::kafka
