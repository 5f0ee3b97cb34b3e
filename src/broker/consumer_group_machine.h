// Memberships of consumer groups (KIP-848), in which the broker assigns partitions: a state machine over a clock. It
// knows neither sockets nor the disk: what must be durable goes out through `store`, and a heartbeat is answered when
// everything that its answer rests on has been stored.
//
// Three epochs move a group on. A change of members, subscriptions or topics makes the group's epoch one higher. The
// next heartbeat computes a target assignment for that epoch. Each member then moves from its own epoch to the target's
// by its heartbeats (consumer_reconcile.h): it gives up first what it is not to have, and gets what others gave up.
//
//   group epoch > target's: Assigning.   A member's epoch < target's: Reconciling.   All there: Stable.
//
// A member with a wrong epoch is fenced; one that is silent for the session timeout, or does not give partitions up
// within its rebalance timeout, is removed.
//
// Members of the classic protocol may be among them while a group moves from the one protocol to the other (KIP-848,
// "Online migration"). Such a member has its epoch for a generation, moves on when it joins, and gets by SyncGroup what
// the broker assigned to it; its heartbeats are told when it has to join again. A group of which only such members are
// left is handed over.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/consumer_group_types.h"
#include "broker/group_config.h"
#include "broker/group_lock.h"
#include "broker/group_memory.h"
#include "broker/timers.h"
#include "broker/topic_view.h"
#include "os/clock.h"

namespace headrace::broker {

struct ConsumerGroupOptions {
  milliseconds session_timeout{45000};    ///< group.consumer.session.timeout.ms
  milliseconds heartbeat_interval{5000};  ///< group.consumer.heartbeat.interval.ms
  size_t group_members_max = 10000;       ///< group.consumer.max.size
  size_t groups_max = 100000;
};

/// Thread-safe; callbacks run after `lock` is released.
class ConsumerGroupMachine {
 public:
  /// Stores records of one group, then calls back with whether that worked. Called in the order of the changes; may
  /// call back at once.
  using Store =
      Function<void(const std::string& group_id, std::vector<StateLog::Entry> records, Function<void(bool stored)>)>;

  /// Takes over a group of which only members of the classic protocol are left, with the records of its end here.
  using HandOver =
      Function<void(const std::string& group_id, StoredConsumerGroup group, std::vector<StateLog::Entry> end)>;

  ConsumerGroupMachine(ConsumerGroupOptions options, GroupLock& lock, GroupMemory& memory, os::Clock& clock,
                       Timers& timers, const TopicView& topics, Store store);
  ~ConsumerGroupMachine();

  /// Where groups have timeouts of their own, asked under the lock. To be set before the first call; else the options'.
  void set_timeouts(Function<GroupTimeouts(const std::string& group_id)> timeouts_of) {
    timeouts_of_ = std::move(timeouts_of);
  }

  /// Who takes over, inside a section; to be set before the first call. Else such groups stay here.
  void set_hand_over(HandOver hand_over) { hand_over_ = std::move(hand_over); }

  void heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done);
  /// LeaveGroup of the classic protocol, by which admin clients remove members of groups of either kind.
  void leave(std::string_view group_id, const std::vector<LeavingMember>& members, LeaveCallback done);

  // Members of the classic protocol (consumer_group_classic.cc). `request` has passed GroupMachine::check_join().
  void join(JoinGroupRequest request, JoinCallback done);
  void sync(SyncGroupRequest request, SyncCallback done);
  CoordinatorError classic_heartbeat(const GroupCaller& caller);

  /// Whether the caller may commit offsets: kStaleMemberEpoch (kIllegalGeneration to a member of the classic protocol),
  /// kUnknownMember, kUnsupportedVersion.
  CoordinatorError check_commit(const GroupCaller& caller, const std::vector<OffsetToCommit>& offsets,
                                bool transactional);
  /// Whether the caller may read offsets as a member: the same errors for another epoch, kUnknownMember.
  CoordinatorError check_fetch(const GroupCaller& caller);
  /// The topics that members subscribe to, by name or regular expression.
  std::set<std::string> subscribed_topics(std::string_view group_id);

  bool contains(std::string_view group_id);
  std::vector<GroupListing> list();
  ConsumerGroupDescription describe(std::string_view group_id);
  /// Forgets a group without members, whose records' end is the caller's to write; otherwise kNonEmptyGroup or
  /// kGroupIdNotFound.
  CoordinatorError take_over(std::string_view group_id, std::vector<StateLog::Entry>& end);
  /// Whether heartbeat() would make a group for this request, where there is none.
  bool accepts_new_group(const ConsumerHeartbeatRequest& request);
  bool has_members(std::string_view group_id);

  /// Takes over a group as read from the disk; its members have one session timeout to show up.
  void restore(const std::string& group_id, const StoredConsumerGroup& stored);
  /// Goes on with a group of the classic protocol. Its records, which are the caller's to write.
  std::vector<StateLog::Entry> adopt(const std::string& group_id, const StoredConsumerGroup& group);
  /// Hands the group over when only members of the classic protocol are left in it.
  void hand_over_if_classic(std::string_view group_id);
  /// All records of the group.
  std::vector<StateLog::Entry> records_of(std::string_view group_id);

 private:
  struct Member;
  struct Group;
  struct BySubscription;
  struct Refusal {
    CoordinatorError error;
    std::string message;
  };
  using Checked = std::optional<Refusal>;  ///< Nothing: all is well.

  // What a request may ask for (consumer_group_requests.cc).
  Checked check_request(const ConsumerHeartbeatRequest& request) const;
  static Checked check_epoch(const Member& member, const ConsumerHeartbeatRequest& request);
  static const Member* find_place(const Group* group, const std::string& member_id,
                                  const std::optional<std::string>& instance_id);
  Checked check_memory(const Member* before, size_t bytes) const;
  Checked check_memory(const Group* group, const ConsumerHeartbeatRequest& request) const;
  static Checked find_member(Group& group, const std::string& member_id, const std::optional<std::string>& instance_id,
                             Member** member);
  Checked join_or_find(Group& group, const ConsumerHeartbeatRequest& request, Member** member);
  Checked leave(Group& group, const ConsumerHeartbeatRequest& request);
  static CoordinatorError find_leaving(const Group* group, const LeavingMember& leaving, std::string* id);
  static bool is_full(const ConsumerHeartbeatRequest& request);
  bool had_by(const Group& group, const Member& member, int32_t epoch,
              const std::vector<OffsetToCommit>& offsets) const;

  // Members of the classic protocol (consumer_group_classic.cc).
  static bool fits(const Group& group, const JoinGroupRequest& request);
  CoordinatorError find_joining(Group& group, const JoinGroupRequest& request, bool is_new, const PartitionSet& owned,
                                Member** member);
  static CoordinatorError find_classic(Group* group, const GroupCaller& caller, Member** member);
  static bool waits_for_others(const Group& group, const Member& member);
  CoordinatorError ask_to_join(Group& group, Member& member);

  // What happens inside a group (consumer_group_machine.cc).
  Group* find_group(std::string_view id);
  bool is_full();
  Member& add_member(Group& group, const std::string& member_id, const std::optional<std::string>& instance_id);
  Member& replace_static_member(Group& group, Member& old, const std::string& new_id);
  void advance(Group& group, Member& member, std::optional<ConsumerMemberInfo> told,
               const std::optional<PartitionSet>& owned);
  void account(Member& member);
  bool update_member(Group& group, Member& member, std::optional<ConsumerMemberInfo> told);
  void refresh_topics(Group& group, bool subscriptions_changed);
  void update_target(Group& group);
  void reconcile_member(Group& group, Member& member, const std::optional<PartitionSet>& owned);
  void set_current(Group& group, Member& member, CurrentAssignment next);
  void remove_member(Group& group, Member& member);
  std::string_view assignor_of(const Group& group) const;
  static GroupState state_of(const Group& group);

  GroupTimeouts timeouts_of(const Group& group);
  void touch(Group& group, Member& member);
  void on_session_timer(const std::string& group_id, const std::string& member_id);
  void watch_revocation(Group& group, Member& member);
  void start_rebalance_timer(Group& group, Member& member);
  void stop_rebalance_timer(Member& member);
  void on_rebalance_timer(const std::string& group_id, const std::string& member_id, uint64_t round);

  void flush(Group& group);
  void on_stored(const std::string& group_id, uint64_t life, uint64_t write, bool stored);
  void answer(Group& group, ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply);
  void answer_held(Group& group, ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply);
  void answer_now(ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply);
  static StoredConsumerGroup stored_form(const Group& group);
  static void append_records(const Group& group, const Member& member, bool all, std::vector<StateLog::Entry>& out);
  static std::vector<StateLog::Entry> all_records(const Group& group);

  const ConsumerGroupOptions options_;
  GroupLock& lock_;
  GroupMemory& memory_;
  os::Clock& clock_;
  Timers& timers_;
  const TopicView& topics_;
  Store store_;
  Function<GroupTimeouts(const std::string& group_id)> timeouts_of_;
  HandOver hand_over_;
  bool full_ = false;  ///< A group was refused, and none has been made since.
  uint64_t next_life_ = 1;
  uint64_t next_round_ = 1;
  std::map<std::string, std::unique_ptr<Group>, std::less<>> groups_;
};

}  // namespace headrace::broker
