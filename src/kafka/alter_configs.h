// Changes of the settings of resources, for AlterConfigs and IncrementalAlterConfigs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/errors.h"
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

}  // namespace headrace::kafka
