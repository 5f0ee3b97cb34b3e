// Changes of the settings of resources, for AlterConfigs and IncrementalAlterConfigs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"
#include "kafka/server_context.h"

namespace headrace::kafka {

/// IncrementalAlterConfigs' operations; append and subtract are for lists.
enum class ConfigOperation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

struct ConfigChange {
  std::string name;
  int8_t operation = static_cast<int8_t>(ConfigOperation::kSet);
  std::optional<std::string> value;
};

struct AlterConfigsOptions {
  bool replace = false;  ///< What is not named goes back to its default (AlterConfigs).
  bool validate_only = false;
};

struct AlteredConfigs {
  KafkaError error = KafkaError::kNone;
  std::string message;
};

/// All changes of one resource or none; durable on return. Blocks for the disk.
AlteredConfigs alter_configs(broker::Broker& broker, int8_t resource_type, const std::string& resource_name,
                             const std::vector<ConfigChange>& changes, const AlterConfigsOptions& options);

/// Handles a request of either API, whose messages differ in the operations only. `replace` as in AlterConfigsOptions.
/// A resource that is named more than once stays as it is: which of the changes comes last is not told.
template <typename Request, typename Response>
void alter_resources(const Call& call, Request request, Reply<Response> reply, bool replace) {
  call.run_blocking(
      [&broker = call.server.broker, replace, request = std::move(request), reply = std::move(reply)]() mutable {
        Response response;
        auto key_of = [](const auto& resource) { return std::pair(resource.resource_type, resource.resource_name); };
        auto repeated = drop_repeated(request.resources, key_of);
        for (const auto& resource : request.resources) {
          std::vector<ConfigChange> changes;
          for (const auto& config : resource.configs) {
            auto& change = changes.emplace_back();
            change.name = config.name;
            change.value = config.value;
            if constexpr (requires { config.config_operation; }) change.operation = config.config_operation;
          }
          AlteredConfigs altered{KafkaError::kInvalidRequest, "the resource is named more than once in the request"};
          if (!repeated.contains(key_of(resource))) {
            altered = alter_configs(broker, resource.resource_type, resource.resource_name, changes,
                                    {.replace = replace, .validate_only = request.validate_only});
          }
          auto& out = response.responses.emplace_back();
          out.error_code = wire_code(altered.error);
          out.error_message.reset();
          if (altered.error != KafkaError::kNone) out.error_message = std::move(altered.message);
          out.resource_type = resource.resource_type;
          out.resource_name = resource.resource_name;
        }
        reply(response);
      });
}

}  // namespace headrace::kafka
