// DescribeAcls (29): lists access control entries.
//
// Behavior:
// - There is no authorizer: SECURITY_DISABLED, as from a Kafka broker that has none configured.
//
// Version notes:
// - 2 is flexible, 3 adds the resource type of users.
#include "wire/kafka/messages/29_describe_acls.h"
#include "kafka/api.h"
#include "kafka/no_authorizer.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeAclsRequest;
using wire::kafka::DescribeAclsResponse;

void describe_acls(const Call&, DescribeAclsRequest, Reply<DescribeAclsResponse> reply) {
  DescribeAclsResponse response;
  refuse_without_authorizer(response);
  reply(response);
}

}  // namespace

const Api& api_29() {
  static const Api api = make_api<29, describe_acls>({.name = "DescribeAcls", .versions = "1-3"});
  return api;
}

}  // namespace headrace::kafka
