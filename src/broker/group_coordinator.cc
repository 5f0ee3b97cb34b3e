#include "broker/group_coordinator.h"

#include <algorithm>

#include "base/logging.h"

namespace headrace::broker {
namespace {

constexpr size_t kOffsetsRecordsBytesMax = 256 << 20;

}  // namespace

GroupCoordinator::GroupCoordinator(const Environment& environment, Topics& topics,
                                   std::shared_ptr<const Topic> offsets_topic, Timers& timers)
    : env_(environment),
      topics_(topics),
      offsets_topic_(std::move(offsets_topic)),
      machine_(
          {.initial_rebalance_delay = environment.options.group_initial_rebalance_delay,
           .session_timeout_min = environment.options.group_session_timeout_min,
           .session_timeout_max = environment.options.group_session_timeout_max,
           .group_members_max = environment.options.group_members_max},
          group_lock_, environment.clock, timers,
          [this](StoredGroup group, Function<void(bool)> done) { store_group(std::move(group), std::move(done)); }),
      consumer_groups_({.session_timeout = environment.options.consumer_group_session_timeout,
                        .heartbeat_interval = environment.options.consumer_group_heartbeat_interval,
                        .group_members_max = environment.options.group_members_max},
                       group_lock_, environment.clock, timers, topics,
                       [this](const std::string& id, std::vector<StateLog::Entry> records, Function<void(bool)> done) {
                         log_of(id).write(std::move(records), [done = std::move(done)](Result<Offset> written) mutable {
                           done(written.ok());
                         });
                       }) {}

Result<std::unique_ptr<GroupCoordinator>> GroupCoordinator::open(const Environment& environment, Topics& topics,
                                                                 const Settings& settings,
                                                                 std::shared_ptr<const Topic> offsets_topic,
                                                                 Timers& timers) {
  std::unique_ptr<GroupCoordinator> groups(new GroupCoordinator(environment, topics, std::move(offsets_topic), timers));
  groups->consumer_groups_.set_timeouts([&settings, defaults = environment.options.consumer_group_timeouts()](
                                            const std::string& id) { return settings.group_timeouts(id, defaults); });
  Loaded loaded;
  for (size_t i = 0; i < groups->offsets_topic_->partitions.size(); ++i) {
    RETURN_IF_ERROR(groups->load(i, loaded));
  }
  for (const auto& [id, group] : loaded.consumer) groups->consumer_groups_.restore(id, group);
  for (auto& [id, group] : loaded.classic) {
    groups->stored_groups_[id] = group;
    groups->machine_.restore(std::move(group));
  }
  return groups;
}

Status GroupCoordinator::load(size_t partition, Loaded& loaded) {
  const auto& offsets_partition = offsets_topic_->partitions[partition];
  Status status = for_each_batch(offsets_partition->log(), [&](const record::Batch& batch) {
    return load_batch(offsets_partition->tp().partition, batch, loaded);
  });
  if (!status.ok()) return status.error().in("reading " + to_string(offsets_partition->tp()));
  logs_.push_back(
      std::make_unique<CoordinatorLog>(offsets_partition, env_.clock, env_.options.coordinator_rewrite_bytes_min,
                                       [this, partition] { return snapshot(static_cast<int32_t>(partition)); }));
  return {};
}

Status GroupCoordinator::load_batch(PartitionId partition, const record::Batch& batch, Loaded& loaded) {
  const record::BatchHeader& header = batch.header();
  if (header.is_control()) {
    auto marker = record::read_marker(header, batch.bytes().view());
    if (marker.ok() && *marker) {
      complete_transaction(partition, header.producer_id, (*marker)->type == record::ControlType::kCommit);
    }
    return {};
  }
  record::RecordReader reader(batch, kOffsetsRecordsBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (!record->key) continue;
    Status read = load_record(partition, header, *record, loaded);
    // One record that says nothing must not keep all the others from being served.
    if (!read.ok() && read.error().code != ErrorCode::kCorrupt) return read;
    if (!read.ok()) {
      log_error("the record at offset {} of {}-{} is left out: {}", record->offset.value, offsets_topic_->name,
                partition.value, read.error().message);
    }
  }
  return reader.status();
}

Status GroupCoordinator::load_record(PartitionId partition, const record::BatchHeader& header,
                                     const record::RecordView& record, Loaded& loaded) {
  ASSIGN_OR_RETURN(OffsetsRecordKey key, decode_offsets_key(*record.key));
  if (auto* group = std::get_if<GroupKey>(&key)) {
    if (!record.value) return loaded.classic.erase(group->group_id), Status();
    ASSIGN_OR_RETURN(loaded.classic[group->group_id], decode_group_value(group->group_id, *record.value));
    return {};
  }
  if (auto* consumer = std::get_if<ConsumerRecordKey>(&key)) {
    return replay_consumer_record(*consumer, record.value, loaded.consumer);
  }
  if (!std::holds_alternative<OffsetKey>(key)) return {};
  const OffsetKey& offset_key = std::get<OffsetKey>(key);
  if (!record.value) {
    auto group_offsets = offsets_.find(offset_key.group_id);
    if (group_offsets != offsets_.end()) group_offsets->second.erase(offset_key.tp);
    return {};
  }
  ASSIGN_OR_RETURN(CommittedOffset offset, decode_offset_value(*record.value));
  if (header.is_transactional()) {
    pending_[{partition, header.producer_id}].push_back({offset_key, std::move(offset), record.offset});
  } else {
    apply(offset_key, offset, record.offset);
  }
  return {};
}

TopicPartition GroupCoordinator::partition_of(std::string_view group_id) const {
  auto partitions = static_cast<int32_t>(offsets_topic_->partitions.size());
  return {offsets_topic_->name, PartitionId(coordinator_partition(group_id, partitions))};
}

CoordinatorLog& GroupCoordinator::log_of(std::string_view group_id) {
  return *logs_[static_cast<size_t>(partition_of(group_id).partition.value)];
}

/// A consumer group without members becomes a classic one.
void GroupCoordinator::join(JoinGroupRequest request, JoinCallback done) {
  GroupLock::Section section(group_lock_);
  if (consumer_groups_.remove(request.group_id, [](bool) {}) == CoordinatorError::kNonEmptyGroup) {
    JoinGroupAnswer refused{.error = CoordinatorError::kInconsistentProtocol, .member_id = request.member_id};
    return group_lock_.after_unlock(
        [done = std::move(done), refused = std::move(refused)]() mutable { done(std::move(refused)); });
  }
  machine_.join(std::move(request), std::move(done));
}
void GroupCoordinator::sync(SyncGroupRequest request, SyncCallback done) {
  machine_.sync(std::move(request), std::move(done));
}
CoordinatorError GroupCoordinator::heartbeat(const GroupCaller& caller) { return machine_.heartbeat(caller); }
LeaveGroupAnswer GroupCoordinator::leave(std::string_view group_id, const std::vector<LeavingMember>& members) {
  return machine_.leave(group_id, members);
}

/// A classic group without members becomes a consumer group.
void GroupCoordinator::consumer_heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done) {
  GroupLock::Section section(group_lock_);
  if (request.member_epoch == kJoinEpoch && !consumer_groups_.contains(request.group_id)) {
    CoordinatorError removed = machine_.remove(request.group_id);
    if (removed == CoordinatorError::kNonEmptyGroup) {
      ConsumerHeartbeatAnswer refused{.error = CoordinatorError::kGroupIdNotFound,
                                      .message = "Group " + request.group_id + " is not a consumer group.",
                                      .member_id = request.member_id};
      return group_lock_.after_unlock(
          [done = std::move(done), refused = std::move(refused)]() mutable { done(std::move(refused)); });
    }
    if (removed == CoordinatorError::kNone) forget_classic_group(request.group_id, [](bool) {});
  }
  consumer_groups_.heartbeat(std::move(request), std::move(done));
}

/// Takes the group's record off the disk, after those that are on their way. Inside a section.
void GroupCoordinator::forget_classic_group(const std::string& id, Function<void(bool)> done) {
  group_lock_.after_unlock([this, id, done = std::move(done)]() mutable {
    log_of(id).write({{encode_group_key(id), std::nullopt}},
                     [this, id, done = std::move(done)](Result<Offset> written) mutable {
                       if (written.ok()) {
                         std::lock_guard lock(mutex_);
                         stored_groups_.erase(id);
                       }
                       done(written.ok());
                     });
  });
}

void GroupCoordinator::store_group(StoredGroup group, Function<void(bool)> done) {
  std::string id = group.group_id;
  std::vector<StateLog::Entry> entry{{encode_group_key(id), encode_group_value(group)}};
  log_of(id).write(std::move(entry),
                   [this, group = std::move(group), done = std::move(done)](Result<Offset> written) mutable {
                     if (written.ok()) {
                       std::lock_guard lock(mutex_);
                       std::string group_id = group.group_id;
                       stored_groups_[group_id] = std::move(group);
                     }
                     done(written.ok());
                   });
}

CoordinatorError GroupCoordinator::check_offset(const OffsetToCommit& commit) const {
  if (commit.offset.metadata.size() > env_.options.offset_metadata_bytes_max)
    return CoordinatorError::kOffsetMetadataTooLarge;
  if (!topics_.partition(commit.tp)) return CoordinatorError::kUnknownTopicOrPartition;
  return CoordinatorError::kNone;
}

void GroupCoordinator::apply(const OffsetKey& key, const CommittedOffset& offset, Offset record) {
  auto [entry, added] = offsets_[key.group_id].try_emplace(key.tp);
  if (added || record > entry->second.record) entry->second = {offset, record};
}

CoordinatorError GroupCoordinator::check_commit(const GroupCaller& caller, bool transactional) {
  if (!consumer_groups_.contains(caller.group_id)) return machine_.check_commit(caller, transactional);
  CoordinatorError error = consumer_groups_.check_commit(caller, transactional);
  // TxnOffsetCommit knows no member epochs.
  bool translate = transactional && error == CoordinatorError::kStaleMemberEpoch;
  return translate ? CoordinatorError::kIllegalGeneration : error;
}

/// Checked and put in line in one section: what a fenced member commits can't come after what its successor does.
void GroupCoordinator::commit(const GroupCaller& caller, std::vector<OffsetToCommit> offsets, CommitCallback done) {
  GroupLock::Section section(group_lock_);
  CoordinatorError refused = check_commit(caller, /*transactional=*/false);
  group_lock_.after_unlock(
      [this, refused, group = caller.group_id, offsets = std::move(offsets), done = std::move(done)]() mutable {
        if (refused != CoordinatorError::kNone) return done(CommitAnswer(offsets.size(), refused));
        write_commit(group, std::move(offsets), std::move(done));
      });
}

void GroupCoordinator::write_commit(const std::string& group_id, std::vector<OffsetToCommit> offsets,
                                    CommitCallback done) {
  CommitAnswer reply(offsets.size(), CoordinatorError::kNone);
  std::vector<StateLog::Entry> entries;
  std::vector<size_t> written_ones;
  int64_t now_ms = env_.clock.wall_ms();
  for (size_t i = 0; i < offsets.size(); ++i) {
    reply[i] = check_offset(offsets[i]);
    if (reply[i] != CoordinatorError::kNone) continue;
    offsets[i].offset.commit_time_ms = now_ms;
    entries.push_back({encode_offset_key({group_id, offsets[i].tp}), encode_offset_value(offsets[i].offset)});
    written_ones.push_back(i);
  }
  if (entries.empty()) return done(std::move(reply));
  log_of(group_id).write(std::move(entries), [this, group = group_id, offsets = std::move(offsets),
                                              reply = std::move(reply), written_ones = std::move(written_ones),
                                              done = std::move(done)](Result<Offset> first) mutable {
    if (first.ok()) {
      std::lock_guard lock(mutex_);
      int64_t n = 0;
      for (size_t i : written_ones) apply({group, offsets[i].tp}, offsets[i].offset, *first + n++);
    } else {
      for (size_t i : written_ones) reply[i] = CoordinatorError::kNotAvailable;
    }
    done(std::move(reply));
  });
}

void GroupCoordinator::commit_in_transaction(const GroupCaller& caller, std::string_view transactional_id,
                                             record::ProducerFields producer, std::vector<OffsetToCommit> offsets,
                                             CommitCallback done) {
  CHECK(transactions_ != nullptr);
  GroupLock::Section section(group_lock_);
  CoordinatorError refused = check_commit(caller, /*transactional=*/true);
  for (const OffsetToCommit& commit : offsets) {
    // All or none: half a commit in a transaction is worse than none.
    if (refused == CoordinatorError::kNone) refused = check_offset(commit);
  }
  group_lock_.after_unlock([this, refused, group = caller.group_id, id = std::string(transactional_id), producer,
                            offsets = std::move(offsets), done = std::move(done)]() mutable {
    if (refused != CoordinatorError::kNone || offsets.empty()) return done(CommitAnswer(offsets.size(), refused));
    write_commit_in_transaction(group, id, producer, std::move(offsets), std::move(done));
  });
}

void GroupCoordinator::write_commit_in_transaction(const std::string& group_id, std::string_view transactional_id,
                                                   record::ProducerFields producer, std::vector<OffsetToCommit> offsets,
                                                   CommitCallback done) {
  std::vector<StateLog::Entry> entries;
  for (OffsetToCommit& commit : offsets) {
    commit.offset.commit_time_ms = env_.clock.wall_ms();
    entries.push_back({encode_offset_key({group_id, commit.tp}), encode_offset_value(commit.offset)});
  }
  producer.transactional = true;
  producer.base_sequence = -1;
  record::Batch batch = record::with_producer(batch_of(entries, env_.clock.wall_ms()), producer);
  CoordinatorLog& log = log_of(group_id);
  auto append = [this, id = std::string(transactional_id), &log](const record::Batch& ready,
                                                                 ProducedCallback produced) {
    transactions_->produce(id, log.partition(), std::span(&ready, 1), std::move(produced));
  };
  log.write(
      std::move(batch), std::move(append),
      [this, group = group_id, pid = producer.id, offsets = std::move(offsets),
       done = std::move(done)](Result<Offset> first) mutable {
        CoordinatorError error = CoordinatorError::kNone;
        if (first.ok()) {
          std::lock_guard lock(mutex_);
          int64_t n = 0;
          for (const OffsetToCommit& commit : offsets) {
            pending_[{partition_of(group).partition, pid}].push_back({{group, commit.tp}, commit.offset, *first + n++});
          }
        } else if (first.error().code == ErrorCode::kFenced) {
          error = CoordinatorError::kInvalidProducerEpoch;
        } else if (first.error().code == ErrorCode::kInvalidArgument) {
          error = CoordinatorError::kInvalidTxnState;
        } else {
          error = CoordinatorError::kNotAvailable;
        }
        done(CommitAnswer(offsets.size(), error));
      });
}

void GroupCoordinator::complete_transaction(PartitionId partition, ProducerId producer, bool commit) {
  std::lock_guard lock(mutex_);
  auto node = pending_.extract({partition, producer});
  if (node.empty() || !commit) return;
  for (const Pending& pending : node.mapped()) apply(pending.key, pending.offset, pending.record);
}

std::vector<FetchedOffset> GroupCoordinator::fetch(std::string_view group_id,
                                                   const std::optional<std::vector<TopicPartition>>& partitions,
                                                   bool require_stable) {
  std::lock_guard lock(mutex_);
  std::set<TopicPartition> unstable;
  if (require_stable) {
    for (const auto& [key, list] : pending_) {
      for (const Pending& pending : list) {
        if (pending.key.group_id == group_id) unstable.insert(pending.key.tp);
      }
    }
  }
  std::vector<FetchedOffset> found;
  auto group = offsets_.find(group_id);
  auto add = [&](const TopicPartition& tp) {
    FetchedOffset fetched{.tp = tp};
    if (unstable.contains(tp)) {
      fetched.error = CoordinatorError::kUnstableOffset;
    } else if (group != offsets_.end()) {
      auto entry = group->second.find(tp);
      if (entry != group->second.end()) fetched.offset = entry->second.offset;
    }
    found.push_back(std::move(fetched));
  };
  if (partitions) {
    for (const TopicPartition& tp : *partitions) add(tp);
  } else if (group != offsets_.end()) {
    for (const auto& [tp, entry] : group->second) add(tp);
  }
  return found;
}

std::vector<OffsetKey> GroupCoordinator::keys_of(std::string_view group_id) {
  std::lock_guard lock(mutex_);
  std::vector<OffsetKey> keys;
  auto group = offsets_.find(group_id);
  if (group == offsets_.end()) return keys;
  for (const auto& [tp, entry] : group->second) keys.push_back({std::string(group_id), tp});
  return keys;
}

/// Tombstones for keys of one group, then out of memory.
void GroupCoordinator::forget(const std::vector<OffsetKey>& keys, Function<void(bool)> done) {
  if (keys.empty()) return done(true);
  std::vector<StateLog::Entry> entries;
  for (const OffsetKey& key : keys) entries.push_back({encode_offset_key(key), std::nullopt});
  log_of(keys.front().group_id)
      .write(std::move(entries), [this, keys, done = std::move(done)](Result<Offset> written) mutable {
        if (written.ok()) {
          std::lock_guard lock(mutex_);
          for (const OffsetKey& key : keys) {
            auto group = offsets_.find(key.group_id);
            if (group == offsets_.end()) continue;
            auto entry = group->second.find(key.tp);
            // A commit after the tombstone stays.
            if (entry != group->second.end() && entry->second.record < *written) group->second.erase(entry);
            if (group->second.empty()) offsets_.erase(group);
          }
        }
        done(written.ok());
      });
}

void GroupCoordinator::delete_offsets(std::string_view group_id, std::vector<TopicPartition> partitions,
                                      CommitCallback done) {
  GroupDescription group = machine_.describe(group_id);
  if (!contains(group_id)) {
    return done(CommitAnswer(partitions.size(), CoordinatorError::kGroupIdNotFound));
  }
  std::set<std::string> subscribed = machine_.subscribed_topics(group_id);
  subscribed.merge(consumer_groups_.subscribed_topics(group_id));
  bool opaque_members = !group.members.empty() && group.protocol_type != "consumer";
  CommitAnswer reply(partitions.size(), CoordinatorError::kNone);
  std::vector<OffsetKey> keys;
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (opaque_members)
      reply[i] = CoordinatorError::kNonEmptyGroup;
    else if (subscribed.contains(partitions[i].topic))
      reply[i] = CoordinatorError::kGroupSubscribed;
    else
      keys.push_back({std::string(group_id), partitions[i]});
  }
  forget(keys, [reply = std::move(reply), done = std::move(done)](bool ok) mutable {
    for (CoordinatorError& error : reply) {
      if (!ok && error == CoordinatorError::kNone) error = CoordinatorError::kNotAvailable;
    }
    done(std::move(reply));
  });
}

std::vector<GroupListing> GroupCoordinator::list() {
  std::vector<GroupListing> all = machine_.list();
  for (GroupListing& group : consumer_groups_.list()) all.push_back(std::move(group));
  std::set<std::string> listed;
  for (const GroupListing& group : all) listed.insert(group.group_id);
  std::lock_guard lock(mutex_);
  for (const auto& [id, offsets] : offsets_) {
    if (!listed.contains(id)) all.push_back({id, "", GroupState::kEmpty});
  }
  return all;
}

bool GroupCoordinator::contains(std::string_view group_id) {
  return consumer_groups_.contains(group_id) || machine_.contains(group_id) || !keys_of(group_id).empty();
}

GroupDescription GroupCoordinator::describe(std::string_view group_id) {
  GroupDescription description = machine_.describe(group_id);
  bool offsets_only =
      description.state == GroupState::kDead && !consumer_groups_.contains(group_id) && !keys_of(group_id).empty();
  if (offsets_only) description.state = GroupState::kEmpty;
  return description;
}

void GroupCoordinator::remove(std::string_view group_id, Function<void(CoordinatorError)> done) {
  std::string id(group_id);
  std::vector<OffsetKey> keys = keys_of(id);
  GroupLock::Section section(group_lock_);
  bool consumer = consumer_groups_.contains(id);
  bool offsets_only = !consumer && !machine_.contains(id) && !keys.empty();
  CoordinatorError error = CoordinatorError::kNone;
  if (consumer && !consumer_groups_.describe(id).members.empty()) error = CoordinatorError::kNonEmptyGroup;
  if (!consumer && !offsets_only) error = machine_.remove(id);
  if (error != CoordinatorError::kNone) {
    return group_lock_.after_unlock([error, done = std::move(done)]() mutable { done(error); });
  }
  // The membership's records go first: offsets without a group are a group without members.
  auto forget_offsets = [this, keys = std::move(keys), done = std::move(done)](bool stored) mutable {
    if (!stored) return done(CoordinatorError::kNotAvailable);
    forget(keys, [done = std::move(done)](bool ok) mutable {
      done(ok ? CoordinatorError::kNone : CoordinatorError::kNotAvailable);
    });
  };
  if (!consumer) return forget_classic_group(id, std::move(forget_offsets));
  CHECK(consumer_groups_.remove(id, std::move(forget_offsets)) == CoordinatorError::kNone);
}

void GroupCoordinator::topic_deleted(std::string_view topic) {
  std::map<std::string, std::vector<OffsetKey>> keys;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [group, offsets] : offsets_) {
      for (const auto& [tp, entry] : offsets) {
        if (tp.topic == topic) keys[group].push_back({group, tp});
      }
    }
    for (auto& [key, list] : pending_) std::erase_if(list, [&](const Pending& p) { return p.key.tp.topic == topic; });
  }
  for (const auto& [group, list] : keys) forget(list, [](bool) {});
}

void GroupCoordinator::expire_offsets() {
  int64_t before_ms = env_.clock.wall_ms() - env_.options.offsets_retention.count();
  for (const GroupListing& group : machine_.list()) {
    auto since_ms = machine_.empty_since_ms(group.group_id);
    if (!since_ms || group.protocol_type.empty() || *since_ms < 0 || *since_ms > before_ms) continue;
    log_info("group {} has been without members for its retention; its offsets are forgotten", group.group_id);
    remove(group.group_id, [](CoordinatorError) {});
  }
  for (const GroupListing& group : consumer_groups_.list()) {
    if (group.state == GroupState::kEmpty) expire_consumer_group(group.group_id, before_ms);
  }
}

/// A consumer group keeps no time of its last member's leave: the last commit counts, as in Kafka, and one that never
/// committed goes at once.
void GroupCoordinator::expire_consumer_group(const std::string& id, int64_t before_ms) {
  {
    std::lock_guard lock(mutex_);
    auto group = offsets_.find(id);
    if (group != offsets_.end()) {
      for (const auto& [tp, entry] : group->second) {
        if (entry.offset.commit_time_ms > before_ms) return;
      }
    }
  }
  log_info("group {} has no members and committed nothing for its retention; it is forgotten", id);
  remove(id, [](CoordinatorError) {});
}

std::optional<std::vector<StateLog::Entry>> GroupCoordinator::snapshot(int32_t partition) {
  std::vector<StateLog::Entry> state = consumer_groups_.snapshot(
      [this, partition](const std::string& id) { return partition_of(id).partition.value == partition; });
  std::lock_guard lock(mutex_);
  if (!pending_.empty()) return std::nullopt;
  for (const auto& [id, group] : stored_groups_) {
    if (partition_of(id).partition.value == partition)
      state.push_back({encode_group_key(id), encode_group_value(group)});
  }
  for (const auto& [id, offsets] : offsets_) {
    if (partition_of(id).partition.value != partition) continue;
    for (const auto& [tp, entry] : offsets) {
      state.push_back({encode_offset_key({id, tp}), encode_offset_value(entry.offset)});
    }
  }
  return state;
}

}  // namespace headrace::broker
