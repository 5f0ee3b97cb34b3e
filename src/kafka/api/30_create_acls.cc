// CreateAcls (30): adds access control entries.
//
// Behavior:
// - There is no authorizer: SECURITY_DISABLED for each entry, as from a Kafka broker that has none configured.
//
// Version notes:
// - 2 is flexible, 3 adds the resource type of users.
#include "wire/kafka/messages/30_create_acls.h"
#include "kafka/api.h"
#include "kafka/no_authorizer.h"

namespace headrace::kafka {
namespace {

using wire::kafka::CreateAclsRequest;
using wire::kafka::CreateAclsResponse;

void create_acls(const Call&, CreateAclsRequest request, Reply<CreateAclsResponse> reply) {
  CreateAclsResponse response;
  response.results.resize(request.creations.size());
  for (auto& result : response.results) refuse_without_authorizer(result);
  reply(response);
}

}  // namespace

const Api& api_30() {
  static const Api api = make_api<30, create_acls>({.name = "CreateAcls", .versions = "1-3"});
  return api;
}

}  // namespace headrace::kafka
