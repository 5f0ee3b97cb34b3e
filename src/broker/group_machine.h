// Memberships of all groups: the classic rebalance protocol (KIP-62) with static members (KIP-345) and known member ids
// (KIP-394), as a state machine over a clock. It knows neither sockets nor the disk: what must be durable goes out
// through `store`, and answers come back through callbacks.
//
//            join                 all joined, or the            leader synced and
//   Empty ---------> Preparing --- time is up --> Completing --- stored ---------> Stable
//     ^              Rebalance                    Rebalance                          |
//     |  none left    |  ^                          |                                |
//     +---------------+  +------- join, leave, expiry ---------------------------------+
//
// A cooperative rebalance is two of these; the broker does not tell it from an eager one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/group_lock.h"
#include "broker/group_memory.h"
#include "broker/group_types.h"
#include "broker/timers.h"
#include "os/clock.h"

namespace headrace::broker {

/// A group as it is kept on the disk: written when it becomes stable and when it becomes empty.
struct StoredGroup {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    int32_t rebalance_timeout_ms = 0;
    int32_t session_timeout_ms = 0;
    Bytes subscription;
    Bytes assignment;

    // Not kept on the disk.
    std::vector<GroupProtocol> protocols;  ///< All that it supports.
    Bytes previous_assignment;             ///< Of the generation before.
    bool told = true;                      ///< Its assignment; until then it has the previous one.
  };
  std::string group_id;
  std::string protocol_type;
  int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;  ///< None: the members are to join anew.
  int64_t state_time_ms = -1;
  std::vector<Member> members;
};

struct GroupMachineOptions {
  milliseconds initial_rebalance_delay{50};
  milliseconds session_timeout_min{100};
  milliseconds session_timeout_max{1800000};
  size_t group_members_max = 10000;
  size_t groups_max = 100000;
};

/// Thread-safe; callbacks run after `lock` is released.
class GroupMachine {
 public:
  /// Stores a group, then calls back with whether that worked. May call back at once.
  using Store = Function<void(StoredGroup, Function<void(bool stored)>)>;

  GroupMachine(GroupMachineOptions options, GroupLock& lock, GroupMemory& memory, os::Clock& clock, Timers& timers,
               Store store);
  ~GroupMachine();

  void join(JoinGroupRequest request, JoinCallback done);
  void sync(SyncGroupRequest request, SyncCallback done);
  CoordinatorError heartbeat(const GroupCaller& caller);
  LeaveGroupAnswer leave(std::string_view group_id, const std::vector<LeavingMember>& members);

  /// Whether the caller may commit offsets now; counts as a sign of life.
  CoordinatorError check_commit(const GroupCaller& caller, bool transactional);
  /// The topics that the members of a "consumer" group subscribe to.
  std::set<std::string> subscribed_topics(std::string_view group_id);

  /// Whether join() would make a group for this request, where there is none.
  bool accepts_new_group(const JoinGroupRequest& request);
  bool contains(std::string_view group_id);
  std::vector<GroupListing> list();
  GroupDescription describe(std::string_view group_id);
  /// kNone when the group was empty and is forgotten now, else kNonEmptyGroup or kGroupIdNotFound.
  CoordinatorError remove(std::string_view group_id);
  /// Since when (wall clock, ms) the group has had no members, -1 where that is not known or it never had any; nothing
  /// when it has some, or has given ids out for some, or does not exist.
  std::optional<int64_t> empty_since_ms(std::string_view group_id);

  /// Takes over a group as read from the disk; its members have one session timeout to show up.
  void restore(StoredGroup group);

  // Groups that go from protocol to protocol with their members (group_migration.h).
  /// kNone where join() may be told of it; else what is wrong with the request itself.
  CoordinatorError check_join(const JoinGroupRequest& request) const;
  /// The group as it is, with all that its members support; nothing: no such group.
  std::optional<StoredGroup> snapshot(std::string_view group_id);
  /// Forgets the group. Who waits for others is told that a rebalance has begun.
  void release(std::string_view group_id);
  /// Goes on with the members of a consumer group, beginning with a rebalance. The group as it is to be kept until that
  /// is done, which is the caller's to write.
  StoredGroup adopt(StoredGroup group);

 private:
  struct Member;
  struct Group;
  /// A static member under a new id that is on its way to the disk, and what it was before.
  struct Replacement {
    int32_t generation = 0;
    std::string old_id;
    std::string new_id;
    std::string leader;
    JoinGroupRequest told;
  };

  void new_dynamic_member(Group& group, JoinGroupRequest& request, JoinCallback done);
  void new_static_member(Group& group, JoinGroupRequest& request, JoinCallback done);
  Member& rename_static_member(Group& group, const std::string& from, const std::string& to);
  void replace_static_member(Group& group, const std::string& old_id, JoinGroupRequest& request, JoinCallback done);
  void on_replacement_stored(const std::string& group_id, const Replacement& replacement, bool stored);
  void known_member_joins(Group& group, JoinGroupRequest& request, JoinCallback done);
  void add_and_rebalance(Group& group, const std::string& member_id, JoinGroupRequest& request, JoinCallback done);
  void update_and_rebalance(Group& group, Member& member, JoinGroupRequest& request, JoinCallback done);
  CoordinatorError find_member(Group& group, std::string_view member_id, const std::optional<std::string>& instance_id,
                               Member** member);

  void prepare_rebalance(Group& group);
  void maybe_complete_join(Group& group);
  void on_rebalance_timer(const std::string& group_id, int64_t round);
  void complete_join(Group& group);
  void answer_joins(Group& group);
  void on_sync_timer(const std::string& group_id, int32_t generation);
  void leader_synced(Group& group, const std::vector<MemberAssignment>& assignments);
  void on_stored(const std::string& group_id, int32_t generation, bool stored);
  void answer_syncs(Group& group);
  void remove_member(Group& group, const std::string& member_id);
  void member_gone(Group& group);
  void became_empty(Group& group);

  void touch(Group& group, Member& member);
  void on_session_timer(const std::string& group_id, const std::string& member_id);
  void add_pending_member(Group& group, const std::string& member_id, milliseconds timeout);

  void answer(JoinCallback& callback, JoinGroupAnswer answer);
  void answer(SyncCallback& callback, SyncGroupAnswer answer);
  JoinGroupAnswer join_answer(const Group& group, const Member& member) const;
  static StoredGroup stored_form(const Group& group);
  void store(Group& group, Function<void(bool)> done);
  Group& add_stored(StoredGroup stored);
  Group* find_group(std::string_view id);
  bool is_full();
  bool is_too_much(const Group* group, const JoinGroupRequest& request);
  bool is_too_much(const Group& group, const std::vector<MemberAssignment>& assignments) const;
  void account(Member& member);
  void account(Group& group);
  bool forget_if_nobody_came(Group& group);
  std::string new_member_id(const JoinGroupRequest& request);

  const GroupMachineOptions options_;
  GroupLock& lock_;
  GroupMemory& memory_;
  os::Clock& clock_;
  Timers& timers_;
  Store store_;

  std::map<std::string, std::unique_ptr<Group>, std::less<>> groups_;
  bool full_ = false;  ///< A group was refused, and none has been made since.
  uint64_t next_member_ = 1;
  int64_t next_round_ = 1;
  std::string member_salt_;
};

}  // namespace headrace::broker
