#include "broker/topics.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/logging.h"
#include "log/file_names.h"

namespace headrace::broker {
namespace {

Result<ConfigMap> normalize(const std::map<std::string, std::string>& configs) {
  ConfigMap normalized;
  for (const auto& [name, value] : configs) {
    ASSIGN_OR_RETURN(normalized[name], normalize_topic_config(name, value));
  }
  return normalized;
}

StoredTopic stored(const Topic& topic) {
  return {topic.id, static_cast<int32_t>(topic.partitions.size()), topic.internal, false, topic.configs};
}

}  // namespace

Result<std::unique_ptr<Topics>> Topics::open(const Environment& environment) {
  std::unique_ptr<Topics> topics(new Topics(environment));
  const std::string& data = environment.options.data_directory;
  ASSIGN_OR_RETURN(topics->metadata_,
                   Metadata::open(environment.files, environment.clock, data + "/" + std::string(kMetadataDirectory),
                                  environment.log_resources->health));
  topics->finish_deletions();
  topics->begin_leader_epoch(LeaderEpoch(0));
  RETURN_IF_ERROR(topics->recover());
  topics->warn_of_strangers();
  return topics;
}

void Topics::finish_deletions() {
  std::lock_guard lock(change_mutex_);
  std::vector<std::pair<std::string, int32_t>> deleting;
  for (const auto& [name, topic] : metadata_->topics()) {
    if (topic.deleting) deleting.emplace_back(name, topic.partitions);
  }
  for (const auto& [name, partitions] : deleting) {
    Status finished = finish_deletion(name, partitions);
    bool told = finished.ok() || !told_of_.insert(name).second;
    if (!told) log_warn("deleting topic {}: {}; it is tried again", name, finished.error().message);
  }
}

Status Topics::finish_deletion(const std::string& name, int32_t partitions) {
  Status removed;
  for (int32_t i = 0; i < partitions; ++i) {
    Status one = os::remove_tree(env_.files, directory_of({name, PartitionId(i)}));
    if (!one.ok()) removed = one;
  }
  RETURN_IF_ERROR(removed);
  RETURN_IF_ERROR(env_.files.sync_directory(env_.options.data_directory));
  RETURN_IF_ERROR(metadata_->remove_topic(name));
  told_of_.erase(name);
  return {};
}

/// A disk that is full or fails keeps nobody from reading what there is.
void Topics::begin_leader_epoch(LeaderEpoch after) {
  auto next = metadata_->next_leader_epoch(after);
  if (!next.ok()) {
    log_warn(
        "consumers may not notice what a power loss before this start has taken: a new leader epoch can't be kept: {}",
        next.error().message);
  }
  leader_epoch_ = metadata_->leader_epoch();
}

// A partition to open, with what it takes from its topic.
struct Topics::Opening {
  TopicPartition tp;
  std::shared_ptr<const TopicConfig> config;
  TopicMetricsRef metrics;
  DiskSpace* space;  // Null for the broker's own topics: their records come out of the reserve.
  bool expect_new;
};

Status Topics::recover() {
  std::vector<Opening> openings;
  std::vector<std::pair<std::shared_ptr<Topic>, int32_t>> all;
  for (const auto& [name, stored] : metadata_->topics()) {
    if (stored.deleting) continue;
    auto topic = std::make_shared<Topic>(
        Topic{name, stored.id, stored.internal, stored.configs, {}, defaults_of(stored.internal)});
    add_openings(*topic, 0, stored.partitions, /*expect_new=*/false, openings);
    all.emplace_back(std::move(topic), stored.partitions);
  }
  ASSIGN_OR_RETURN(auto opened, open_partitions(openings));
  pass_epochs_of(opened);
  auto next = opened.begin();
  for (auto& [topic, partitions] : all) {
    topic->partitions.assign(next, next + partitions);
    next += partitions;
    publish(std::move(topic));
  }
  return {};
}

/// Where the metadata was put back from a copy, the logs have epochs that it does not know of.
void Topics::pass_epochs_of(std::span<const std::shared_ptr<Partition>> partitions) {
  LeaderEpoch latest(0);
  for (const auto& partition : partitions) latest = std::max(latest, partition->log().latest_epoch());
  if (latest < leader_epoch_) return;
  log_warn("the records go on to leader epoch {}, the metadata to {}; was it put back from a copy?", latest.value,
           leader_epoch_.value);
  begin_leader_epoch(latest);
  for (const auto& partition : partitions) partition->begin_leader_epoch(leader_epoch_);
}

/// Folders that no topic owns are left by a creation that was cut short, or put there by somebody.
void Topics::warn_of_strangers() {
  auto names = env_.files.list(env_.options.data_directory);
  if (!names.ok()) return;
  std::set<std::string> ours;
  for (const auto& [name, topic] : topics_) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      ours.insert(to_string(TopicPartition{name, PartitionId(static_cast<int32_t>(i))}));
    }
  }
  for (const std::string& name : *names) {
    size_t dash = name.rfind('-');
    bool partition_like = dash != std::string::npos && dash + 1 < name.size() &&
                          std::all_of(name.begin() + static_cast<long>(dash) + 1, name.end(), isdigit);
    if (partition_like && name != kMetadataDirectory && !ours.contains(name)) {
      log_warn("{}/{} belongs to no topic and is left alone", env_.options.data_directory, name);
    }
  }
}

std::string Topics::directory_of(const TopicPartition& tp) const {
  return env_.options.data_directory + "/" + to_string(tp);
}

TopicMetricsRef Topics::metrics_of(const std::string& topic) {
  flow::Labels labels{{"topic", topic}};
  auto& metrics = env_.metrics;
  return std::make_shared<const TopicMetrics>(TopicMetrics{
      metrics.held_counter("headrace_topic_records_in_total", labels, "Records appended to the topic."),
      metrics.held_counter("headrace_topic_in_bytes_total", labels, "Bytes of batches appended to the topic."),
      metrics.held_counter("headrace_topic_out_bytes_total", labels, "Bytes of batches read from the topic.")});
}

Result<std::unique_ptr<log::PartitionLog>> Topics::open_log(const TopicPartition& tp, const log::LogConfig& config,
                                                            bool expect_new) {
  std::string directory = directory_of(tp);
  ASSIGN_OR_RETURN(auto log, log::PartitionLog::open(env_.files, env_.clock, directory, config, env_.log_resources));
  if (!expect_new || log->log_end_offset() == Offset(0)) return log;
  // Records of nobody's: kept aside, never served as the new topic's.
  RETURN_IF_ERROR(log->close());
  log.reset();
  std::string aside = log::renamed(directory, ".found." + std::to_string(env_.clock.wall_ms()));
  log_warn("{} holds records of a topic that is not known; they are kept in {}", directory, aside);
  RETURN_IF_ERROR(env_.files.rename(directory, aside));
  RETURN_IF_ERROR(env_.files.sync_directory(env_.options.data_directory));
  return log::PartitionLog::open(env_.files, env_.clock, directory, config, env_.log_resources);
}

TopicConfig Topics::config_of(const Topic& topic) const {
  TopicConfig config = apply_topic_configs(topic.configs, topic.broker_defaults());
  config.log.producer_id_expiration_ms = env_.options.producer_id_expiration.count();
  if (topic.internal) config.log.flush_policy = log::FlushPolicy::kBeforeAck;  // Decisions and commits are promises.
  return config;
}

void Topics::add_openings(const Topic& topic, int32_t from, int32_t to, bool expect_new,
                          std::vector<Opening>& openings) {
  auto config = std::make_shared<const TopicConfig>(config_of(topic));
  TopicMetricsRef metrics = metrics_of(topic.name);
  DiskSpace* space = topic.internal ? nullptr : &env_.disk_space;
  for (int32_t i = from; i < to; ++i) {
    openings.push_back({{topic.name, PartitionId(i)}, config, metrics, space, expect_new});
  }
}

Result<std::shared_ptr<Partition>> Topics::open_partition(const Opening& opening) {
  auto log = open_log(opening.tp, opening.config->log, opening.expect_new);
  if (!log.ok()) return log.error().in("opening " + to_string(opening.tp));
  return std::make_shared<Partition>(opening.tp, *std::move(log), *opening.config, leader_epoch_, env_.flusher,
                                     env_.clock, opening.metrics, opening.space);
}

Result<std::vector<std::shared_ptr<Partition>>> Topics::open_partitions(const std::vector<Opening>& openings) {
  std::vector<std::shared_ptr<Partition>> partitions(openings.size());
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::optional<Error> failure;
  auto work = [&] {
    for (size_t i = next++; i < openings.size(); i = next++) {
      auto opened = open_partition(openings[i]);
      if (opened.ok()) {
        partitions[i] = *std::move(opened);
        continue;
      }
      std::lock_guard lock(mutex);
      if (!failure) failure = opened.error();
      next = openings.size();
    }
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < std::min<int>(env_.options.recovery_threads, static_cast<int>(openings.size())); ++i) {
    helpers.emplace_back(work);
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure) return *failure;
  return partitions;
}

Status Topics::check_room(int32_t more) const {
  int64_t total = more;
  {
    std::shared_lock lock(map_mutex_);
    for (const auto& [name, topic] : topics_) total += static_cast<int64_t>(topic->partitions.size());
  }
  if (total <= env_.options.partitions_max) return {};
  return Error{ErrorCode::kInvalidArgument, std::to_string(total) +
                                                " partitions in all are over the limit partitions_max=" +
                                                std::to_string(env_.options.partitions_max)};
}

void Topics::publish(TopicRef topic) {
  std::unique_lock lock(map_mutex_);
  ids_.insert_or_assign(topic->id, topic);
  topics_.insert_or_assign(topic->name, std::move(topic));
  version_.fetch_add(1, std::memory_order_release);
}

Result<Topics::TopicRef> Topics::create(const bus::TopicSpec& spec, bool validate_only) {
  RETURN_IF_ERROR(check_topic_name(spec.name));
  if (spec.name == kMetadataTopic) {
    return Error{ErrorCode::kInvalidArgument, "the name " + spec.name + " is the broker's own"};
  }
  int32_t partitions = spec.partitions == -1 ? env_.options.default_partitions : spec.partitions;
  ASSIGN_OR_RETURN(ConfigMap configs, normalize(spec.configs));
  std::lock_guard lock(change_mutex_);
  return create_locked(spec.name, partitions, std::move(configs), /*internal=*/false, validate_only);
}

Result<Topics::TopicRef> Topics::internal_topic(const std::string& name, int32_t partitions, ConfigMap configs) {
  std::lock_guard lock(change_mutex_);
  if (TopicRef topic = find(name)) return topic;
  return create_locked(name, partitions, std::move(configs), /*internal=*/true, /*validate_only=*/false);
}

Result<Topics::TopicRef> Topics::create_locked(const std::string& name, int32_t partitions, ConfigMap configs,
                                               bool internal, bool validate_only) {
  if (find(name)) return Error{ErrorCode::kAlreadyExists, "topic '" + name + "' exists already"};
  if (partitions <= 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "topic '" + name + "': " + std::to_string(partitions) + " partitions; at least 1 is needed"};
  }
  RETURN_IF_ERROR(check_room(partitions));
  auto topic =
      std::make_shared<Topic>(Topic{name, random_uuid(), internal, std::move(configs), {}, defaults_of(internal)});
  RETURN_IF_ERROR(check_topic_configs(topic->configs, topic->broker_defaults()));
  if (validate_only) return TopicRef(topic);
  if (!internal) RETURN_IF_ERROR(env_.disk_space.admit(0));
  std::vector<Opening> openings;
  add_openings(*topic, 0, partitions, /*expect_new=*/true, openings);
  ASSIGN_OR_RETURN(topic->partitions, open_partitions(openings));
  if (Status status = metadata_->put_topic(name, stored(*topic)); !status.ok()) {
    for (auto& partition : topic->partitions) (void)partition->shut_down(/*destroy=*/true);
    return status.error().in("creating topic " + name);
  }
  publish(topic);
  return TopicRef(topic);
}

Status Topics::remove(std::string_view name) {
  std::lock_guard lock(change_mutex_);
  TopicRef topic = find(name);
  if (!topic) return no_such_topic(name);
  if (topic->internal) return Error{ErrorCode::kInvalidArgument, "topic '" + topic->name + "' is the broker's own"};
  StoredTopic record = stored(*topic);
  record.deleting = true;
  if (Status status = metadata_->put_topic(topic->name, record); !status.ok()) {
    if (metadata_->in_doubt()) leave_in_doubt(*topic);
    return status.error().in("deleting topic " + topic->name);
  }
  {
    std::unique_lock map_lock(map_mutex_);
    ids_.erase(topic->id);
    topics_.erase(topic->name);
    version_.fetch_add(1, std::memory_order_release);
  }
  bool files_gone = true;
  for (const auto& partition : topic->partitions) {
    Status status = partition->shut_down(/*destroy=*/true);
    if (!status.ok())
      log_warn("deleting {}: {}; it is tried again", to_string(partition->tp()), status.error().message);
    files_gone = files_gone && status.ok();
  }
  if (Status synced = env_.files.sync_directory(env_.options.data_directory); !synced.ok()) {
    log_warn("deleting topic {}: {}; it is tried again", topic->name, synced.error().message);
    files_gone = false;
  }
  // With files left over the promise to delete them stays on record, and creating the topic anew sets them aside.
  return files_gone ? metadata_->remove_topic(topic->name) : Status();
}

/// The next start may find that the topic is to be deleted: nothing more is acknowledged in it.
void Topics::leave_in_doubt(const Topic& topic) {
  log_error("whether topic {} is deleted is known after a restart; it takes no more records", topic.name);
  for (const auto& partition : topic.partitions) {
    partition->refuse_records({ErrorCode::kIo, to_string(partition->tp()) + " may be deleted by the next start"});
  }
}

Status Topics::add_partitions(std::string_view name, int32_t total, bool validate_only) {
  std::lock_guard lock(change_mutex_);
  TopicRef topic = find(name);
  if (!topic) return no_such_topic(name);
  // Which group or transactional id is in which partition goes by their number.
  if (topic->internal) return Error{ErrorCode::kInvalidArgument, "topic '" + topic->name + "' is the broker's own"};
  auto have = static_cast<int32_t>(topic->partitions.size());
  if (total <= have) {
    return Error{ErrorCode::kInvalidArgument, "topic '" + topic->name + "' has " + std::to_string(have) +
                                                  " partitions; the new count " + std::to_string(total) +
                                                  " must be higher"};
  }
  RETURN_IF_ERROR(check_room(total - have));
  if (validate_only) return {};
  RETURN_IF_ERROR(env_.disk_space.admit(0));
  std::vector<Opening> openings;
  add_openings(*topic, have, total, /*expect_new=*/true, openings);
  ASSIGN_OR_RETURN(auto added, open_partitions(openings));
  auto changed = std::make_shared<Topic>(*topic);
  changed->partitions.insert(changed->partitions.end(), added.begin(), added.end());
  if (Status status = metadata_->put_topic(topic->name, stored(*changed)); !status.ok()) {
    for (auto& partition : added) (void)partition->shut_down(/*destroy=*/true);
    return status.error().in("adding partitions to topic " + topic->name);
  }
  publish(std::move(changed));
  return {};
}

Status Topics::alter_configs(std::string_view name, const std::map<std::string, std::optional<std::string>>& changes,
                             bool validate_only) {
  std::lock_guard lock(change_mutex_);
  TopicRef topic = find(name);
  if (!topic) return no_such_topic(name);
  auto changed = std::make_shared<Topic>(*topic);
  for (const auto& [option, value] : changes) {
    if (!find_topic_config(option)) return Error{ErrorCode::kInvalidArgument, "unknown topic config '" + option + "'"};
    if (topic->internal && option == "flush" && value.value_or("commit") != "commit") {
      return Error{ErrorCode::kInvalidArgument, "the broker's own topic " + topic->name + " is always flush=commit"};
    }
    if (value) {
      ASSIGN_OR_RETURN(changed->configs[option], normalize_topic_config(option, *value));
    } else {
      changed->configs.erase(option);
    }
  }
  RETURN_IF_ERROR(check_topic_configs(changed->configs, changed->broker_defaults()));
  if (validate_only) return {};
  if (Status status = metadata_->put_topic(topic->name, stored(*changed)); !status.ok()) {
    return status.error().in("changing the configs of topic " + topic->name);
  }
  TopicConfig config = config_of(*changed);
  for (const auto& partition : changed->partitions) partition->set_config(config);
  publish(std::move(changed));
  return {};
}

Topics::TopicRef Topics::find(std::string_view name) const {
  std::shared_lock lock(map_mutex_);
  auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second;
}

Topics::TopicRef Topics::find(const Uuid& id) const {
  std::shared_lock lock(map_mutex_);
  auto found = ids_.find(id);
  return found == ids_.end() ? nullptr : found->second;
}

std::vector<Topics::TopicRef> Topics::all() const {
  std::vector<TopicRef> all;
  {
    std::shared_lock lock(map_mutex_);
    for (const auto& [name, topic] : topics_) all.push_back(topic);
  }
  std::sort(all.begin(), all.end(), [](const TopicRef& a, const TopicRef& b) { return a->name < b->name; });
  return all;
}

std::optional<TopicView::Entry> Topics::find_entry(std::string_view name) const {
  std::shared_lock lock(map_mutex_);
  auto found = topics_.find(name);
  if (found == topics_.end()) return std::nullopt;
  return Entry{found->second->id, static_cast<int32_t>(found->second->partitions.size())};
}

std::optional<std::string> Topics::find_name(const Uuid& id) const {
  TopicRef topic = find(id);
  return topic ? std::optional(topic->name) : std::nullopt;
}

std::vector<std::string> Topics::names() const {
  std::shared_lock lock(map_mutex_);
  std::vector<std::string> names;
  for (const auto& [name, topic] : topics_) {
    if (!topic->internal) names.push_back(name);
  }
  return names;
}

std::shared_ptr<Partition> Topics::partition(const TopicPartition& tp) const {
  std::shared_lock lock(map_mutex_);
  auto found = topics_.find(tp.topic);
  return found == topics_.end() ? nullptr : found->second->partition(tp.partition);
}

Result<int64_t> Topics::reserve_producer_ids(int64_t count) {
  std::lock_guard lock(change_mutex_);
  return metadata_->reserve_producer_ids(count);
}

std::map<std::string, ConfigMap, std::less<>> Topics::stored_settings() {
  std::lock_guard lock(change_mutex_);
  return metadata_->settings();
}

Status Topics::put_settings(const std::string& key, const ConfigMap& settings) {
  std::lock_guard lock(change_mutex_);
  return metadata_->put_settings(key, settings);
}

void Topics::close() {
  std::lock_guard lock(change_mutex_);
  for (const TopicRef& topic : all()) {
    for (const auto& partition : topic->partitions) {
      Status status = partition->shut_down(/*destroy=*/false);
      if (!status.ok()) log_warn("closing {}: {}", to_string(partition->tp()), status.error().message);
    }
  }
  if (Status status = metadata_->close(); !status.ok())
    log_warn("closing the metadata log: {}", status.error().message);
}

}  // namespace headrace::broker
