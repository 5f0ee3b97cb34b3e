// The embedded Kafka broker without sockets or frames: topics, produce with group commit, fetch with waiting, groups,
// transactions. The bus (embedded_bus.h) and the Kafka protocol server are two ways into it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/compactor.h"
#include "broker/groups.h"
#include "broker/settings.h"
#include "broker/topic.h"
#include "broker/transactions.h"
#include "bus/bus.h"
#include "flow/metrics.h"
#include "os/clock.h"
#include "os/file.h"

namespace headrace::broker {

struct BrokerOptions {
  std::string data_directory;
  bool auto_create_topics = true;  ///< What topic_or_create() does with an unknown name.
  int32_t default_partitions = 1;  ///< Of topics created without a count (num.partitions).
  /// Topic options for all topics that don't set them; normalize_topic_config() has passed them. They are not stored
  /// with the topics, and don't touch the broker's own.
  ConfigMap topic_defaults = {};
  int32_t partitions_max = 100000;  ///< Over all topics; each costs about 5 KiB of memory.
  int recovery_threads = 1;         ///< Threads that open partitions at the start.
  size_t open_files_max = 4096;     ///< Descriptors that partitions' files hold at once; they are opened on demand.
  /// Free bytes of the disk below which clients' records are refused; see DiskSpace for the default.
  std::optional<int64_t> disk_reserve_bytes = std::nullopt;
  int32_t offsets_partitions = 1;  ///< offsets.topic.num.partitions, when __consumer_offsets is first made.
  int32_t transaction_partitions = 1;
  int flush_threads = 4;  ///< Threads that fdatasync, and wait for the disk; as many partitions are synced at once.
  std::chrono::milliseconds retention_check_interval{300000};  ///< log.retention.check.interval.ms
  CompactorOptions compaction;
  std::chrono::milliseconds group_initial_rebalance_delay{50};  ///< group.initial.rebalance.delay.ms
  std::chrono::milliseconds group_session_timeout_min{100};
  std::chrono::milliseconds group_session_timeout_max{1800000};
  size_t group_members_max = 10000;
  size_t group_metadata_bytes_max = 128 << 20;  ///< Of the members of all groups; less than a batch can hold.
  size_t groups_max = 100000;  ///< Of each kind, and of groups that have offsets; see README.md, Bounds.
  std::chrono::milliseconds consumer_group_session_timeout{45000};    ///< group.consumer.session.timeout.ms
  std::chrono::milliseconds consumer_group_heartbeat_interval{5000};  ///< group.consumer.heartbeat.interval.ms
  std::chrono::milliseconds transaction_timeout_max{900000};          ///< transaction.max.timeout.ms
  size_t transactional_ids_max = 100000;
  std::chrono::milliseconds transactional_id_expiration{7 * 24 * 3600 * 1000};  ///< transactional.id.expiration.ms
  /// transaction.remove.expired.transaction.cleanup.interval.ms
  std::chrono::milliseconds transactional_id_cleanup_interval{3600000};
  std::chrono::milliseconds producer_id_expiration{24 * 3600 * 1000};  ///< producer.id.expiration.ms
  std::chrono::milliseconds offsets_retention{7 * 24 * 3600 * 1000};   ///< Of groups without members.
  size_t offset_metadata_bytes_max = 4096;
  /// A log of the coordinators is written anew from here on, when it has four times its state.
  int64_t coordinator_rewrite_bytes_min = 16 << 20;

  /// Of consumer groups that have no timeouts of their own.
  GroupTimeouts consumer_group_timeouts() const {
    return {.session = consumer_group_session_timeout, .heartbeat = consumer_group_heartbeat_interval};
  }
};

/// The broker. Thread-safe. Calls say where they block for the disk: keep those off event loops.
class Broker {
 public:
  /// Takes the data directory's lock (kUnavailable: another instance runs on it), recovers every partition, completes
  /// prepared transactions. `clock` and `files` outlive the broker.
  static Result<std::unique_ptr<Broker>> open(BrokerOptions options, flow::MetricsRegistry& metrics,
                                              os::Clock& clock = os::system_clock(),
                                              os::FileSystem& files = os::real_file_system());
  /// Closes: answers waiting requests with kClosed, flushes, checkpoints, releases the lock.
  virtual ~Broker() = default;

  /// Made once per data directory; Kafka's 22-character form.
  virtual const std::string& cluster_id() const = 0;
  virtual const BrokerOptions& options() const = 0;
  virtual os::Clock& clock() const = 0;
  /// The room on the disk of the data directory.
  virtual Result<os::SpaceInfo> disk_space() const = 0;

  // Topics. What changes them blocks until it is on the disk.

  /// kAlreadyExists, kInvalidArgument (name, count, config). `spec.partitions` -1: default_partitions.
  virtual Result<std::shared_ptr<const Topic>> create_topic(const bus::TopicSpec& spec, bool validate_only = false) = 0;
  virtual Status delete_topic(std::string_view name) = 0;
  /// kInvalidArgument when `total` is not more than there are.
  virtual Status create_partitions(std::string_view name, int32_t total, bool validate_only = false) = 0;
  /// Sets (a value) or resets (nothing) options, all or none.
  virtual Status alter_configs(std::string_view name, const std::map<std::string, std::optional<std::string>>& changes,
                               bool validate_only = false) = 0;

  /// Null when there is none. Cheap.
  virtual std::shared_ptr<const Topic> topic(std::string_view name) const = 0;
  virtual std::shared_ptr<const Topic> topic(const Uuid& id) const = 0;
  /// All topics by name; internal ones too.
  virtual std::vector<std::shared_ptr<const Topic>> topics() const = 0;
  /// topic(), or creates it when auto_create_topics says so (blocks then); kNotFound, kInvalidArgument (name).
  virtual Result<std::shared_ptr<const Topic>> topic_or_create(std::string_view name) = 0;
  /// Null when there is none. Cheap: the way to produce, fetch and list offsets.
  virtual std::shared_ptr<Partition> partition(const TopicPartition& tp) const = 0;

  virtual Groups& groups() = 0;
  virtual Transactions& transactions() = 0;
  virtual Settings& settings() = 0;

  /// One round of retention over all partitions, as the background task does it; segments removed.
  virtual int64_t apply_retention() = 0;
  /// One round of compaction, as its own thread does it; partitions compacted.
  virtual int64_t apply_compaction() = 0;
};

}  // namespace headrace::broker
