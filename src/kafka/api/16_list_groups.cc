// ListGroups (16): lists the groups of this broker.
//
// Behavior:
// - Types are "classic" and "consumer" (KIP-848). Filters compare without regard to case; an empty filter lets
//   everything pass.
//
// Version notes:
// - 3 is flexible, 4 adds states, 5 types.
#include <strings.h>

#include <algorithm>

#include "kafka/api.h"
#include "kafka/errors.h"
#include "wire/kafka/messages/16_list_groups.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ListGroupsRequest;
using wire::kafka::ListGroupsResponse;

bool passes(const std::vector<std::string>& filter, const std::string& value) {
  return filter.empty() || std::any_of(filter.begin(), filter.end(), [&](const std::string& wanted) {
           return strcasecmp(wanted.c_str(), value.c_str()) == 0;
         });
}

void list_groups(const Call& call, ListGroupsRequest request, Reply<ListGroupsResponse> reply) {
  ListGroupsResponse response;
  for (auto& group : call.server.broker.groups().list()) {
    std::string state(to_string(group.state));
    std::string type(to_string(group.type));
    if (!passes(request.states_filter, state) || !passes(request.types_filter, type)) continue;
    response.groups.push_back(
        {std::move(group.group_id), std::move(group.protocol_type), std::move(state), std::move(type)});
  }
  reply(response);
}

}  // namespace

const Api& api_16() {
  static const Api api = make_api<16, list_groups>({.name = "ListGroups", .versions = "0-5"});
  return api;
}

}  // namespace headrace::kafka
