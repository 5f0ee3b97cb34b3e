// DeleteAcls (31): removes access control entries.
//
// Behavior:
// - There is no authorizer: SECURITY_DISABLED for each filter, as from a Kafka broker that has none configured.
//
// Version notes:
// - 2 is flexible, 3 adds the resource type of users.
#include "wire/kafka/messages/31_delete_acls.h"
#include "kafka/api.h"
#include "kafka/no_authorizer.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DeleteAclsRequest;
using wire::kafka::DeleteAclsResponse;

void delete_acls(const Call&, DeleteAclsRequest request, Reply<DeleteAclsResponse> reply) {
  DeleteAclsResponse response;
  response.filter_results.resize(request.filters.size());
  for (auto& result : response.filter_results) refuse_without_authorizer(result);
  reply(response);
}

}  // namespace

const Api& api_31() {
  static const Api api = make_api<31, delete_acls>({.name = "DeleteAcls", .versions = "1-3"});
  return api;
}

}  // namespace headrace::kafka
