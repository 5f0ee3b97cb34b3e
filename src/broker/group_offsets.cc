// The committed offsets of groups: commits, plain and in transactions, and what makes them be forgotten.
#include <algorithm>
#include <atomic>
#include <future>

#include "base/logging.h"
#include "broker/consumer_protocol.h"
#include "broker/disk_space.h"
#include "broker/group_coordinator.h"

namespace headrace::broker {
namespace {

constexpr size_t kTombstonesPerWrite = 1000;
/// What a committed offset takes as a record beside its names and metadata, at most.
constexpr size_t kOffsetRecordBytes = 64;

size_t bytes_of(std::string_view group_id, const OffsetToCommit& commit) {
  return kOffsetRecordBytes + group_id.size() + commit.tp.topic.size() + commit.offset.metadata.size();
}

CoordinatorError commit_error(const Error& error) {
  return error.code == ErrorCode::kTooLarge ? CoordinatorError::kCommitTooLarge : CoordinatorError::kNotAvailable;
}

/// Several writes that are one to who waits for them. Thread-safe.
class Writes {
 public:
  Writes(size_t count, Function<void(bool)> done) : left_(count), done_(std::move(done)) {}
  void ended(bool written) {
    if (!written) all_written_ = false;
    if (--left_ == 0) done_(all_written_);
  }

 private:
  std::atomic<size_t> left_;
  std::atomic<bool> all_written_ = true;
  Function<void(bool)> done_;
};

}  // namespace

CoordinatorError GroupCoordinator::check_offset(const OffsetToCommit& commit) const {
  const std::string& metadata = commit.offset.metadata;
  if (metadata.size() > env_.options.offset_metadata_bytes_max && metadata != kBusOffsetMetadata)
    return CoordinatorError::kOffsetMetadataTooLarge;
  if (!topics_.partition(commit.tp)) return CoordinatorError::kUnknownTopicOrPartition;
  return CoordinatorError::kNone;
}

void GroupCoordinator::apply(const OffsetKey& key, const CommittedOffset& offset, Offset record) {
  offsets_[key.group_id][key.tp].take({offset, record});
}

/// Of one write of the group's: a batch.
size_t GroupCoordinator::write_bytes_max(std::string_view group_id) {
  return static_cast<size_t>(log_of(group_id).partition()->config().max_message_bytes);
}

CoordinatorError GroupCoordinator::check_commit(const GroupCaller& caller, const std::vector<OffsetToCommit>& offsets,
                                                bool transactional) {
  if (env_.disk_space.scarce()) return CoordinatorError::kNotAvailable;
  if (!consumer_groups_.contains(caller.group_id)) {
    bool known = machine_.contains(caller.group_id) || caller.group_id.empty();
    return known ? machine_.check_commit(caller, transactional) : check_nobodys_commit(caller, transactional);
  }
  CoordinatorError error = consumer_groups_.check_commit(caller, offsets, transactional);
  // TxnOffsetCommit knows no member epochs.
  bool translate = transactional && error == CoordinatorError::kStaleMemberEpoch;
  return translate ? CoordinatorError::kIllegalGeneration : error;
}

/// Of a group that nobody has joined: there is nothing to check but whether the caller knows that.
CoordinatorError GroupCoordinator::check_nobodys_commit(const GroupCaller& caller, bool transactional) {
  if (caller.generation < 0) {
    return is_full_for(caller.group_id) ? CoordinatorError::kNotAvailable : CoordinatorError::kNone;
  }
  if (!keys_of(caller.group_id).empty()) return CoordinatorError::kUnknownMember;
  bool unknown_group = caller.knows_member_epochs && !transactional;
  return unknown_group ? CoordinatorError::kGroupIdNotFound : CoordinatorError::kIllegalGeneration;
}

/// Whether the group would be one more with offsets than there may be; told once until there may.
bool GroupCoordinator::is_full_for(const std::string& group_id) {
  std::lock_guard lock(mutex_);
  if (offsets_.contains(group_id)) return false;
  std::set<std::string_view> to_come;
  auto add = [&](const std::string& id) {
    if (!offsets_.contains(id)) to_come.insert(id);
  };
  for (const auto& [transaction, list] : pending_) {
    for (const auto& [key, entry] : list) add(key.group_id);
  }
  if (to_come.contains(group_id)) return false;
  for (const auto& [number, id] : committing_) add(id);
  size_t groups = offsets_.size() + to_come.size();
  bool full = groups >= env_.options.groups_max;
  if (!std::exchange(full_, full) && full) {
    log_warn("{} groups have committed offsets, which is the most that may have without members: new ones are refused",
             groups);
  }
  return full;
}

/// `done`, after which the commit is in flight no more. Inside a section: who waits for commits in flight does for this
/// one from then on.
CommitCallback GroupCoordinator::in_flight(const std::string& group_id, CommitCallback done) {
  std::lock_guard lock(mutex_);
  uint64_t number = next_commit_++;
  committing_.emplace(number, group_id);
  return [this, number, done = std::move(done)](CommitAnswer answer) mutable {
    {
      std::lock_guard relock(mutex_);
      committing_.erase(number);
    }
    committed_.notify_all();
    done(std::move(answer));
  };
}

/// Until those that have begun by now have ended.
void GroupCoordinator::wait_for_commits_in_flight() {
  std::unique_lock lock(mutex_);
  committed_.wait(lock, [&, end = next_commit_] { return committing_.empty() || committing_.begin()->first >= end; });
}

/// Checked and put in line in one section: what a fenced member commits can't come after what its successor does.
void GroupCoordinator::commit(const GroupCaller& caller, std::vector<OffsetToCommit> offsets, CommitCallback done) {
  GroupLock::Section section(group_lock_);
  CoordinatorError refused = check_commit(caller, offsets, /*transactional=*/false);
  done = in_flight(caller.group_id, std::move(done));
  group_lock_.after_unlock(
      [this, refused, group = caller.group_id, offsets = std::move(offsets), done = std::move(done)]() mutable {
        if (refused != CoordinatorError::kNone) return done(CommitAnswer(offsets.size(), refused));
        write_commit(group, std::move(offsets), std::move(done));
      });
}

void GroupCoordinator::write_commit(const std::string& group_id, std::vector<OffsetToCommit> offsets,
                                    CommitCallback done) {
  CommitAnswer reply(offsets.size(), CoordinatorError::kNone);
  std::vector<size_t> written_ones;
  size_t bytes = 0;
  for (size_t i = 0; i < offsets.size(); ++i) {
    reply[i] = check_offset(offsets[i]);
    if (reply[i] != CoordinatorError::kNone) continue;
    written_ones.push_back(i);
    bytes += bytes_of(group_id, offsets[i]);
  }
  if (bytes > write_bytes_max(group_id)) {
    for (size_t i : written_ones) reply[i] = CoordinatorError::kCommitTooLarge;
    written_ones.clear();
  }
  if (written_ones.empty()) return done(std::move(reply));
  std::vector<StateLog::Entry> entries;
  int64_t now_ms = env_.clock.wall_ms();
  for (size_t i : written_ones) {
    offsets[i].offset.commit_time_ms = now_ms;
    entries.push_back({encode_offset_key({group_id, offsets[i].tp}), encode_offset_value(offsets[i].offset)});
  }
  log_of(group_id).write(std::move(entries), [this, group = group_id, offsets = std::move(offsets),
                                              reply = std::move(reply), written_ones = std::move(written_ones),
                                              done = std::move(done)](Result<Offset> first) mutable {
    if (first.ok()) {
      std::lock_guard lock(mutex_);
      int64_t n = 0;
      for (size_t i : written_ones) apply({group, offsets[i].tp}, offsets[i].offset, *first + n++);
    } else {
      for (size_t i : written_ones) reply[i] = commit_error(first.error());
    }
    done(std::move(reply));
  });
}

void GroupCoordinator::commit_in_transaction(const GroupCaller& caller, std::string_view transactional_id,
                                             record::ProducerFields producer, std::vector<OffsetToCommit> offsets,
                                             CommitCallback done) {
  CHECK(transactions_ != nullptr);
  GroupLock::Section section(group_lock_);
  CoordinatorError refused = check_commit(caller, offsets, /*transactional=*/true);
  done = in_flight(caller.group_id, std::move(done));
  group_lock_.after_unlock([this, refused, group = caller.group_id, id = std::string(transactional_id), producer,
                            offsets = std::move(offsets), done = std::move(done)]() mutable {
    size_t bytes = 0;
    for (const OffsetToCommit& commit : offsets) {
      // All or none: half a commit in a transaction is worse than none.
      if (refused == CoordinatorError::kNone) refused = check_offset(commit);
      bytes += bytes_of(group, commit);
    }
    bool fits = bytes <= write_bytes_max(group);
    if (refused == CoordinatorError::kNone && !fits) refused = CoordinatorError::kCommitTooLarge;
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
  log.write(std::move(batch), std::move(append),
            [this, group = group_id, pid = producer.id, offsets = std::move(offsets),
             done = std::move(done)](Result<Offset> first) mutable {
              CoordinatorError error = CoordinatorError::kNone;
              if (first.ok()) {
                std::lock_guard lock(mutex_);
                int64_t n = 0;
                auto& pending = pending_[{partition_of(group).partition, pid}];
                for (const OffsetToCommit& commit : offsets) {
                  pending[{group, commit.tp}].take({commit.offset, *first + n++});
                }
              } else if (first.error().code == ErrorCode::kFenced) {
                error = CoordinatorError::kInvalidProducerEpoch;
              } else if (first.error().code == ErrorCode::kInvalidArgument) {
                error = CoordinatorError::kInvalidTxnState;
              } else {
                error = commit_error(first.error());
              }
              done(CommitAnswer(offsets.size(), error));
            });
}

void GroupCoordinator::complete_transaction(PartitionId partition, ProducerId producer, bool commit) {
  std::lock_guard lock(mutex_);
  auto node = pending_.extract({partition, producer});
  if (node.empty() || !commit) return;
  for (const auto& [key, entry] : node.mapped()) apply(key, entry.offset, entry.record);
}

/// Where transactions that are open have offsets of the group. Under mutex_.
std::set<TopicPartition> GroupCoordinator::pending_partitions(std::string_view group_id) const {
  std::set<TopicPartition> partitions;
  for (const auto& [transaction, list] : pending_) {
    for (const auto& [key, entry] : list) {
      if (key.group_id == group_id) partitions.insert(key.tp);
    }
  }
  return partitions;
}

std::vector<FetchedOffset> GroupCoordinator::fetch(std::string_view group_id,
                                                   const std::optional<std::vector<TopicPartition>>& partitions,
                                                   bool require_stable) {
  std::lock_guard lock(mutex_);
  std::set<TopicPartition> unstable;
  if (require_stable) unstable = pending_partitions(group_id);
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

/// Those of commits that are pending, too.
std::vector<OffsetKey> GroupCoordinator::keys_of(std::string_view group_id) {
  std::lock_guard lock(mutex_);
  std::set<TopicPartition> partitions = pending_partitions(group_id);
  if (auto group = offsets_.find(group_id); group != offsets_.end()) {
    for (const auto& [tp, entry] : group->second) partitions.insert(tp);
  }
  std::vector<OffsetKey> keys;
  for (const TopicPartition& tp : partitions) keys.push_back({std::string(group_id), tp});
  return keys;
}

/// Tombstones for keys that are in one partition of __consumer_offsets, then out of memory. Some at a time, as each has
/// its group's id.
void GroupCoordinator::forget(const std::vector<OffsetKey>& keys, Function<void(bool)> done) {
  if (keys.empty()) return done(true);
  auto writes = std::make_shared<Writes>((keys.size() - 1) / kTombstonesPerWrite + 1, std::move(done));
  for (auto from = keys.begin(); from != keys.end();) {
    auto to = from + std::min<ptrdiff_t>(keys.end() - from, kTombstonesPerWrite);
    forget_some({from, to}, [writes](bool written) { writes->ended(written); });
    from = to;
  }
}

void GroupCoordinator::forget_some(std::vector<OffsetKey> keys, Function<void(bool)> done) {
  std::vector<StateLog::Entry> entries;
  for (const OffsetKey& key : keys) entries.push_back({encode_offset_key(key), std::nullopt});
  CoordinatorLog& log = log_of(keys.front().group_id);
  log.write(std::move(entries), [this, keys = std::move(keys), done = std::move(done)](Result<Offset> written) mutable {
    if (written.ok()) {
      std::lock_guard lock(mutex_);
      drop({keys.begin(), keys.end()}, *written);
    }
    done(written.ok());
  });
}

/// The end of a group, which is among its changes, and of its offsets: in one write, if it can take them.
void GroupCoordinator::write_end(const std::string& id, std::vector<OffsetKey> keys, Function<void(bool)> done) {
  auto writes = std::make_shared<Writes>(2, std::move(done));
  auto ended = [writes](bool written) { writes->ended(written); };
  auto last_ones = keys.end() - std::min<ptrdiff_t>(keys.end() - keys.begin(), kTombstonesPerWrite);
  forget({keys.begin(), last_ones}, ended);
  write_group(id, {}, ended, {last_ones, keys.end()});
}

/// What was committed to these keys, in open transactions too. A commit after the tombstone stays.
void GroupCoordinator::drop(const std::set<OffsetKey>& keys, Offset before) {
  if (keys.empty()) return;
  for (const OffsetKey& key : keys) {
    auto group = offsets_.find(key.group_id);
    if (group == offsets_.end()) continue;
    auto entry = group->second.find(key.tp);
    if (entry != group->second.end() && entry->second.record < before) group->second.erase(entry);
    if (group->second.empty()) offsets_.erase(group);
  }
  PartitionId partition = partition_of(keys.begin()->group_id).partition;
  for (auto open = pending_.lower_bound({partition, ProducerId(INT64_MIN)});
       open != pending_.end() && open->first.first == partition; ++open) {
    std::erase_if(open->second,
                  [&](const auto& pending) { return pending.second.record < before && keys.contains(pending.first); });
  }
}

/// Forgets the offsets of partitions that are gone. Where that can't be written they count no more all the same, and
/// are noted until it is.
Status GroupCoordinator::forget_partitions(Function<bool(const TopicPartition&)> gone) {
  std::map<PartitionId, std::set<OffsetKey>> keys;  // By the partition of __consumer_offsets.
  {
    std::lock_guard lock(mutex_);
    for (const auto& [group, offsets] : offsets_) {
      for (const auto& [tp, entry] : offsets) {
        if (gone(tp)) keys[partition_of(group).partition].insert({group, tp});
      }
    }
    for (const auto& [transaction, list] : pending_) {
      for (const auto& [key, entry] : list) {
        if (gone(key.tp)) keys[transaction.first].insert(key);
      }
    }
    for (const OffsetKey& key : unforgotten_) {
      if (gone(key.tp)) keys[partition_of(key.group_id).partition].insert(key);
    }
  }
  std::vector<std::future<bool>> writes;
  for (const auto& [partition, all] : keys) {
    std::promise<bool> promise;
    writes.push_back(promise.get_future());
    forget({all.begin(), all.end()},
           [promise = std::move(promise)](bool written) mutable { promise.set_value(written); });
  }
  bool written = true;
  for (std::future<bool>& write : writes) written = write.get() && written;
  std::lock_guard lock(mutex_);
  std::erase_if(unforgotten_, [&](const OffsetKey& key) { return gone(key.tp); });
  if (written) return {};
  for (const auto& [partition, all] : keys) {
    drop(all, Offset(INT64_MAX));
    unforgotten_.insert(all.begin(), all.end());
  }
  return Error{ErrorCode::kUnavailable, "the end of committed offsets could not be written to " + offsets_topic_->name};
}

/// What keeps the offsets of each of the partitions from being deleted.
CommitAnswer GroupCoordinator::check_deletion(std::string_view group_id,
                                              const std::vector<TopicPartition>& partitions) {
  if (!contains(group_id)) return CommitAnswer(partitions.size(), CoordinatorError::kGroupIdNotFound);
  GroupDescription group = machine_.describe(group_id);
  bool opaque_members = !group.members.empty() && group.protocol_type != kConsumerProtocolType;
  if (opaque_members) return CommitAnswer(partitions.size(), CoordinatorError::kNonEmptyGroup);
  std::set<std::string> subscribed = machine_.subscribed_topics(group_id);
  subscribed.merge(consumer_groups_.subscribed_topics(group_id));
  CommitAnswer reply;
  for (const TopicPartition& tp : partitions) {
    reply.push_back(subscribed.contains(tp.topic) ? CoordinatorError::kGroupSubscribed : CoordinatorError::kNone);
  }
  return reply;
}

/// Checked and put in line in one section: behind the commits that came before, and before those that come after.
void GroupCoordinator::delete_offsets(std::string_view group_id, std::vector<TopicPartition> partitions,
                                      CommitCallback done) {
  GroupLock::Section section(group_lock_);
  CommitAnswer reply = check_deletion(group_id, partitions);
  std::set<TopicPartition> wanted;
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (reply[i] == CoordinatorError::kNone) wanted.insert(std::move(partitions[i]));
  }
  std::vector<OffsetKey> keys = keys_of(group_id);
  std::erase_if(keys, [&](const OffsetKey& key) { return !wanted.contains(key.tp); });
  auto forgotten = [reply = std::move(reply), done = std::move(done)](bool ok) mutable {
    for (CoordinatorError& error : reply) {
      if (!ok && error == CoordinatorError::kNone) error = CoordinatorError::kNotAvailable;
    }
    done(std::move(reply));
  };
  group_lock_.after_unlock([this, keys = std::move(keys), forgotten = std::move(forgotten)]() mutable {
    forget(keys, std::move(forgotten));
  });
}

Status GroupCoordinator::topic_deleted(std::string_view topic) {
  // Those that found the topic there and are on their way to the disk.
  wait_for_commits_in_flight();
  bool failed = std::any_of(offsets_topic_->partitions.begin(), offsets_topic_->partitions.end(),
                            [](const auto& partition) { return partition->log().out_of_service(); });
  if (failed) {
    // A commit that was refused may be found by the next start.
    std::lock_guard lock(mutex_);
    in_doubt_.emplace(topic);
  }
  return forget_partitions([&](const TopicPartition& tp) { return tp.topic == topic; });
}

Status GroupCoordinator::finish_forgetting(std::string_view topic) {
  {
    std::lock_guard lock(mutex_);
    if (in_doubt_.contains(topic)) {
      return Error{ErrorCode::kUnavailable,
                   offsets_topic_->name + " is out of service, and what it may hold of groups' " +
                       "offsets there is forgotten at the next start; check the disk and restart"};
    }
    bool any = std::any_of(unforgotten_.begin(), unforgotten_.end(),
                           [&](const OffsetKey& key) { return key.tp.topic == topic; });
    if (!any) return {};
  }
  return forget_partitions([&](const TopicPartition& tp) { return tp.topic == topic; });
}

void GroupCoordinator::expire_offsets() {
  int64_t before_ms = env_.clock.wall_ms() - env_.options.offsets_retention.count();
  for (const GroupListing& group : list()) {
    if (group.state == GroupState::kEmpty) expire_group(group.group_id, before_ms);
  }
}

/// When the retention of an offset begins is Kafka's rule (ClassicGroup.offsetExpirationCondition): for all of them
/// when the last member went; where there never was one, and in consumer groups, for each when it was committed.
void GroupCoordinator::expire_group(const std::string& id, int64_t before_ms) {
  GroupLock::Section section(group_lock_);
  std::optional<int64_t> since_ms = machine_.empty_since_ms(id);
  bool in_use = !since_ms && (machine_.contains(id) || consumer_groups_.has_members(id));
  if (in_use) return;
  std::vector<OffsetKey> expired;
  bool anything_left = false;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [number, group] : committing_) anything_left = anything_left || group == id;
    if (anything_left) return;
    std::set<TopicPartition> pending = pending_partitions(id);
    anything_left = !pending.empty();
    auto group = offsets_.find(id);
    static const GroupOffsets kNoOffsets;
    for (const auto& [tp, entry] : group == offsets_.end() ? kNoOffsets : group->second) {
      int64_t from_ms = since_ms.value_or(-1) >= 0 ? *since_ms : entry.offset.commit_time_ms;
      bool stays = from_ms > before_ms || pending.contains(tp) || entry.offset.metadata == kBusOffsetMetadata;
      if (!stays) expired.push_back({id, tp});
      anything_left = anything_left || stays;
    }
  }
  if (!anything_left) {
    log_info("group {} has no members, and nothing committed within its retention; it is forgotten", id);
    return remove(id, [](CoordinatorError) {});
  }
  group_lock_.after_unlock([this, expired = std::move(expired)] { forget(expired, [](bool) {}); });
}

}  // namespace headrace::broker
