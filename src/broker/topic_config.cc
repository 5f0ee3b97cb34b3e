#include "broker/topic_config.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/split_list.h"
#include "base/units.h"

namespace headrace::broker {
namespace {

constexpr int64_t kLongMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();

constexpr std::string_view kKeptCompression = "Accepted for compatibility: re-encoded batches get a level of ours.";
constexpr std::string_view kNoTiers = "Accepted for compatibility: there is no tiered storage.";

// Kafka's topic options (org.apache.kafka.common.config.TopicConfig) and this broker's own, sorted by name.
constexpr ConfigSpec kTable[] = {
    {"cleanup.policy", ConfigType::kList, "delete", 0, 0, "delete,compact",
     "What happens to old records: delete whole segments, keep the last record of each key, or both."},
    {"compression.gzip.level", ConfigType::kInt, "-1", -1, 9, "", kKeptCompression},
    {"compression.lz4.level", ConfigType::kInt, "9", 1, 17, "", kKeptCompression},
    {"compression.type", ConfigType::kString, "producer", 0, 0, "producer,uncompressed,gzip,snappy,lz4,zstd",
     "How batches are compressed on the disk: as the producer sent them, or re-encoded when they are appended."},
    {"compression.zstd.level", ConfigType::kInt, "3", -131072, 22, "", kKeptCompression},
    {"delete.retention.ms", ConfigType::kLong, "86400000", 0, kLongMax, "", "How long compaction keeps tombstones."},
    {"file.delete.delay.ms", ConfigType::kLong, "60000", 0, kLongMax, "",
     "Accepted for compatibility: files are removed at once."},
    {"flush", ConfigType::kString, "commit", 0, 0, "commit,interval,os",
     "When a produce is acknowledged: after fdatasync (commit), or at once with an fdatasync every flush.ms (interval) "
     "or whenever the system likes (os)."},
    {"flush.messages", ConfigType::kLong, "9223372036854775807", 1, kLongMax, "",
     "After how many records flush=interval and os flush at the latest; flush=commit always does before it answers."},
    {"flush.ms", ConfigType::kLong, "9223372036854775807", 0, kLongMax, "",
     "How often flush=interval and os flush; 1000 and 60000 when not set."},
    {"index.interval.bytes", ConfigType::kInt, "4096", 0, kIntMax, "", "Bytes of log between two index entries."},
    {"local.retention.bytes", ConfigType::kLong, "-2", -2, kLongMax, "", kNoTiers},
    {"local.retention.ms", ConfigType::kLong, "-2", -2, kLongMax, "", kNoTiers},
    {"max.compaction.lag.ms", ConfigType::kLong, "9223372036854775807", 1, kLongMax, "",
     "The longest that a record may stay uncompacted."},
    {"max.message.bytes", ConfigType::kInt, "1048588", 0, kIntMax, "", "The largest batch that is accepted, in bytes."},
    {"message.timestamp.after.max.ms", ConfigType::kLong, "3600000", 0, kLongMax, "",
     "How far a record's time may lie after the broker's."},
    {"message.timestamp.before.max.ms", ConfigType::kLong, "9223372036854775807", 0, kLongMax, "",
     "How far a record's time may lie before the broker's."},
    {"message.timestamp.type", ConfigType::kString, "CreateTime", 0, 0, "CreateTime,LogAppendTime",
     "Whose time a record carries: the producer's or the broker's."},
    {"min.cleanable.dirty.ratio", ConfigType::kDouble, "0.5", 0, 1, "",
     "The share of uncompacted bytes from which on a log is compacted."},
    {"min.compaction.lag.ms", ConfigType::kLong, "0", 0, kLongMax, "",
     "The shortest time that a record stays uncompacted."},
    {"min.insync.replicas", ConfigType::kInt, "1", 1, kIntMax, "", "Accepted for compatibility: there is one replica."},
    {"on_disk_pressure", ConfigType::kString, "refuse", 0, 0, "refuse,drop_oldest",
     "When the disk is nearly full: refuse records (refuse), or delete this topic's oldest segments first "
     "(drop_oldest)."},
    {"preallocate", ConfigType::kBoolean, "false", 0, 0, "",
     "Accepted for compatibility: segments always grow in preallocated steps."},
    {"remote.log.copy.disable", ConfigType::kBoolean, "false", 0, 0, "", kNoTiers},
    {"remote.log.delete.on.disable", ConfigType::kBoolean, "false", 0, 0, "", kNoTiers},
    {"remote.storage.enable", ConfigType::kBoolean, "false", 0, 0, "false", kNoTiers},
    {"retention.bytes", ConfigType::kLong, "-1", -1, kLongMax, "",
     "The size of a partition from which on its oldest segments are deleted; -1: no limit."},
    {"retention.ms", ConfigType::kLong, "604800000", -1, kLongMax, "", "How long segments are kept; -1: for ever."},
    {"segment.bytes", ConfigType::kInt, "1073741824", 1024, kIntMax, "", "The size at which a new segment is begun."},
    {"segment.index.bytes", ConfigType::kInt, "10485760", 4, kIntMax, "",
     "Accepted for compatibility: indexes are as large as they need to be."},
    {"segment.jitter.ms", ConfigType::kLong, "0", 0, kLongMax, "", "Accepted for compatibility."},
    {"segment.ms", ConfigType::kLong, "604800000", 1, kLongMax, "", "The age at which a new segment is begun."},
    {"unclean.leader.election.enable", ConfigType::kBoolean, "false", 0, 0, "",
     "Accepted for compatibility: there is one replica."},
};
static_assert(std::is_sorted(std::begin(kTable), std::end(kTable),
                             [](const ConfigSpec& a, const ConfigSpec& b) { return a.name < b.name; }));

Error wrong(std::string_view name, std::string_view value, std::string_view allowed) {
  return {ErrorCode::kInvalidArgument,
          "config " + std::string(name) + ": '" + std::string(value) + "' is not allowed; use " + std::string(allowed)};
}

std::optional<int64_t> parse_whole(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A plain number, or one with a unit where the option's name tells that it is a duration or a size.
std::optional<int64_t> parse_number(std::string_view name, std::string_view text) {
  if (auto plain = parse_whole(text)) return plain;
  if (name.ends_with(".ms")) {
    auto duration = parse_duration(text);
    if (duration.ok()) return duration->count();
  } else if (name.ends_with(".bytes")) {
    auto size = parse_size(text);
    if (size.ok()) return *size;
  }
  return std::nullopt;
}

bool is_choice(std::string_view choices, std::string_view word) {
  while (!choices.empty()) {
    size_t comma = std::min(choices.find(','), choices.size());
    if (choices.substr(0, comma) == word) return true;
    choices.remove_prefix(std::min(comma + 1, choices.size()));
  }
  return false;
}

Result<std::string> normalize_number(const ConfigSpec& spec, std::string_view value) {
  auto number = parse_number(spec.name, value);
  std::string allowed = "a whole number from " + std::to_string(spec.min) + " to " + std::to_string(spec.max);
  if (!number || *number < spec.min || *number > spec.max) return wrong(spec.name, value, allowed);
  return std::to_string(*number);
}

Result<std::string> normalize_double(const ConfigSpec& spec, std::string_view value) {
  double number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  bool inside = number >= static_cast<double>(spec.min) && number <= static_cast<double>(spec.max);
  if (error != std::errc() || end != value.data() + value.size() || !inside) {
    return wrong(spec.name, value, "a number from " + std::to_string(spec.min) + " to " + std::to_string(spec.max));
  }
  return std::string(value);
}

Result<std::string> normalize_list(const ConfigSpec& spec, std::string_view value) {
  std::string out;
  for (std::string_view word : split_list(value)) {
    if (!is_choice(spec.choices, word)) return wrong(spec.name, value, "one or more of " + std::string(spec.choices));
    if (!is_choice(out, word)) out += (out.empty() ? "" : ",") + std::string(word);
  }
  if (out.empty()) return wrong(spec.name, value, "one or more of " + std::string(spec.choices));
  return out;
}

/// Reads effective values: the topic's, else the broker's, else the table's default.
class Values {
 public:
  Values(const ConfigMap& overrides, const ConfigMap& defaults) : overrides_(overrides), defaults_(defaults) {}
  std::string_view text(std::string_view name) const {
    if (auto found = overrides_.find(name); found != overrides_.end()) return found->second;
    if (auto found = defaults_.find(name); found != defaults_.end()) return found->second;
    const ConfigSpec* spec = find_topic_config(name);
    CHECK(spec != nullptr);
    return spec->fallback;
  }
  bool is_set(std::string_view name) const { return overrides_.contains(name) || defaults_.contains(name); }
  bool drops_oldest() const {
    if (text("on_disk_pressure") != "drop_oldest") return false;
    return overrides_.contains("on_disk_pressure") || is_choice(text("cleanup.policy"), "delete");
  }
  int64_t number(std::string_view name) const {
    auto value = parse_whole(text(name));
    CHECK(value.has_value());
    return *value;
  }
  double real(std::string_view name) const {
    std::string_view value = text(name);
    double number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    CHECK(error == std::errc() && end == value.data() + value.size());
    return number;
  }

 private:
  const ConfigMap& overrides_;
  const ConfigMap& defaults_;
};

std::optional<codec::Compression> compression_of(std::string_view type) {
  if (type == "producer") return std::nullopt;
  if (type == "uncompressed") return codec::Compression::kNone;
  auto codec = codec::parse_compression(type);
  CHECK(codec.ok());
  return *codec;
}

}  // namespace

std::span<const ConfigSpec> topic_config_table() { return kTable; }

const ConfigSpec* find_topic_config(std::string_view name) {
  auto found = std::lower_bound(std::begin(kTable), std::end(kTable), name,
                                [](const ConfigSpec& spec, std::string_view wanted) { return spec.name < wanted; });
  return found != std::end(kTable) && found->name == name ? found : nullptr;
}

Result<std::string> normalize_topic_config(std::string_view name, std::string_view value) {
  const ConfigSpec* spec = find_topic_config(name);
  if (!spec) return Error{ErrorCode::kInvalidArgument, "unknown topic config '" + std::string(name) + "'"};
  switch (spec->type) {
    case ConfigType::kInt:
    case ConfigType::kLong: return normalize_number(*spec, value);
    case ConfigType::kDouble: return normalize_double(*spec, value);
    case ConfigType::kList: return normalize_list(*spec, value);
    case ConfigType::kBoolean:
      if (!is_choice(spec->choices.empty() ? "true,false" : spec->choices, value)) {
        return wrong(name, value, spec->choices.empty() ? "true or false" : spec->choices);
      }
      return std::string(value);
    case ConfigType::kString:
      if (!is_choice(spec->choices, value)) return wrong(name, value, "one of " + std::string(spec->choices));
      return std::string(value);
  }
  return std::string(value);
}

std::optional<ConfigConflict> find_config_conflict(const ConfigMap& overrides, const ConfigMap& defaults) {
  constexpr std::string_view kMin = "min.compaction.lag.ms", kMax = "max.compaction.lag.ms";
  Values values(overrides, defaults);
  if (values.number(kMin) <= values.number(kMax)) return std::nullopt;
  return ConfigConflict{kMin, kMax,
                        "config " + std::string(kMin) + ": " + std::string(values.text(kMin)) + " is more than " +
                            std::string(kMax) + ", which is " + std::string(values.text(kMax))};
}

Status check_topic_configs(const ConfigMap& overrides, const ConfigMap& defaults) {
  auto conflict = find_config_conflict(overrides, defaults);
  return conflict ? Status(Error{ErrorCode::kInvalidArgument, std::move(conflict->text)}) : Status();
}

TopicConfig apply_topic_configs(const ConfigMap& overrides, const ConfigMap& defaults) {
  Values values(overrides, defaults);
  TopicConfig config;
  config.log.segment_bytes = values.number("segment.bytes");
  config.log.segment_ms = values.number("segment.ms");
  config.log.retention_ms = values.number("retention.ms");
  config.log.retention_bytes = values.number("retention.bytes");
  config.log.index_interval_bytes = values.number("index.interval.bytes");
  config.log.delete_retention_ms = values.number("delete.retention.ms");
  config.log.min_compaction_lag_ms = values.number("min.compaction.lag.ms");
  config.log.max_compaction_lag_ms = values.number("max.compaction.lag.ms");
  config.log.delete_enabled = is_choice(values.text("cleanup.policy"), "delete");
  config.log.compact_enabled = is_choice(values.text("cleanup.policy"), "compact");
  config.log.timestamp_type = values.text("message.timestamp.type") == "LogAppendTime"
                                  ? log::TimestampType::kLogAppendTime
                                  : log::TimestampType::kCreateTime;
  config.log.flush_policy = values.text("flush") == "commit" ? log::FlushPolicy::kBeforeAck : log::FlushPolicy::kOs;
  config.max_message_bytes = values.number("max.message.bytes");
  config.timestamp_before_max_ms = values.number("message.timestamp.before.max.ms");
  config.timestamp_after_max_ms = values.number("message.timestamp.after.max.ms");
  config.drops_oldest = values.drops_oldest();
  config.flush_by_interval = values.text("flush") == "interval";
  if (values.is_set("flush.ms")) {
    // The most that a steady clock can be moved on by.
    constexpr int64_t kMsMax = 100LL * 365 * 24 * 3600 * 1000;
    config.flush_interval = std::chrono::milliseconds(std::clamp<int64_t>(values.number("flush.ms"), 1, kMsMax));
  }
  config.flush_messages = values.number("flush.messages");
  config.min_cleanable_dirty_ratio = values.real("min.cleanable.dirty.ratio");
  config.compression = compression_of(values.text("compression.type"));
  return config;
}

std::vector<ConfigEntry> describe_configs(std::span<const ConfigSpec> table, const ConfigMap& set) {
  std::vector<ConfigEntry> entries;
  for (const ConfigSpec& spec : table) {
    auto found = set.find(spec.name);
    bool is_default = found == set.end();
    entries.push_back({std::string(spec.name), is_default ? std::string(spec.fallback) : found->second, spec.type,
                       is_default, spec.help});
  }
  return entries;
}

std::vector<ConfigEntry> describe_topic_configs(const ConfigMap& overrides, const ConfigMap& defaults) {
  ConfigMap set = overrides;
  set.insert(defaults.begin(), defaults.end());
  std::vector<ConfigEntry> entries = describe_configs(kTable, set);
  for (ConfigEntry& entry : entries) {
    entry.broker_wide = !entry.is_default && !overrides.contains(entry.name);
    entry.fallback = find_topic_config(entry.name)->fallback;
  }
  return entries;
}

Status check_topic_name(std::string_view name) {
  constexpr size_t kNameBytesMax = 249;
  auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!name.empty() && name.size() <= kNameBytesMax && name != "." && name != ".." &&
      std::all_of(name.begin(), name.end(), legal)) {
    return {};
  }
  return Error{ErrorCode::kInvalidArgument,
               "topic name '" + std::string(name) + "' is not allowed; use 1 to 249 of a-z A-Z 0-9 . _ -"};
}

}  // namespace headrace::broker
