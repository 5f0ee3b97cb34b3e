// A topic as it is at one moment: immutable, replaced as a whole when it changes.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/partition.h"
#include "broker/topic_config.h"

namespace headrace::broker {

/// KIP-516's topic id.
struct Uuid {
  std::array<uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};
/// Kafka's text form: base64url without padding, 22 characters.
std::string to_string(const Uuid& id);
struct UuidHash {
  size_t operator()(const Uuid& id) const {  // Ids are random.
    size_t hash = 0;
    std::memcpy(&hash, id.bytes.data(), sizeof(hash));
    return hash;
  }
};

/// Whose partition the broker keeps its metadata in (metadata.h); no topic is called so.
inline constexpr std::string_view kMetadataTopic = "__cluster_metadata";
/// Where the coordinators keep theirs.
inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";
inline constexpr std::string_view kTransactionsTopic = "__transaction_state";

struct Topic {
  std::string name;
  Uuid id;
  bool internal = false;  ///< The broker's own (__consumer_offsets, __transaction_state).
  ConfigMap configs;      ///< What was set on the topic, normalised.
  std::vector<std::shared_ptr<Partition>> partitions;
  /// What the broker sets for topics that don't set it themselves; null: nothing, as for the broker's own topics.
  std::shared_ptr<const ConfigMap> defaults = nullptr;

  /// What the broker sets for this topic.
  const ConfigMap& broker_defaults() const {
    static const ConfigMap kNone;
    return defaults ? *defaults : kNone;
  }
  /// Every option with its effective value, sorted by name.
  std::vector<ConfigEntry> describe_configs() const { return describe_topic_configs(configs, broker_defaults()); }

  /// Null outside of [0, partitions).
  std::shared_ptr<Partition> partition(PartitionId id) const {
    bool inside = id.value >= 0 && static_cast<size_t>(id.value) < partitions.size();
    return inside ? partitions[static_cast<size_t>(id.value)] : nullptr;
  }
  /// Whether transactions of clients write to it: of the broker's own topics, only to that of committed offsets.
  bool takes_transactions() const { return !internal || name == kOffsetsTopic; }
};

inline Error no_such_topic(std::string_view name) {
  return {ErrorCode::kNotFound, "there is no topic '" + std::string(name) + "'"};
}
inline Error no_such_partition(const TopicPartition& tp) {
  return {ErrorCode::kNotFound, "there is no partition " + to_string(tp)};
}

}  // namespace headrace::broker
