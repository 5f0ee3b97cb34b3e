#include "broker/broker.h"

#include <algorithm>

#include "base/logging.h"
#include "broker/disk_relief.h"
#include "broker/disk_space.h"
#include "broker/flusher.h"
#include "broker/group_coordinator.h"
#include "broker/partition_health.h"
#include "broker/timers.h"
#include "broker/topics.h"
#include "broker/transaction_coordinator.h"

namespace headrace::broker {

std::string_view to_string(CoordinatorError error) {
  switch (error) {
    case CoordinatorError::kNone: return "none";
    case CoordinatorError::kInvalidGroupId: return "invalid group id";
    case CoordinatorError::kInvalidRequest: return "invalid request";
    case CoordinatorError::kUnknownMember: return "unknown member";
    case CoordinatorError::kMemberIdRequired: return "member id required";
    case CoordinatorError::kFencedInstanceId: return "fenced instance id";
    case CoordinatorError::kUnreleasedInstanceId: return "unreleased instance id";
    case CoordinatorError::kIllegalGeneration: return "illegal generation";
    case CoordinatorError::kRebalanceInProgress: return "rebalance in progress";
    case CoordinatorError::kInconsistentProtocol: return "inconsistent group protocol";
    case CoordinatorError::kInvalidSessionTimeout: return "invalid session timeout";
    case CoordinatorError::kGroupMaxSizeReached: return "group max size reached";
    case CoordinatorError::kNonEmptyGroup: return "non-empty group";
    case CoordinatorError::kGroupIdNotFound: return "group id not found";
    case CoordinatorError::kGroupSubscribed: return "group subscribed to topic";
    case CoordinatorError::kOffsetMetadataTooLarge: return "offset metadata too large";
    case CoordinatorError::kCommitTooLarge: return "commit too large";
    case CoordinatorError::kUnknownTopicOrPartition: return "unknown topic or partition";
    case CoordinatorError::kFencedMemberEpoch: return "fenced member epoch";
    case CoordinatorError::kStaleMemberEpoch: return "stale member epoch";
    case CoordinatorError::kUnsupportedAssignor: return "unsupported assignor";
    case CoordinatorError::kInvalidRegex: return "invalid regular expression";
    case CoordinatorError::kUnsupportedVersion: return "unsupported version";
    case CoordinatorError::kUnstableOffset: return "unstable offset commit";
    case CoordinatorError::kNotAvailable: return "coordinator not available";
    case CoordinatorError::kProducerFenced: return "producer fenced";
    case CoordinatorError::kInvalidProducerEpoch: return "invalid producer epoch";
    case CoordinatorError::kInvalidProducerIdMapping: return "invalid producer id mapping";
    case CoordinatorError::kInvalidTxnState: return "invalid transaction state";
    case CoordinatorError::kInvalidTxnTimeout: return "invalid transaction timeout";
    case CoordinatorError::kConcurrentTransactions: return "concurrent transactions";
    case CoordinatorError::kInternalTopic: return "internal topic";
    case CoordinatorError::kTransactionalIdNotFound: return "transactional id not found";
  }
  return "unknown";
}

namespace {

constexpr std::chrono::milliseconds kLazyFlushTick{200};
constexpr std::chrono::milliseconds kOffsetsExpiryInterval{600000};
constexpr std::chrono::milliseconds kDiskTick{200};
/// How long files of deleted topics are removed before other tasks have their turn.
constexpr std::chrono::milliseconds kRemovalTurn{50};

ConfigMap internal_configs() {
  return {{"cleanup.policy", "compact"}, {"max.message.bytes", "104857600"}, {"segment.bytes", "16777216"}};
}

class BrokerImpl final : public Broker {
 public:
  BrokerImpl(BrokerOptions options, flow::MetricsRegistry& metrics, os::Clock& clock, os::FileSystem& files)
      : options_(std::move(options)),
        clock_(clock),
        files_(files),
        flusher_(options_.flush_threads, clock),
        timers_(clock),
        maintenance_(clock),
        log_resources_(new log::LogResources{.open_files = log::OpenFiles(options_.open_files_max),
                                             .health = std::make_shared<PartitionHealth>(metrics)}),
        disk_space_(files, options_.data_directory, options_.disk_reserve_bytes, metrics),
        env_{options_, metrics, clock, files, flusher_, log_resources_, disk_space_},
        destroyed_logs_(files, options_.data_directory),
        compactor_(options_.compaction, clock, metrics, disk_space_, [this] { return all_partitions(); }) {}
  ~BrokerImpl() override;

  Status open();

  const std::string& cluster_id() const override { return topics_->cluster_id(); }
  const BrokerOptions& options() const override { return options_; }
  os::Clock& clock() const override { return clock_; }
  Result<os::SpaceInfo> disk_space() const override { return files_.space(options_.data_directory); }

  Result<std::shared_ptr<const Topic>> create_topic(const bus::TopicSpec& spec, bool validate_only) override {
    std::lock_guard lock(topic_names_mutex_);
    if (!validate_only && !topics_->find(spec.name)) {
      if (Status forgotten = groups_->finish_forgetting(spec.name); !forgotten.ok())
        return forgotten.error().in("creating topic " + spec.name + " where one was deleted");
    }
    return topics_->create(spec, validate_only);
  }
  Status delete_topic(std::string_view name) override;
  void remove_deleted_files();
  Status create_partitions(std::string_view name, int32_t total, bool validate_only) override {
    return topics_->add_partitions(name, total, validate_only);
  }
  Status alter_configs(std::string_view name, const std::map<std::string, std::optional<std::string>>& changes,
                       bool validate_only) override {
    return topics_->alter_configs(name, changes, validate_only);
  }
  std::shared_ptr<const Topic> topic(std::string_view name) const override { return topics_->find(name); }
  std::shared_ptr<const Topic> topic(const Uuid& id) const override { return topics_->find(id); }
  std::vector<std::shared_ptr<const Topic>> topics() const override { return topics_->all(); }
  Result<std::shared_ptr<const Topic>> topic_or_create(std::string_view name) override;
  std::shared_ptr<Partition> partition(const TopicPartition& tp) const override { return topics_->partition(tp); }

  Groups& groups() override { return *groups_; }
  Transactions& transactions() override { return *transactions_; }
  Settings& settings() override { return *settings_; }
  int64_t apply_retention() override;
  int64_t apply_compaction() override { return compactor_.run_round(); }

 private:
  std::vector<std::shared_ptr<Partition>> all_partitions() const;
  /// Runs `task` on the maintenance thread, again and again.
  void every(std::chrono::milliseconds interval, Function<void()> task);
  /// Topics whose acknowledgements do not wait for the disk are flushed now and then all the same.
  void flush_lazy_topics();
  void watch_disk();
  /// What could not be removed of deleted topics is tried again.
  void clean_up_deletions();

  const BrokerOptions options_;
  os::Clock& clock_;
  os::FileSystem& files_;
  std::unique_ptr<os::FileLock> lock_;
  Flusher flusher_;
  Timers timers_;                                     ///< The coordinators': short tasks.
  Timers maintenance_;                                ///< Retention and the like, which wait for the disk.
  std::shared_ptr<log::LogResources> log_resources_;  ///< Partitions may outlive the broker.
  DiskSpace disk_space_;
  Environment env_;
  std::unique_ptr<Topics> topics_;
  std::mutex removal_mutex_;  ///< One at a time removes files.
  log::DestroyedLogs destroyed_logs_;
  std::mutex topic_names_mutex_;  ///< No name is given anew while what hung on it is being forgotten.
  std::unique_ptr<Settings> settings_;
  Compactor compactor_;
  std::unique_ptr<GroupCoordinator> groups_;
  std::unique_ptr<TransactionCoordinator> transactions_;
};

Status BrokerImpl::open() {
  const std::string& data = options_.data_directory;
  if (Status made = os::make_directories_durably(files_, data); !made.ok())
    return made.error().in("opening data directory " + data);
  if (auto listed = files_.list(data); !listed.ok()) return listed.error().in("opening data directory " + data);
  auto lock = files_.lock(data + "/.lock");
  if (!lock.ok() && lock.error().code == ErrorCode::kUnavailable) {
    return Error{ErrorCode::kUnavailable,
                 "data directory " + data + " is in use by another instance; stop it or choose another directory"};
  }
  if (!lock.ok()) return lock.error().in("opening data directory " + data);
  lock_ = *std::move(lock);

  disk_space_.look();
  ASSIGN_OR_RETURN(topics_, Topics::open(env_));
  settings_ = std::make_unique<Settings>(*topics_);
  ASSIGN_OR_RETURN(auto offsets_topic, topics_->internal_topic(std::string(kOffsetsTopic), options_.offsets_partitions,
                                                               internal_configs()));
  ASSIGN_OR_RETURN(auto state_topic, topics_->internal_topic(std::string(kTransactionsTopic),
                                                             options_.transaction_partitions, internal_configs()));
  timers_.start_thread();
  maintenance_.start_thread();
  ASSIGN_OR_RETURN(groups_, GroupCoordinator::open(env_, *topics_, *settings_, offsets_topic, timers_));
  ASSIGN_OR_RETURN(transactions_, TransactionCoordinator::open(env_, *topics_, state_topic, *groups_, timers_));
  groups_->set_transactions(*transactions_);
  transactions_->recover();

  remove_deleted_files();
  every(options_.retention_check_interval, [this] { apply_retention(); });
  every(options_.retention_check_interval, [this] { clean_up_deletions(); });
  every(kLazyFlushTick, [this] { flush_lazy_topics(); });
  every(kDiskTick, [this] { watch_disk(); });
  every(kOffsetsExpiryInterval, [this] { groups_->expire_offsets(); });
  every(options_.transactional_id_cleanup_interval, [this] { transactions_->expire_ids(); });
  compactor_.start_thread();
  return {};
}

BrokerImpl::~BrokerImpl() {
  compactor_.stop();
  maintenance_.stop();
  timers_.stop();
  if (groups_) groups_->close();
  flusher_.stop();
  if (topics_) topics_->close();
}

void BrokerImpl::every(std::chrono::milliseconds interval, Function<void()> task) {
  maintenance_.after(interval, [this, interval, task = std::move(task)]() mutable {
    task();
    every(interval, std::move(task));
  });
}

void BrokerImpl::flush_lazy_topics() {
  auto now = clock_.monotonic();
  for (const auto& topic : topics_->all()) {
    if (!topic->configs.contains("flush") && !topic->broker_defaults().contains("flush")) continue;
    for (const auto& partition : topic->partitions) {
      if (partition->lazy_flush_due(now)) flusher_.enqueue(partition);
    }
  }
}

std::vector<std::shared_ptr<Partition>> BrokerImpl::all_partitions() const {
  std::vector<std::shared_ptr<Partition>> partitions;
  for (const auto& topic : topics_->all())
    partitions.insert(partitions.end(), topic->partitions.begin(), topic->partitions.end());
  return partitions;
}

void BrokerImpl::watch_disk() {
  disk_space_.look();
  bool low = disk_space_.low();
  bool preallocated = log_resources_->preallocate.exchange(!low);
  if (!low) return;
  if (preallocated) give_back_preallocated(topics_->all());
  drop_oldest(topics_->all(), disk_space_);
}

void BrokerImpl::clean_up_deletions() {
  topics_->finish_deletions();
  remove_deleted_files();
}

int64_t BrokerImpl::apply_retention() {
  int64_t removed = 0;
  for (const auto& topic : topics_->all()) {
    for (const auto& partition : topic->partitions) removed += partition->apply_retention();
  }
  return removed;
}

Status BrokerImpl::delete_topic(std::string_view name) {
  std::lock_guard lock(topic_names_mutex_);
  if (!topics_->find(name)) return no_such_topic(name);
  Status removed = topics_->remove(name);
  remove_deleted_files();
  // An error may come after the topic has gone for good.
  if (topics_->find(name)) return removed;
  Status forgotten = groups_->topic_deleted(name);
  if (!forgotten.ok() && removed.ok()) return forgotten.error().in("deleting topic " + std::string(name));
  return removed;
}

/// A turn at a time, the rest in the background: a topic of many partitions has many files, and nobody is to wait long.
void BrokerImpl::remove_deleted_files() {
  std::lock_guard lock(removal_mutex_);
  auto deadline = clock_.monotonic() + kRemovalTurn;
  bool all = destroyed_logs_.remove([&] { return clock_.monotonic() > deadline; });
  if (!all) maintenance_.after(std::chrono::milliseconds(0), [this] { remove_deleted_files(); });
}

Result<std::shared_ptr<const Topic>> BrokerImpl::topic_or_create(std::string_view name) {
  if (auto found = topics_->find(name)) return found;
  RETURN_IF_ERROR(check_topic_name(name));
  if (!options_.auto_create_topics) return no_such_topic(name);
  auto created = create_topic({.name = std::string(name), .partitions = -1, .configs = {}}, /*validate_only=*/false);
  if (created.ok() || created.error().code != ErrorCode::kAlreadyExists) return created;
  if (auto found = topics_->find(name)) return found;
  return created.error();
}

}  // namespace

Result<std::unique_ptr<Broker>> Broker::open(BrokerOptions options, flow::MetricsRegistry& metrics, os::Clock& clock,
                                             os::FileSystem& files) {
  auto broker = std::make_unique<BrokerImpl>(std::move(options), metrics, clock, files);
  RETURN_IF_ERROR(broker->open());
  return std::unique_ptr<Broker>(std::move(broker));
}

}  // namespace headrace::broker
