#include "kafka/config_entries.h"

#include <algorithm>

#include "base/logging.h"
#include "broker/group_config.h"
#include "kafka/client_telemetry.h"

namespace headrace::kafka {
namespace {

using broker::ConfigEntry;
using broker::ConfigType;

ConfigEntry number(std::string name, int64_t value, int64_t fallback, std::string_view help,
                   ConfigType type = ConfigType::kInt) {
  return {.name = std::move(name),
          .value = std::to_string(value),
          .type = type,
          .is_default = value == fallback,
          .help = help,
          .fallback = std::to_string(fallback)};
}

/// Topic options and the broker-wide defaults of them (Kafka's ServerTopicConfigSynonyms), by option.
constexpr std::pair<std::string_view, std::string_view> kTopicDefaults[] = {
    {"cleanup.policy", "log.cleanup.policy"},
    {"compression.type", "compression.type"},
    {"delete.retention.ms", "log.cleaner.delete.retention.ms"},
    {"file.delete.delay.ms", "log.segment.delete.delay.ms"},
    {"flush.messages", "log.flush.interval.messages"},
    {"flush.ms", "log.flush.interval.ms"},
    {"index.interval.bytes", "log.index.interval.bytes"},
    {"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"},
    {"max.message.bytes", "message.max.bytes"},
    {"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"},
    {"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"},
    {"message.timestamp.type", "log.message.timestamp.type"},
    {"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"},
    {"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"},
    {"min.insync.replicas", "min.insync.replicas"},
    {"preallocate", "log.preallocate"},
    {"retention.bytes", "log.retention.bytes"},
    {"retention.ms", "log.retention.ms"},
    {"segment.bytes", "log.segment.bytes"},
    {"segment.index.bytes", "log.index.size.max.bytes"},
    {"segment.jitter.ms", "log.roll.jitter.ms"},
    {"segment.ms", "log.roll.ms"},
    {"unclean.leader.election.enable", "unclean.leader.election.enable"},
};

constexpr broker::ConfigSpec kClientMetrics[] = {
    {"interval.ms", ConfigType::kInt, "300000", 100, 3'600'000, "", "How often clients push."},
    {"match", ConfigType::kList, "", 0, 0, "",
     "Which clients: selector=expression, all of which must match; empty for all clients."},
    {"metrics", ConfigType::kList, "", 0, 0, "", "Prefixes of the metrics to push; * for all."},
};

constexpr std::pair<std::string_view, LogLevel> kLevels[] = {
    {"DEBUG", LogLevel::kDebug}, {"INFO", LogLevel::kInfo}, {"WARN", LogLevel::kWarn}, {"ERROR", LogLevel::kError}};

}  // namespace

int8_t wire_type(ConfigType type) {
  switch (type) {
    case ConfigType::kBoolean: return 1;
    case ConfigType::kString: return 2;
    case ConfigType::kInt: return 3;
    case ConfigType::kLong: return 5;
    case ConfigType::kDouble: return 6;
    case ConfigType::kList: return 7;
  }
  return 0;
}

int8_t wire_source(const ConfigEntry& entry) {
  if (entry.is_default) return static_cast<int8_t>(ConfigSource::kDefault);
  return static_cast<int8_t>(entry.broker_wide ? ConfigSource::kStaticBroker : ConfigSource::kTopic);
}

std::optional<std::string_view> broker_default_of(std::string_view topic_option) {
  for (const auto& [option, name] : kTopicDefaults) {
    if (option == topic_option) return name;
  }
  return std::nullopt;
}

std::vector<ConfigEntry> describe_settings(broker::Broker& broker, broker::ResourceKind kind, std::string_view name) {
  broker::ConfigMap set = broker.settings().configs(kind, name);
  switch (kind) {
    case broker::ResourceKind::kClientMetrics: return broker::describe_configs(kClientMetrics, set);
    case broker::ResourceKind::kGroup:
      return broker::describe_group_configs(set, broker.options().consumer_group_timeouts());
  }
  return {};
}

Status check_settings(const broker::Broker& broker, broker::ResourceKind kind, const broker::ConfigMap& configs) {
  switch (kind) {
    case broker::ResourceKind::kClientMetrics: return check_client_metrics_configs(configs);
    case broker::ResourceKind::kGroup: {
      auto applied = broker::apply_group_configs(configs, broker.options().consumer_group_timeouts());
      return applied.ok() ? Status() : Status(applied.error());
    }
  }
  return {};
}

std::string_view root_level() {
  for (const auto& [name, level] : kLevels) {
    if (level == log_level()) return name;
  }
  return "INFO";
}

Status set_root_level(std::string_view level, bool validate_only) {
  for (const auto& [name, value] : kLevels) {
    if (name != level) continue;
    if (!validate_only) set_log_level(value);
    return {};
  }
  return Error{ErrorCode::kInvalidArgument,
               "the log level " + std::string(level) + " is none of DEBUG, INFO, WARN, ERROR"};
}

std::vector<ConfigEntry> broker_configs(const ServerContext& server, const Peer& peer) {
  const auto& options = server.broker.options();
  const broker::BrokerOptions ours;
  std::string id = std::to_string(kNodeId);
  std::string address =
      "PLAINTEXT://" + server.advertised_host(peer) + ":" + std::to_string(server.advertised_port(peer));
  std::vector<ConfigEntry> entries = {
      {"advertised.listeners", address, ConfigType::kString, false, "Where clients are told to connect."},
      {"auto.create.topics.enable", options.auto_create_topics ? "true" : "false", ConfigType::kBoolean,
       options.auto_create_topics, "Whether asking for an unknown topic creates it."},
      {"broker.id", id, ConfigType::kInt, false, "The broker's id."},
      number("connections.max.idle.ms", server.options.connection_idle_max.count(), 600000,
             "How long a connection may be silent.", ConfigType::kLong),
      {"default.replication.factor", "1", ConfigType::kInt, true, "Copies of a partition; there is one broker."},
      {"listeners", "PLAINTEXT://" + server.options.host + ":" + std::to_string(server.options.port),
       ConfigType::kString, false, "Where the broker listens."},
      {"log.dirs", options.data_directory, ConfigType::kString, false, "Where the data is."},
      {"node.id", id, ConfigType::kInt, false, "The broker's id."},
      {"group.consumer.assignors", "uniform,range", ConfigType::kList, true,
       "Assignors of consumer groups; the first is the default."},
      number("group.consumer.heartbeat.interval.ms", options.consumer_group_heartbeat_interval.count(), 5000,
             "How often members of consumer groups are told to speak up."),
      number("group.consumer.max.size", static_cast<int64_t>(options.group_members_max),
             static_cast<int64_t>(ours.group_members_max), "Members of one consumer group."),
      number("group.consumer.max.heartbeat.interval.ms", broker::kConsumerHeartbeatMax.count(),
             broker::kConsumerHeartbeatMax.count(),
             "The longest heartbeat interval that a consumer group may be given."),
      number("group.consumer.max.session.timeout.ms", broker::kConsumerSessionTimeoutMax.count(),
             broker::kConsumerSessionTimeoutMax.count(),
             "The longest session time-out that a consumer group may be given."),
      number("group.consumer.min.heartbeat.interval.ms", broker::kConsumerHeartbeatMin.count(),
             broker::kConsumerHeartbeatMin.count(),
             "The shortest heartbeat interval that a consumer group may be given."),
      number("group.consumer.min.session.timeout.ms", broker::kConsumerSessionTimeoutMin.count(),
             broker::kConsumerSessionTimeoutMin.count(),
             "The shortest session time-out that a consumer group may be given."),
      {"group.consumer.migration.policy", "bidirectional", ConfigType::kString, true,
       "Groups go from each protocol to the other while their members run."},
      number("group.consumer.session.timeout.ms", options.consumer_group_session_timeout.count(), 45000,
             "How long a member of a consumer group may be silent."),
      {"group.coordinator.rebalance.protocols", "classic,consumer", ConfigType::kList, true,
       "The protocols that groups may speak."},
      number("group.initial.rebalance.delay.ms", options.group_initial_rebalance_delay.count(),
             ours.group_initial_rebalance_delay.count(), "How long a new group waits for more members."),
      number("group.max.session.timeout.ms", options.group_session_timeout_max.count(), 1800000,
             "The longest session time-out of a group member."),
      number("group.max.size", static_cast<int64_t>(options.group_members_max),
             static_cast<int64_t>(ours.group_members_max), "Members of one group."),
      number("group.min.session.timeout.ms", options.group_session_timeout_min.count(),
             ours.group_session_timeout_min.count(), "The shortest session time-out of a group member."),
      number("log.cleaner.backoff.ms", options.compaction.interval.count(), 15000,
             "How often compaction looks for work.", ConfigType::kLong),
      number("log.cleaner.dedupe.buffer.size", static_cast<int64_t>(options.compaction.offset_map_bytes_max),
             static_cast<int64_t>(ours.compaction.offset_map_bytes_max),
             "Memory for the keys of one pass of compaction.", ConfigType::kLong),
      {"log.cleaner.io.max.bytes.per.second", std::to_string(options.compaction.bytes_per_second_max),
       ConfigType::kDouble, options.compaction.bytes_per_second_max == ours.compaction.bytes_per_second_max,
       "How fast compaction reads and writes; 0: no limit."},
      number("log.retention.check.interval.ms", options.retention_check_interval.count(), 300000,
             "How often old segments are looked for.", ConfigType::kLong),
      number("num.partitions", options.default_partitions, 1, "Partitions of topics that are created without a count."),
      number("max.incremental.fetch.session.cache.slots", static_cast<int64_t>(server.options.fetch_sessions_max), 1000,
             "Incremental fetch sessions that are kept."),
      number("offset.metadata.max.bytes", static_cast<int64_t>(options.offset_metadata_bytes_max), 4096,
             "Metadata with a committed position."),
      number("offsets.retention.minutes",
             std::chrono::duration_cast<std::chrono::minutes>(options.offsets_retention).count(), 10080,
             "When the positions of a group without members are forgotten."),
      number("offsets.topic.num.partitions", options.offsets_partitions, ours.offsets_partitions,
             "Partitions of __consumer_offsets."),
      number("producer.id.expiration.ms", options.producer_id_expiration.count(), 86400000,
             "When a partition forgets an idempotent producer that sends nothing."),
      number("socket.request.max.bytes", static_cast<int64_t>(server.options.request_bytes_max), 104857600,
             "The largest request."),
      number("transaction.max.timeout.ms", options.transaction_timeout_max.count(), 900000,
             "The longest time-out of a transaction."),
      number("transaction.remove.expired.transaction.cleanup.interval.ms",
             options.transactional_id_cleanup_interval.count(), 3600000,
             "How often transactional ids that expired are looked for."),
      number("transaction.state.log.num.partitions", options.transaction_partitions, ours.transaction_partitions,
             "Partitions of __transaction_state."),
      number("transactional.id.expiration.ms", options.transactional_id_expiration.count(), 604800000,
             "When a transactional id that does nothing is forgotten."),
  };
  for (ConfigEntry& entry : broker::describe_topic_configs({}, options.topic_defaults)) {
    auto name = broker_default_of(entry.name);
    if (!name) continue;
    entry.name = *name;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

}  // namespace headrace::kafka
