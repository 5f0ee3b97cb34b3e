// The section `broker`.
#include <fmt/format.h>

#include "app/config/option_reader.h"
#include "app/config/readers.h"
#include "app/config/sections.h"
#include "app/config/topic_properties.h"

namespace headrace::app {
namespace {

BrokerConfig broker_config(const flow::Options& options) {
  auto size = [&](std::string_view name) { return static_cast<size_t>(options.integer(name)); };
  BrokerConfig broker{.auto_create_topics = options.boolean("auto_create_topics"),
                      .default_partitions = static_cast<int32_t>(options.integer("default_partitions")),
                      .topic_defaults = {},
                      .retention_check_interval = options.duration("retention_check_interval"),
                      .compaction_interval = options.duration("compaction_interval"),
                      .group_initial_rebalance_delay = options.duration("group_initial_rebalance_delay"),
                      .group_session_timeout_min = options.duration("group_session_timeout_min"),
                      .group_session_timeout_max = options.duration("group_session_timeout_max"),
                      .group_members_max = size("group_members_max"),
                      .groups_max = size("groups_max"),
                      .offsets_retention = options.duration("offsets_retention"),
                      .consumer_group_session_timeout = options.duration("consumer_group_session_timeout"),
                      .consumer_group_heartbeat_interval = options.duration("consumer_group_heartbeat_interval"),
                      .transaction_timeout_max = options.duration("transaction_timeout_max"),
                      .transactional_id_expiration = options.duration("transactional_id_expiration"),
                      .transactional_id_cleanup_interval = options.duration("transactional_id_cleanup_interval"),
                      .transactional_ids_max = size("transactional_ids_max"),
                      .producer_id_expiration = options.duration("producer_id_expiration"),
                      .connection_idle_max = options.duration("connection_idle_max"),
                      .request_bytes_max = size("request_bytes_max"),
                      .fetch_bytes_max = options.integer("fetch_bytes_max"),
                      .partitions_max = static_cast<int32_t>(options.integer("partitions_max"))};
  if (options.has("disk_reserve")) broker.disk_reserve_bytes = options.integer("disk_reserve");
  if (options.has("open_files_max")) broker.open_files_max = size("open_files_max");
  return broker;
}

void read_topic_defaults(const YamlNode& node, BrokerConfig& broker, Problems& problems) {
  constexpr std::string_view kWhere = "broker: topic_defaults";
  for (const YamlEntry& property : node.map) {
    if (property.value.kind != YamlNode::Kind::kScalar) continue;  // read_options() has told it.
    read_topic_property(property, kWhere, broker.topic_defaults, problems);
  }
  check_together(node, kWhere, broker.topic_defaults, {}, problems);
}

}  // namespace

void read_broker(const YamlNode& node, Config& config, Problems& problems) {
  BrokerConfig& broker = config.broker;
  broker = broker_config(read_options(node, kBrokerSpec, "broker", problems));
  if (const YamlNode* defaults = node.find("topic_defaults")) read_topic_defaults(*defaults, broker, problems);
  if (broker.consumer_group_heartbeat_interval >= broker.consumer_group_session_timeout) {
    problems.add(place_in(node, "consumer_group_heartbeat_interval"),
                 "broker: consumer_group_heartbeat_interval: must be less than consumer_group_session_timeout, or "
                 "every member is silent for too long");
  }
  if (broker.group_session_timeout_min > broker.group_session_timeout_max) {
    problems.add(place_in(node, "group_session_timeout_min"),
                 "broker: group_session_timeout_min: must be at most group_session_timeout_max, or no member of a "
                 "classic group can join");
  }
}

}  // namespace headrace::app
