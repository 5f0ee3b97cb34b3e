// Groups with their committed offsets, durable in __consumer_offsets.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/consumer_group_machine.h"
#include "broker/coordinator_log.h"
#include "broker/group_machine.h"
#include "broker/groups.h"
#include "broker/offsets_schema.h"
#include "broker/topics.h"

namespace headrace::broker {

class GroupCoordinator final : public Groups {
 public:
  /// Reads what `offsets_topic` holds. `topics` tells which partitions exist.
  static Result<std::unique_ptr<GroupCoordinator>> open(const Environment& environment, Topics& topics,
                                                        const Settings& settings,
                                                        std::shared_ptr<const Topic> offsets_topic, Timers& timers);
  ~GroupCoordinator() override { close(); }
  /// Ends the thread that answers when there is much to answer. Before the disk and the transactions are gone.
  void close() { group_lock_.close(); }

  void join(JoinGroupRequest request, JoinCallback done) override;
  void sync(SyncGroupRequest request, SyncCallback done) override;
  CoordinatorError heartbeat(const GroupCaller& caller) override;
  void leave(std::string_view group_id, const std::vector<LeavingMember>& members, LeaveCallback done) override;
  void consumer_heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done) override;
  void commit(const GroupCaller& caller, std::vector<OffsetToCommit> offsets, CommitCallback done) override;
  void commit_in_transaction(const GroupCaller& caller, std::string_view transactional_id,
                             record::ProducerFields producer, std::vector<OffsetToCommit> offsets,
                             CommitCallback done) override;
  std::vector<FetchedOffset> fetch(std::string_view group_id,
                                   const std::optional<std::vector<TopicPartition>>& partitions,
                                   bool require_stable) override;
  CoordinatorError check_fetch(const GroupCaller& caller) override { return consumer_groups_.check_fetch(caller); }
  void delete_offsets(std::string_view group_id, std::vector<TopicPartition> partitions, CommitCallback done) override;
  std::vector<GroupListing> list() override;
  bool contains(std::string_view group_id) override;
  GroupDescription describe(std::string_view group_id) override;
  ConsumerGroupDescription describe_consumer(std::string_view group_id) override {
    return consumer_groups_.describe(group_id);
  }
  void remove(std::string_view group_id, Function<void(CoordinatorError)> done) override;

  /// The partition of __consumer_offsets that holds a group.
  TopicPartition partition_of(std::string_view group_id) const;
  /// Where transactional commits go; set once, before the first of them.
  void set_transactions(Transactions& transactions) { transactions_ = &transactions; }
  /// The marker of a producer's transaction is on the disk of a partition of __consumer_offsets: the offsets that are
  /// pending there count, or are forgotten.
  void complete_transaction(PartitionId partition, ProducerId producer, bool commit);
  /// Forgets what groups committed to a topic that is gone, and returns when that is on the disk. Nobody may make a
  /// topic of that name meanwhile.
  Status topic_deleted(std::string_view topic);
  /// Before a topic is made under a name: forgets for good what topic_deleted() could not. kUnavailable: not now, or
  /// not before a restart.
  Status finish_forgetting(std::string_view topic);
  /// Forgets offsets of groups without members after options.offsets_retention, and groups that have neither.
  void expire_offsets();

 private:
  struct Entry {
    CommittedOffset offset;
    Offset record = kNoOffset;  ///< Of the commit in __consumer_offsets: the later one counts.
    void take(Entry other) {
      if (other.record > record) *this = std::move(other);
    }
  };
  struct Loaded {
    std::map<std::string, StoredGroup> classic;
    std::map<std::string, StoredConsumerGroup> consumer;
  };
  /// A record of a group's end or change of protocol that is not on the disk yet.
  struct Change {
    uint64_t number;
    StateLog::Entry entry;
  };
  using GroupOffsets = std::map<TopicPartition, Entry>;

  GroupCoordinator(const Environment& environment, Topics& topics, std::shared_ptr<const Topic> offsets_topic,
                   Timers& timers);
  Status load(size_t partition, Loaded& loaded);
  Status load_batch(PartitionId partition, const record::Batch& batch, Loaded& loaded);
  Status load_record(PartitionId partition, const record::BatchHeader& header, const record::RecordView& record,
                     Loaded& loaded);
  CoordinatorError check_commit(const GroupCaller& caller, const std::vector<OffsetToCommit>& offsets,
                                bool transactional);
  CoordinatorError check_nobodys_commit(const GroupCaller& caller, bool transactional);
  bool is_full_for(const std::string& group_id);
  void write_commit(const std::string& group, std::vector<OffsetToCommit> offsets, CommitCallback done);
  void write_commit_in_transaction(const std::string& group, std::string_view transactional_id,
                                   record::ProducerFields producer, std::vector<OffsetToCommit> offsets,
                                   CommitCallback done);
  void restore(Loaded loaded);
  Status upgrade(const ConsumerHeartbeatRequest& request);
  Status check_place(const StoredConsumerGroup& group, const ConsumerHeartbeatRequest& request) const;
  void downgrade(const std::string& id, const StoredConsumerGroup& group, std::vector<StateLog::Entry> end);
  void supersede(const std::string& id, std::vector<StateLog::Entry> change);
  void add_change(const std::string& id, std::vector<StateLog::Entry> change);
  bool has_changes(const std::string& id);
  void apply_written(const std::string& id, const std::vector<StateLog::Entry>& entries);
  void write_group(const std::string& id, std::vector<StateLog::Entry> entries, Function<void(bool)> done,
                   const std::vector<OffsetKey>& forgotten = {});
  void store_group(const StoredGroup& group, Function<void(bool)> done);
  CoordinatorLog& log_of(std::string_view group_id);
  std::optional<std::vector<StateLog::Entry>> snapshot(int32_t partition);
  CoordinatorError check_offset(const OffsetToCommit& offset) const;
  size_t write_bytes_max(std::string_view group_id);
  CommitAnswer check_deletion(std::string_view group_id, const std::vector<TopicPartition>& partitions);
  void apply(const OffsetKey& key, const CommittedOffset& offset, Offset record);
  CommitCallback in_flight(const std::string& group_id, CommitCallback done);
  void wait_for_commits_in_flight();
  Status forget_partitions(Function<bool(const TopicPartition&)> gone);
  void drop(const std::set<OffsetKey>& keys, Offset before);
  std::set<TopicPartition> pending_partitions(std::string_view group_id) const;
  void expire_group(const std::string& id, int64_t before_ms);
  void forget(const std::vector<OffsetKey>& keys, Function<void(bool)> done);
  void forget_some(std::vector<OffsetKey> keys, Function<void(bool)> done);
  void write_end(const std::string& id, std::vector<OffsetKey> keys, Function<void(bool)> done);
  std::vector<OffsetKey> keys_of(std::string_view group_id);

  Environment env_;
  Topics& topics_;
  const std::shared_ptr<const Topic> offsets_topic_;
  Transactions* transactions_ = nullptr;
  std::vector<std::unique_ptr<CoordinatorLog>> logs_;

  GroupLock group_lock_;  ///< Of both machines; a group is in one of them at most.
  std::mutex mutex_;      ///< Of the offsets; no machine is called under this one.
  std::map<std::string, GroupOffsets, std::less<>> offsets_;
  std::set<OffsetKey> unforgotten_;              ///< Of deleted topics, and still on the disk.
  std::set<std::string, std::less<>> in_doubt_;  ///< Deleted topics to which commits may be on the disk that failed.
  /// By open transaction; it has its place here until its marker, though nothing of it may be left.
  std::map<std::pair<PartitionId, ProducerId>, std::map<OffsetKey, Entry>> pending_;
  bool full_ = false;                           ///< A group was refused that would have only offsets.
  std::map<uint64_t, std::string> committing_;  ///< Commits that were begun and are not answered: their groups.
  uint64_t next_commit_ = 1;
  std::condition_variable committed_;
  /// Records of memberships, as last written, by group and key. They lag behind the machines by what is on its way
  /// here: a log that is written anew must not be ahead of writes that come behind it.
  std::map<std::string, std::map<std::string, Bytes>> written_;
  std::map<std::string, std::vector<Change>> changes_;  ///< Ends of groups, and how they changed their protocol.
  uint64_t next_change_ = 0;

  GroupMemory group_memory_;
  GroupMachine machine_;
  ConsumerGroupMachine consumer_groups_;
};

}  // namespace headrace::broker
