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

  ConsumerGroupMachine(ConsumerGroupOptions options, GroupLock& lock, os::Clock& clock, Timers& timers,
                       const TopicView& topics, Store store);
  ~ConsumerGroupMachine();

  /// Where groups have timeouts of their own, asked under the lock. To be set before the first call; else the options'.
  void set_timeouts(Function<GroupTimeouts(const std::string& group_id)> timeouts_of) {
    timeouts_of_ = std::move(timeouts_of);
  }

  void heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done);
  /// LeaveGroup of the classic protocol, by which admin clients remove members of groups of either kind.
  void leave(std::string_view group_id, const std::vector<LeavingMember>& members, LeaveCallback done);

  /// Whether the caller may commit offsets: kStaleMemberEpoch, kUnknownMember, kUnsupportedVersion.
  CoordinatorError check_commit(const GroupCaller& caller, bool transactional);
  /// Whether the caller may read offsets as a member.
  CoordinatorError check_fetch(const GroupCaller& caller);
  /// The topics that members subscribe to, by name or regular expression.
  std::set<std::string> subscribed_topics(std::string_view group_id);

  bool contains(std::string_view group_id);
  std::vector<GroupListing> list();
  ConsumerGroupDescription describe(std::string_view group_id);
  /// Forgets a group without members; `done` when that is stored. Otherwise kNonEmptyGroup or kGroupIdNotFound, and
  /// `done` is not called.
  CoordinatorError remove(std::string_view group_id, Function<void(bool stored)> done);
  /// The same for a group that goes on by another protocol: the records of its end are the caller's to write.
  CoordinatorError take_over(std::string_view group_id, std::vector<StateLog::Entry>& end);
  /// Whether heartbeat() would make a group for this request, where there is none.
  bool accepts_new_group(const ConsumerHeartbeatRequest& request);
  bool has_members(std::string_view group_id);

  /// Takes over a group as read from the disk; its members have one session timeout to show up.
  void restore(const std::string& group_id, const StoredConsumerGroup& stored);
  /// All records of the groups whose ids pass.
  std::vector<StateLog::Entry> snapshot(Function<bool(const std::string& group_id)> wanted);

 private:
  struct Member;
  struct Group;
  struct Refusal {
    CoordinatorError error;
    std::string message;
  };
  using Checked = std::optional<Refusal>;  ///< Nothing: all is well.

  // What a request may ask for (consumer_group_requests.cc).
  Checked check_request(const ConsumerHeartbeatRequest& request) const;
  static Checked check_epoch(const Member& member, const ConsumerHeartbeatRequest& request);
  Checked find_member(Group& group, const ConsumerHeartbeatRequest& request, Member** member);
  Checked join_or_find(Group& group, const ConsumerHeartbeatRequest& request, Member** member);
  Checked leave(Group& group, const ConsumerHeartbeatRequest& request);
  static CoordinatorError find_leaving(const Group* group, const LeavingMember& leaving, std::string* id);
  static bool is_full(const ConsumerHeartbeatRequest& request);

  // What happens inside a group (consumer_group_machine.cc).
  Group* find_group(std::string_view id);
  bool is_full();
  Member& add_member(Group& group, const ConsumerHeartbeatRequest& request);
  Member& replace_static_member(Group& group, Member& old, const std::string& new_id);
  bool update_member(Group& group, Member& member, const ConsumerHeartbeatRequest& request);
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
  void on_rebalance_timer(const std::string& group_id, const std::string& member_id, int32_t epoch);

  void flush(Group& group);
  void on_stored(const std::string& group_id, uint64_t life, uint64_t write, bool stored,
                 const std::set<std::string>& removed);
  void answer(Group& group, ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply);
  void answer_held(Group& group, ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply);
  void answer_now(ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply);
  static void append_records(const Group& group, const Member& member, bool all, std::vector<StateLog::Entry>& out);
  static std::vector<StateLog::Entry> all_records(const Group& group);

  const ConsumerGroupOptions options_;
  GroupLock& lock_;
  os::Clock& clock_;
  Timers& timers_;
  const TopicView& topics_;
  Store store_;
  Function<GroupTimeouts(const std::string& group_id)> timeouts_of_;
  bool full_ = false;  ///< A group was refused, and none has been made since.
  uint64_t next_life_ = 1;
  std::map<std::string, std::unique_ptr<Group>, std::less<>> groups_;
};

}  // namespace headrace::broker
