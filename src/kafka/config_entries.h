// Settings as DescribeConfigs and CreateTopics tell them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/topic_config.h"
#include "kafka/server_context.h"

namespace headrace::kafka {

/// ConfigResource types of the protocol.
enum class ResourceType : int8_t { kTopic = 2, kBroker = 4, kBrokerLogger = 8, kClientMetrics = 16, kGroup = 32 };

/// Where a value comes from (KIP-226).
enum class ConfigSource : int8_t {
  kTopic = 1,
  kStaticBroker = 4,
  kDefault = 5,
  kBrokerLogger = 6,
  kClientMetrics = 7,
  kGroup = 8,
};

int8_t wire_type(broker::ConfigType type);
/// The source of a topic option's value.
int8_t wire_source(const broker::ConfigEntry& entry);

/// Kafka's name of the broker-wide setting that gives a topic option its default; nothing for options that it lacks.
std::optional<std::string_view> broker_default_of(std::string_view topic_option);

/// The settings of a resource that Settings keeps, sorted.
std::vector<broker::ConfigEntry> describe_settings(broker::Broker& broker, broker::ResourceKind kind,
                                                   std::string_view name);
/// kInvalidArgument: such settings can't be put on a resource of the kind.
Status check_settings(const broker::Broker& broker, broker::ResourceKind kind, const broker::ConfigMap& configs);

/// The one logger of the broker.
inline constexpr std::string_view kRootLogger = "root";
/// Its level under log4j's name: "DEBUG", "INFO", "WARN", "ERROR".
std::string_view root_level();
/// kInvalidArgument: no such level.
Status set_root_level(std::string_view level, bool validate_only);

/// The broker's settings under Kafka's names, sorted; `is_default` where the value is what holds when nobody sets it.
std::vector<broker::ConfigEntry> broker_configs(const ServerContext& server, const Peer& peer);

}  // namespace headrace::kafka
