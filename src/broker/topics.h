// The broker's topics: their metadata, their partitions' logs, and the lookup of both.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/broker.h"
#include "broker/disk_space.h"
#include "broker/flusher.h"
#include "broker/metadata.h"
#include "broker/topic.h"
#include "broker/topic_view.h"

namespace headrace::broker {

/// What the parts of a broker share.
struct Environment {
  const BrokerOptions& options;
  flow::MetricsRegistry& metrics;
  os::Clock& clock;
  os::FileSystem& files;
  Flusher& flusher;
  std::shared_ptr<log::LogResources> log_resources;
  DiskSpace& disk_space;
};

/// Thread-safe. Changes are made one at a time and block for the disk; lookups never wait for them.
class Topics final : public TopicView {
 public:
  using TopicRef = std::shared_ptr<const Topic>;

  /// Reads the metadata and recovers every partition.
  static Result<std::unique_ptr<Topics>> open(const Environment& environment);

  Result<TopicRef> create(const bus::TopicSpec& spec, bool validate_only);
  Status remove(std::string_view name);
  Status add_partitions(std::string_view name, int32_t total, bool validate_only);
  Status alter_configs(std::string_view name, const std::map<std::string, std::optional<std::string>>& changes,
                       bool validate_only);
  /// One of the broker's own topics, created when missing.
  Result<TopicRef> internal_topic(const std::string& name, int32_t partitions, ConfigMap configs);

  TopicRef find(std::string_view name) const;
  TopicRef find(const Uuid& id) const;
  std::vector<TopicRef> all() const;
  uint64_t version() const override { return version_.load(std::memory_order_acquire); }
  std::optional<Entry> find_entry(std::string_view name) const override;
  std::optional<std::string> find_name(const Uuid& id) const override;
  std::vector<std::string> names() const override;
  std::shared_ptr<Partition> partition(const TopicPartition& tp) const;

  const std::string& cluster_id() const { return metadata_->cluster_id(); }
  Result<int64_t> reserve_producer_ids(int64_t count);
  /// Durable settings of other things, by key: see Metadata.
  std::map<std::string, ConfigMap, std::less<>> stored_settings();
  Status put_settings(const std::string& key, const ConfigMap& settings);
  /// Goes on with deletions that are on record because something of them failed. What fails again is told of once, and
  /// stays on record.
  void finish_deletions();
  /// Closes every log; nothing is flushed afterwards.
  void close();

 private:
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  explicit Topics(const Environment& environment)
      : env_(environment), defaults_(std::make_shared<const ConfigMap>(environment.options.topic_defaults)) {}
  Status recover();
  Status finish_deletion(const std::string& name, int32_t partitions);
  void warn_of_strangers();
  Result<TopicRef> create_locked(const std::string& name, int32_t partitions, ConfigMap configs, bool internal,
                                 bool validate_only);
  struct Opening;
  Result<std::shared_ptr<Partition>> open_partition(const Opening& opening);
  /// In the order of `openings`; the first error where there are some.
  Result<std::vector<std::shared_ptr<Partition>>> open_partitions(const std::vector<Opening>& openings);
  /// Adds the topic's partitions from `from` up to `to`.
  void add_openings(const Topic& topic, int32_t from, int32_t to, bool expect_new, std::vector<Opening>& openings);
  std::shared_ptr<const ConfigMap> defaults_of(bool internal) const { return internal ? nullptr : defaults_; }
  TopicConfig config_of(const Topic& topic) const;
  Result<std::unique_ptr<log::PartitionLog>> open_log(const TopicPartition& tp, const log::LogConfig& config,
                                                      bool expect_new);
  void leave_in_doubt(const Topic& topic);
  TopicMetricsRef metrics_of(const std::string& topic);
  std::string directory_of(const TopicPartition& tp) const;
  Status check_room(int32_t more) const;
  void publish(TopicRef topic);
  void begin_leader_epoch(LeaderEpoch after);
  void pass_epochs_of(std::span<const std::shared_ptr<Partition>> partitions);

  Environment env_;
  const std::shared_ptr<const ConfigMap> defaults_;  ///< BrokerOptions::topic_defaults, which topics may outlive.
  std::mutex change_mutex_;  ///< One change at a time, the disk included. Taken before map_mutex_.
  std::unique_ptr<Metadata> metadata_;
  LeaderEpoch leader_epoch_{0};    ///< Of all partitions, since the start.
  std::set<std::string> told_of_;  ///< Topics whose deletion fails. Under change_mutex_.

  std::atomic<uint64_t> version_{1};  ///< Of topics_ and ids_; grows after each change of them.
  mutable std::shared_mutex map_mutex_;
  std::unordered_map<std::string, TopicRef, NameHash, std::equal_to<>> topics_;
  std::unordered_map<Uuid, TopicRef, UuidHash> ids_;  ///< The same topics.
};

}  // namespace headrace::broker
