// A topic's configuration: Kafka's names, types and defaults in one table (topic_config.cc), what it means to the
// broker and to the log. A new option is one line in the table and, where it does something, one in
// apply_topic_configs().
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/compression.h"
#include "log/log_config.h"

namespace headrace::broker {

/// Kafka's ConfigDef types, as DescribeConfigs tells them.
enum class ConfigType { kBoolean, kString, kInt, kLong, kDouble, kList };

struct ConfigSpec {
  std::string_view name;
  ConfigType type;
  std::string_view fallback;  ///< The default, as Kafka prints it.
  int64_t min = INT64_MIN;    ///< For kInt and kLong.
  int64_t max = INT64_MAX;
  std::string_view choices = {};  ///< Comma-separated allowed words; for kList any combination of them.
  std::string_view help;          ///< One sentence.
};

/// Every topic option, sorted by name.
std::span<const ConfigSpec> topic_config_table();
const ConfigSpec* find_topic_config(std::string_view name);

using ConfigMap = std::map<std::string, std::string, std::less<>>;

/// What the broker itself needs of a topic's configuration.
struct TopicConfig {
  log::LogConfig log;
  int64_t max_message_bytes = 1048588;
  int64_t timestamp_before_max_ms = INT64_MAX;    ///< message.timestamp.before.max.ms
  int64_t timestamp_after_max_ms = 3600000;       ///< message.timestamp.after.max.ms
  std::optional<codec::Compression> compression;  ///< compression.type; nothing: the producer's.
  double min_cleanable_dirty_ratio = 0.5;
  bool drops_oldest = false;                                ///< on_disk_pressure=drop_oldest
  bool flush_by_interval = false;                           ///< flush=interval
  std::optional<std::chrono::milliseconds> flush_interval;  ///< flush.ms, where set.
  int64_t flush_messages = INT64_MAX;                       ///< flush.messages
};

/// Checks one value: kInvalidArgument with what is allowed. Durations and sizes also take human units ("7d", "64MiB");
/// the answer is the value in Kafka's own form ("604800000").
Result<std::string> normalize_topic_config(std::string_view name, std::string_view value);

/// Two options that can't be together.
struct ConfigConflict {
  std::string_view option;
  std::string_view other;
  std::string text;
};
/// Options of a topic that contradict each other, as Kafka sees it; see apply_topic_configs() for the parameters.
std::optional<ConfigConflict> find_config_conflict(const ConfigMap& overrides, const ConfigMap& defaults);
/// kInvalidArgument: there is such a conflict.
Status check_topic_configs(const ConfigMap& overrides, const ConfigMap& defaults);

/// The effective configuration of a topic: `overrides` are set on it, `defaults` on the broker for topics that don't
/// set them. normalize_topic_config() has passed both. A default of on_disk_pressure leaves topics alone that are only
/// compacted: their oldest segments hold the only records of keys.
TopicConfig apply_topic_configs(const ConfigMap& overrides, const ConfigMap& defaults = {});

struct ConfigEntry {
  std::string name;
  std::string value;
  ConfigType type;
  bool is_default;  ///< Set by nobody.
  std::string_view help;
  bool broker_wide = false;   ///< Of a topic: not set on it, but on the broker for all topics.
  std::string fallback = {};  ///< What holds where nobody sets it; empty: not known.
};

/// Every option of a table with its value: what is set, else its default.
std::vector<ConfigEntry> describe_configs(std::span<const ConfigSpec> table, const ConfigMap& set);

/// Every option of a topic with its effective value, sorted by name.
std::vector<ConfigEntry> describe_topic_configs(const ConfigMap& overrides, const ConfigMap& defaults = {});

/// Kafka's rules for topic names: 1 to 249 of a-z A-Z 0-9 . _ -, not "." or "..".
Status check_topic_name(std::string_view name);

}  // namespace headrace::broker
