// The section `broker`.
#include <fmt/format.h>

#include "app/config/option_reader.h"
#include "app/config/readers.h"
#include "app/config/sections.h"
#include "app/config/topic_properties.h"

namespace headrace::app {
namespace {

BrokerConfig broker_config(const flow::Options& file) {
  auto size = [&](std::string_view name) { return static_cast<size_t>(file.integer(name)); };
  BrokerConfig broker;
  broker::BrokerOptions& options = broker.options;
  options.auto_create_topics = file.boolean("auto_create_topics");
  options.default_partitions = static_cast<int32_t>(file.integer("default_partitions"));
  options.partitions_max = static_cast<int32_t>(file.integer("partitions_max"));
  if (file.has("disk_reserve")) options.disk_reserve_bytes = file.integer("disk_reserve");
  options.retention_check_interval = file.duration("retention_check_interval");
  options.compaction.interval = file.duration("compaction_interval");
  options.compaction.offset_map_bytes_max = size("compaction_memory_max");
  options.compaction.bytes_per_second_max = file.integer("compaction_bytes_per_second_max");
  options.group_initial_rebalance_delay = file.duration("group_initial_rebalance_delay");
  options.group_session_timeout_min = file.duration("group_session_timeout_min");
  options.group_session_timeout_max = file.duration("group_session_timeout_max");
  options.group_members_max = size("group_members_max");
  options.group_metadata_bytes_max = size("group_metadata_bytes_max");
  options.groups_max = size("groups_max");
  options.consumer_group_session_timeout = file.duration("consumer_group_session_timeout");
  options.consumer_group_heartbeat_interval = file.duration("consumer_group_heartbeat_interval");
  options.transaction_timeout_max = file.duration("transaction_timeout_max");
  options.transactional_ids_max = size("transactional_ids_max");
  options.transactional_id_expiration = file.duration("transactional_id_expiration");
  options.transactional_id_cleanup_interval = file.duration("transactional_id_cleanup_interval");
  options.producer_id_expiration = file.duration("producer_id_expiration");
  options.offsets_retention = file.duration("offsets_retention");
  options.offset_metadata_bytes_max = size("offset_metadata_bytes_max");
  if (file.has("flush_threads")) broker.flush_threads = static_cast<int>(file.integer("flush_threads"));
  if (file.has("open_files_max")) broker.open_files_max = size("open_files_max");
  broker.connection_idle_max = file.duration("connection_idle_max");
  broker.fetch_sessions_max = size("fetch_sessions_max");
  broker.request_bytes_max = size("request_bytes_max");
  broker.fetch_bytes_max = file.integer("fetch_bytes_max");
  return broker;
}

void read_topic_defaults(const YamlNode& node, broker::ConfigMap& defaults, Problems& problems) {
  constexpr std::string_view kWhere = "broker: topic_defaults";
  for (const YamlEntry& property : node.map) {
    if (property.value.kind != YamlNode::Kind::kScalar) continue;  // read_options() has told it.
    read_topic_property(property, kWhere, defaults, problems);
  }
  check_together(node, kWhere, defaults, {}, problems);
}

}  // namespace

void read_broker(const YamlNode& node, Config& config, Problems& problems) {
  config.broker = broker_config(read_options(node, kBrokerSpec, "broker", problems));
  broker::BrokerOptions& options = config.broker.options;
  if (const YamlNode* defaults = node.find("topic_defaults")) {
    read_topic_defaults(*defaults, options.topic_defaults, problems);
  }
  if (options.consumer_group_heartbeat_interval >= options.consumer_group_session_timeout) {
    problems.add(place_in(node, "consumer_group_heartbeat_interval"),
                 "broker: consumer_group_heartbeat_interval: must be less than consumer_group_session_timeout, or "
                 "every member is silent for too long");
  }
  if (options.group_session_timeout_min > options.group_session_timeout_max) {
    problems.add(place_in(node, "group_session_timeout_min"),
                 "broker: group_session_timeout_min: must be at most group_session_timeout_max, or no member of a "
                 "classic group can join");
  }
}

}  // namespace headrace::app
