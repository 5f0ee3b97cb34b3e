// AlterConfigs (33): replaces all settings of resources. IncrementalAlterConfigs took its place.
//
// Behavior:
// - What is not named goes back to its default. Per resource all or nothing, on the disk before the answer. Resources:
//   topics and subscriptions to client metrics.
//
// Version notes:
// - 2 is flexible.
#include "wire/kafka/messages/33_alter_configs.h"
#include "kafka/alter_configs.h"
#include "kafka/api.h"

namespace headrace::kafka {
namespace {

using wire::kafka::AlterConfigsRequest;
using wire::kafka::AlterConfigsResponse;
using Resource = AlterConfigsRequest::AlterConfigsResource;

AlterConfigsResponse::AlterConfigsResourceResponse alter(broker::Broker& broker, const Resource& resource,
                                                         bool validate_only) {
  std::vector<ConfigChange> changes;
  for (const auto& config : resource.configs) changes.push_back({.name = config.name, .value = config.value});
  auto altered = alter_configs(broker, resource.resource_type, resource.resource_name, changes,
                               {.replace = true, .validate_only = validate_only});
  AlterConfigsResponse::AlterConfigsResourceResponse out;
  out.error_code = wire_code(altered.error);
  out.error_message.reset();
  if (altered.error != KafkaError::kNone) out.error_message = altered.message;
  out.resource_type = resource.resource_type;
  out.resource_name = resource.resource_name;
  return out;
}

void alter_all(const Call& call, AlterConfigsRequest request, Reply<AlterConfigsResponse> reply) {
  call.server.blocking.run(
      [&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
        AlterConfigsResponse response;
        for (const auto& resource : request.resources) {
          response.responses.push_back(alter(broker, resource, request.validate_only));
        }
        reply(response);
      });
}

}  // namespace

const Api& api_33() {
  static const Api api = make_api<33, alter_all>({.name = "AlterConfigs", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
