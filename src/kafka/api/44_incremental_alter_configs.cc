// IncrementalAlterConfigs (44): changes single settings of topics and of subscriptions to client metrics.
//
// Behavior:
// - Per resource all changes or none, on the disk before the answer. Operations: set (0), delete (1) to the default;
//   append (2) and subtract (3) for lists. The broker's own settings come from its configuration file: INVALID_REQUEST.
//
// Version notes:
// - 1 is flexible.
#include "wire/kafka/messages/44_incremental_alter_configs.h"
#include "kafka/alter_configs.h"
#include "kafka/api.h"

namespace headrace::kafka {
namespace {

using wire::kafka::IncrementalAlterConfigsRequest;
using wire::kafka::IncrementalAlterConfigsResponse;
using Resource = IncrementalAlterConfigsRequest::AlterConfigsResource;

IncrementalAlterConfigsResponse::AlterConfigsResourceResponse alter(broker::Broker& broker, const Resource& resource,
                                                                    bool validate_only) {
  std::vector<ConfigChange> changes;
  for (const auto& config : resource.configs) changes.push_back({config.name, config.config_operation, config.value});
  auto altered = alter_configs(broker, resource.resource_type, resource.resource_name, changes,
                               {.replace = false, .validate_only = validate_only});
  IncrementalAlterConfigsResponse::AlterConfigsResourceResponse out;
  out.error_code = wire_code(altered.error);
  out.error_message.reset();
  if (altered.error != KafkaError::kNone) out.error_message = altered.message;
  out.resource_type = resource.resource_type;
  out.resource_name = resource.resource_name;
  return out;
}

void incremental_alter_configs(const Call& call, IncrementalAlterConfigsRequest request,
                               Reply<IncrementalAlterConfigsResponse> reply) {
  call.server.blocking.run(
      [&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
        IncrementalAlterConfigsResponse response;
        for (const auto& resource : request.resources) {
          response.responses.push_back(alter(broker, resource, request.validate_only));
        }
        reply(response);
      });
}

}  // namespace

const Api& api_44() {
  static const Api api =
      make_api<44, incremental_alter_configs>({.name = "IncrementalAlterConfigs", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
