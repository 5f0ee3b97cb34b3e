#include "broker/group_coordinator.h"

#include <algorithm>

#include "base/logging.h"
#include "broker/group_migration.h"

// Memberships and what is read at the start. Committed offsets are in group_offsets.cc.
namespace headrace::broker {
namespace {

constexpr size_t kOffsetsRecordsBytesMax = 256 << 20;

}  // namespace

GroupCoordinator::GroupCoordinator(const Environment& environment, Topics& topics,
                                   std::shared_ptr<const Topic> offsets_topic, Timers& timers)
    : env_(environment),
      topics_(topics),
      offsets_topic_(std::move(offsets_topic)),
      group_memory_(environment.options.group_metadata_bytes_max),
      machine_({.initial_rebalance_delay = environment.options.group_initial_rebalance_delay,
                .session_timeout_min = environment.options.group_session_timeout_min,
                .session_timeout_max = environment.options.group_session_timeout_max,
                .group_members_max = environment.options.group_members_max,
                .groups_max = environment.options.groups_max},
               group_lock_, group_memory_, environment.clock, timers,
               [this](const StoredGroup& group, Function<void(bool)> done) { store_group(group, std::move(done)); }),
      consumer_groups_({.session_timeout = environment.options.consumer_group_session_timeout,
                        .heartbeat_interval = environment.options.consumer_group_heartbeat_interval,
                        .group_members_max = environment.options.group_members_max,
                        .groups_max = environment.options.groups_max},
                       group_lock_, group_memory_, environment.clock, timers, topics,
                       [this](const std::string& id, std::vector<StateLog::Entry> records, Function<void(bool)> done) {
                         write_group(id, std::move(records), std::move(done));
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
  groups->consumer_groups_.set_hand_over(
      [self = groups.get()](const std::string& id, const StoredConsumerGroup& group, std::vector<StateLog::Entry> end) {
        self->downgrade(id, group, std::move(end));
      });
  groups->restore(std::move(loaded));
  // Offsets are taken for partitions that exist only: those of others were left by a deletion that a crash cut short.
  Status forgotten = groups->forget_partitions([&](const TopicPartition& tp) { return !topics.partition(tp); });
  if (!forgotten.ok()) log_error("offsets of deleted topics may come back: {}", forgotten.error().message);
  return groups;
}

void GroupCoordinator::restore(Loaded loaded) {
  GroupLock::Section section(group_lock_);
  for (const auto& [id, group] : loaded.consumer) {
    consumer_groups_.restore(id, group);
    apply_written(id, consumer_groups_.records_of(id));
  }
  for (auto& [id, group] : loaded.classic) {
    if (consumer_groups_.contains(id)) {
      // Left by a log written anew while the group changed its kind.
      std::vector<StateLog::Entry> end;
      bool classic = !group.members.empty() && !consumer_groups_.has_members(id);
      if (classic) {
        consumer_groups_.take_over(id, end);
      } else {
        end.push_back({encode_group_key(id), std::nullopt});
      }
      supersede(id, std::move(end));
      if (!classic) continue;
    }
    apply_written(id, {{encode_group_key(id), encode_group_value(group)}});
    machine_.restore(std::move(group));
  }
  for (const auto& [id, group] : loaded.consumer) consumer_groups_.hand_over_if_classic(id);
}

Status GroupCoordinator::load(size_t partition, Loaded& loaded) {
  const auto& offsets_partition = offsets_topic_->partitions[partition];
  Status status = for_each_readable_batch(offsets_partition->log(), [&](const record::Batch& batch) {
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
  Offset next = header.base_offset;
  record::RecordReader reader(batch, kOffsetsRecordsBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (!record->key) continue;
    Status read = load_record(partition, header, *record, loaded);
    // One record that says nothing must not keep all the others from being served.
    if (!read.ok() && read.error().code != ErrorCode::kCorrupt) return read;
    if (!read.ok()) tell_left_out({offsets_topic_->name, partition}, record->offset, read.error());
    next = record->offset + 1;
  }
  if (!reader.status().ok()) tell_left_out({offsets_topic_->name, partition}, next, reader.status().error());
  return {};
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
    drop({offset_key}, record.offset);
    return {};
  }
  ASSIGN_OR_RETURN(CommittedOffset offset, decode_offset_value(*record.value));
  if (header.is_transactional()) {
    pending_[{partition, header.producer_id}][offset_key].take({std::move(offset), record.offset});
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

/// A consumer group without members becomes a classic one; with members it takes those of the classic protocol in.
void GroupCoordinator::join(JoinGroupRequest request, JoinCallback done) {
  GroupLock::Section section(group_lock_);
  bool valid = machine_.check_join(request) == CoordinatorError::kNone;
  if (valid && consumer_groups_.has_members(request.group_id)) {
    return consumer_groups_.join(std::move(request), std::move(done));
  }
  std::vector<StateLog::Entry> end;
  bool changes = machine_.accepts_new_group(request) &&
                 consumer_groups_.take_over(request.group_id, end) == CoordinatorError::kNone;
  if (changes) supersede(request.group_id, std::move(end));
  machine_.join(std::move(request), std::move(done));
}
void GroupCoordinator::sync(SyncGroupRequest request, SyncCallback done) {
  GroupLock::Section section(group_lock_);
  bool consumer = consumer_groups_.contains(request.group_id);
  consumer ? consumer_groups_.sync(std::move(request), std::move(done))
           : machine_.sync(std::move(request), std::move(done));
}
CoordinatorError GroupCoordinator::heartbeat(const GroupCaller& caller) {
  GroupLock::Section section(group_lock_);
  return consumer_groups_.contains(caller.group_id) ? consumer_groups_.classic_heartbeat(caller)
                                                    : machine_.heartbeat(caller);
}
void GroupCoordinator::leave(std::string_view group_id, const std::vector<LeavingMember>& members, LeaveCallback done) {
  GroupLock::Section section(group_lock_);
  if (consumer_groups_.contains(group_id)) return consumer_groups_.leave(group_id, members, std::move(done));
  LeaveGroupAnswer answer = machine_.leave(group_id, members);
  group_lock_.after_unlock([answer = std::move(answer), done = std::move(done)]() mutable { done(std::move(answer)); });
}

/// A classic group becomes a consumer group, with the members that it has.
void GroupCoordinator::consumer_heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done) {
  GroupLock::Section section(group_lock_);
  bool changes = machine_.contains(request.group_id) && consumer_groups_.accepts_new_group(request);
  if (changes) {
    if (Status upgraded = upgrade(request); !upgraded.ok()) {
      bool full = upgraded.error().code == ErrorCode::kTooLarge;
      ConsumerHeartbeatAnswer refused{
          .error = full ? CoordinatorError::kGroupMaxSizeReached : CoordinatorError::kGroupIdNotFound,
          .message = upgraded.error().message,
          .member_id = request.member_id};
      return group_lock_.after_unlock(
          [done = std::move(done), refused = std::move(refused)]() mutable { done(std::move(refused)); });
    }
  }
  consumer_groups_.heartbeat(std::move(request), std::move(done));
}

/// kTooLarge where the member that joins would be one too many: it takes nobody's place over.
Status GroupCoordinator::check_place(const StoredConsumerGroup& group, const ConsumerHeartbeatRequest& request) const {
  if (group.members.size() < env_.options.group_members_max || group.members.contains(request.member_id)) return {};
  for (const auto& [id, member] : group.members) {
    if (request.instance_id && member.info->instance_id == request.instance_id) return {};
  }
  return Error{ErrorCode::kTooLarge,
               "The group has its maximum of " + std::to_string(env_.options.group_members_max) + " members."};
}

Status GroupCoordinator::upgrade(const ConsumerHeartbeatRequest& request) {
  const std::string& id = request.group_id;
  std::vector<StateLog::Entry> records{{encode_group_key(id), std::nullopt}};
  if (machine_.remove(id) != CoordinatorError::kNone) {
    ASSIGN_OR_RETURN(StoredConsumerGroup group, to_consumer_group(*machine_.snapshot(id), topics_));
    RETURN_IF_ERROR(check_place(group, request));
    log_info("group {} goes on as a consumer group: a member speaks that protocol", id);
    machine_.release(id);
    for (StateLog::Entry& entry : consumer_groups_.adopt(id, group)) records.push_back(std::move(entry));
  }
  supersede(id, std::move(records));
  return {};
}

void GroupCoordinator::downgrade(const std::string& id, const StoredConsumerGroup& group,
                                 std::vector<StateLog::Entry> end) {
  log_info("group {} goes on as a classic group: the last member of the consumer protocol is gone", id);
  StoredGroup kept = machine_.adopt(to_classic_group(id, group, topics_, env_.clock.wall_ms()));
  end.push_back({encode_group_key(id), encode_group_value(kept)});
  supersede(id, std::move(end));
}

/// The group goes on by the other protocol. `change`: the end of its records by the one before, and what it is by the
/// new one, which goes to the disk by itself and, until it is there, with every record of the group's. Inside a
/// section.
void GroupCoordinator::supersede(const std::string& id, std::vector<StateLog::Entry> change) {
  // In its turn: what was decided before goes to the disk without it.
  group_lock_.after_unlock([this, id, change = std::move(change)]() mutable {
    add_change(id, std::move(change));
    write_group(id, {}, [](bool) {});
  });
}

/// Goes to the disk with the group's next write, and with each until one has worked.
void GroupCoordinator::add_change(const std::string& id, std::vector<StateLog::Entry> change) {
  std::lock_guard lock(mutex_);
  ++next_change_;
  for (StateLog::Entry& entry : change) changes_[id].push_back({next_change_, std::move(entry)});
}

bool GroupCoordinator::has_changes(const std::string& id) {
  std::lock_guard lock(mutex_);
  return changes_.contains(id);
}

/// All or none of it survives a crash: a group is of one kind at a time on the disk, too. `forgotten`: offsets that go
/// with it; what is committed to them later stays.
void GroupCoordinator::write_group(const std::string& id, std::vector<StateLog::Entry> entries,
                                   Function<void(bool)> done, const std::vector<OffsetKey>& forgotten) {
  for (const OffsetKey& key : forgotten) entries.push_back({encode_offset_key(key), std::nullopt});
  uint64_t newest = 0;
  {
    std::lock_guard lock(mutex_);
    std::vector<StateLog::Entry> all;
    if (auto changes = changes_.find(id); changes != changes_.end()) {
      newest = changes->second.back().number;
      for (const Change& before : changes->second) all.push_back(before.entry);
    }
    all.insert(all.end(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
    entries = std::move(all);
    apply_written(id, entries);
  }
  if (entries.empty()) return done(true);
  log_of(id).write(std::move(entries),
                   [this, id, newest, forgotten, done = std::move(done)](Result<Offset> written) mutable {
                     if (written.ok()) {
                       std::lock_guard lock(mutex_);
                       drop({forgotten.begin(), forgotten.end()}, *written);
                       auto changes = changes_.find(id);
                       if (changes != changes_.end()) {
                         std::erase_if(changes->second, [&](const Change& before) { return before.number <= newest; });
                         if (changes->second.empty()) changes_.erase(changes);
                       }
                     }
                     done(written.ok());
                   });
}

/// What a start would find of the group's membership, were all that has been written on the disk.
void GroupCoordinator::apply_written(const std::string& id, const std::vector<StateLog::Entry>& entries) {
  std::map<std::string, Bytes>& records = written_[id];
  for (const StateLog::Entry& entry : entries) {
    if (entry.value) {
      records[entry.key] = *entry.value;
    } else {
      records.erase(entry.key);
    }
  }
  if (records.empty()) written_.erase(id);
}

void GroupCoordinator::store_group(const StoredGroup& group, Function<void(bool)> done) {
  write_group(group.group_id, {{encode_group_key(group.group_id), encode_group_value(group)}}, std::move(done));
}

std::vector<GroupListing> GroupCoordinator::list() {
  std::vector<GroupListing> all = machine_.list();
  for (GroupListing& group : consumer_groups_.list()) all.push_back(std::move(group));
  std::set<std::string> listed;
  for (const GroupListing& group : all) listed.insert(group.group_id);
  std::lock_guard lock(mutex_);
  auto add = [&](const std::string& id) {
    if (listed.insert(id).second) all.push_back({id, "", GroupState::kEmpty});
  };
  for (const auto& [id, offsets] : offsets_) add(id);
  for (const auto& [transaction, list] : pending_) {
    for (const auto& [key, entry] : list) add(key.group_id);
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
  GroupLock::Section section(group_lock_);
  std::vector<OffsetKey> keys = keys_of(id);
  std::vector<StateLog::Entry> end;
  CoordinatorError error = CoordinatorError::kNone;
  bool consumer = consumer_groups_.contains(id), classic = machine_.contains(id);
  // Of a group that has no members on record, or whose deletion could not be written.
  bool rest = !consumer && !classic && (!keys.empty() || has_changes(id));
  if (consumer) error = consumer_groups_.take_over(id, end);
  if (!consumer && !rest) error = machine_.remove(id);
  if (classic) end.push_back({encode_group_key(id), std::nullopt});
  group_lock_.after_unlock(
      [this, error, id, keys = std::move(keys), end = std::move(end), done = std::move(done)]() mutable {
        if (error != CoordinatorError::kNone) return done(error);
        add_change(id, std::move(end));
        write_end(id, std::move(keys), [done = std::move(done)](bool written) mutable {
          done(written ? CoordinatorError::kNone : CoordinatorError::kNotAvailable);
        });
      });
}

std::optional<std::vector<StateLog::Entry>> GroupCoordinator::snapshot(int32_t partition) {
  std::lock_guard lock(mutex_);
  // Offsets in an open transaction have no place but in its records.
  auto open = pending_.lower_bound({PartitionId(partition), ProducerId(INT64_MIN)});
  if (open != pending_.end() && open->first.first == PartitionId(partition)) return std::nullopt;
  std::vector<StateLog::Entry> state;
  for (const auto& [id, records] : written_) {
    if (partition_of(id).partition.value != partition) continue;
    for (const auto& [key, value] : records) state.push_back({key, value});
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
