// DescribeUserScramCredentials (50): lists users with SCRAM credentials.
//
// Behavior:
// - There are no users: an empty list when all are asked for, RESOURCE_NOT_FOUND for each that is named. kafka-configs
//   asks this whenever it describes users.
#include "wire/kafka/messages/50_describe_user_scram_credentials.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeUserScramCredentialsRequest;
using wire::kafka::DescribeUserScramCredentialsResponse;

void describe_user_scram_credentials(const Call&, DescribeUserScramCredentialsRequest request,
                                     Reply<DescribeUserScramCredentialsResponse> reply) {
  DescribeUserScramCredentialsResponse response;
  response.error_message.reset();
  auto users = std::move(request.users).value_or(std::vector<DescribeUserScramCredentialsRequest::UserName>());
  drop_repeated(users, [](const auto& user) -> const std::string& { return user.name; });
  for (const auto& user : users) {
    auto& out = response.results.emplace_back();
    out.user = user.name;
    out.error_code = wire_code(KafkaError::kResourceNotFound);
    out.error_message = "there are no SCRAM credentials of this user";
  }
  reply(response);
}

}  // namespace

const Api& api_50() {
  static const Api api =
      make_api<50, describe_user_scram_credentials>({.name = "DescribeUserScramCredentials", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
