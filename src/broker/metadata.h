// What the broker knows about itself, durable in `__cluster_metadata-0`: its topics, its cluster id, which producer ids
// were given out, and settings of other things (settings.h).
//
//   key "cluster"          value := version:i8(=0) cluster_id:text
//   key "producer-ids"     value := version:i8(=0) next:i64
//   key "leader-epoch"     value := version:i8(=0) last:i32
//   key "topic/<name>"     value := version:i8(=0) flags:i8 id:16 bytes partitions:i32 count:i32
//                                   (name:text value:text)*
//   key "quota/<entity>"   value := version:i8(=0) count:i32 (name:text value:text)*   see ClientQuotas::key_of
//   key "config/<kind>/<name>"                     the same
//   text := size:i32 bytes
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "broker/state_log.h"
#include "broker/topic.h"

namespace headrace::broker {

/// In the data directory.
inline constexpr std::string_view kMetadataDirectory = "__cluster_metadata-0";

struct StoredTopic {
  Uuid id;
  int32_t partitions = 0;
  bool internal = false;
  bool deleting = false;  ///< Its deletion was promised; its files may still be there.
  ConfigMap configs;
  friend bool operator==(const StoredTopic&, const StoredTopic&) = default;
};

/// A random (version 4) id.
Uuid random_uuid();

/// One thread at a time. Everything is on the disk when a call returns.
class Metadata {
 public:
  /// `health`, where there is one, hears of the log.
  static Result<std::unique_ptr<Metadata>> open(os::FileSystem& files, os::Clock& clock, const std::string& directory,
                                                std::shared_ptr<log::HealthListener> health = nullptr);

  const std::string& cluster_id() const { return cluster_id_; }
  const std::map<std::string, StoredTopic, std::less<>>& topics() const { return topics_; }

  Status put_topic(const std::string& name, const StoredTopic& topic);
  /// All of them or none, whatever happens.
  Status put_topics(const std::map<std::string, StoredTopic, std::less<>>& topics);
  Status remove_topic(std::string_view name);
  /// By the key of the record.
  const std::map<std::string, ConfigMap, std::less<>>& settings() const { return settings_; }
  /// Replaces settings; empty ones are removed.
  Status put_settings(const std::string& key, const ConfigMap& settings);
  /// The first of `count` producer ids that were never given out.
  Result<int64_t> reserve_producer_ids(int64_t count);
  /// A leader epoch behind `after` that was never given out (leader_epochs.h).
  Result<LeaderEpoch> next_leader_epoch(LeaderEpoch after = LeaderEpoch(0));
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  /// Whether a change that was answered as failed may be found done by the next start.
  bool in_doubt() const { return log_->in_doubt(); }
  Status close() { return log_->close(); }

 private:
  Status replay(std::string_view key, std::optional<std::string_view> value);
  Status write(std::span<const StateLog::Entry> entries);
  template <typename T>
  Status change(std::map<std::string, T, std::less<>>& all, std::string_view prefix, const std::string& name,
                std::optional<T> value);
  std::vector<StateLog::Entry> state() const;

  std::unique_ptr<StateLog> log_;
  std::string cluster_id_;
  LeaderEpoch leader_epoch_{0};  ///< The last that was given out.
  int64_t next_producer_id_ = 0;
  std::map<std::string, StoredTopic, std::less<>> topics_;
  std::map<std::string, ConfigMap, std::less<>> settings_;
};

}  // namespace headrace::broker
