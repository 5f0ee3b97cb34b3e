// What happens inside a group: rebalances, sessions, and what is kept on the disk.
#include <algorithm>

#include "broker/group_machine.h"
#include "broker/group_state.h"

namespace headrace::broker {

/// The protocol that most members prefer among those that all support (Kafka's vote).
std::string GroupMachine::Group::choose_protocol() const {
  std::map<std::string_view, size_t> supporters;
  for (const auto& [id, member] : members) {
    std::set<std::string_view> names;  // One may be in the list twice.
    for (const GroupProtocol& protocol : member.protocols) names.insert(protocol.name);
    for (std::string_view name : names) ++supporters[name];
  }
  std::map<std::string, int> votes;
  for (const auto& [id, member] : members) {
    for (const GroupProtocol& protocol : member.protocols) {
      if (supporters[protocol.name] < members.size()) continue;
      ++votes[protocol.name];
      break;
    }
  }
  auto most =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? std::string() : most->first;
}

JoinGroupAnswer GroupMachine::join_answer(const Group& group, const Member& member) const {
  JoinGroupAnswer reply{.generation = group.generation,
                        .protocol_type = group.protocol_type,
                        .protocol_name = group.protocol,
                        .leader = group.leader,
                        .member_id = member.id};
  if (member.id != group.leader) return reply;
  for (const auto& [id, other] : group.members) {
    reply.members.push_back({id, other.instance_id, other.metadata(group.protocol.value_or(""))});
  }
  return reply;
}

void GroupMachine::prepare_rebalance(Group& group) {
  for (auto& [id, member] : group.members) {
    answer(member.syncing, SyncGroupAnswer{.error = CoordinatorError::kRebalanceInProgress});
    member.synced = false;
  }
  timers_.cancel(group.sync_timer);
  timers_.cancel(group.rebalance_timer);
  group.initial_delay = group.state == GroupState::kEmpty && options_.initial_rebalance_delay.count() > 0;
  group.state = GroupState::kPreparingRebalance;
  group.state_time_ms = clock_.wall_ms();
  group.storing = false;
  group.rebalance_round = next_round_++;

  milliseconds wait = group.rebalance_timeout();
  if (group.initial_delay) {
    wait = std::min(options_.initial_rebalance_delay, wait);
    group.initial_left = group.rebalance_timeout() - wait;
    group.joined_in_delay = false;
  }
  group.rebalance_timer =
      timers_.after(wait, [this, id = group.id, round = group.rebalance_round] { on_rebalance_timer(id, round); });
  maybe_complete_join(group);
}

void GroupMachine::maybe_complete_join(Group& group) {
  if (group.state == GroupState::kPreparingRebalance && !group.initial_delay && group.all_joined())
    complete_join(group);
}

void GroupMachine::on_rebalance_timer(const std::string& group_id, int64_t round) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group || group->state != GroupState::kPreparingRebalance || group->rebalance_round != round) return;
  if (group->initial_delay && group->joined_in_delay && group->initial_left.count() > 0) {
    // While members keep coming the first rebalance waits on.
    milliseconds wait = std::min(options_.initial_rebalance_delay, group->initial_left);
    group->initial_left -= wait;
    group->joined_in_delay = false;
    group->rebalance_timer = timers_.after(wait, [this, group_id, round] { on_rebalance_timer(group_id, round); });
    return;
  }
  complete_join(*group);
}

void GroupMachine::complete_join(Group& group) {
  timers_.cancel(group.rebalance_timer);
  group.initial_delay = false;
  std::vector<std::string> absent;
  bool any_joined = false;
  for (const auto& [id, member] : group.members) {
    any_joined = any_joined || member.joining;
    if (!member.joining && !member.instance_id) absent.push_back(id);
  }
  for (const std::string& id : absent) remove_member(group, id);
  if (!any_joined && !group.members.empty()) {
    // Static members only, all of them away: they keep their places until their sessions end.
    group.rebalance_round = next_round_++;
    group.rebalance_timer =
        timers_.after(std::max(group.rebalance_timeout(), milliseconds(1)),
                      [this, id = group.id, round = group.rebalance_round] { on_rebalance_timer(id, round); });
    return;
  }
  ++group.generation;
  if (group.members.empty()) return became_empty(group);

  auto leader = group.members.find(group.leader);
  if (leader == group.members.end() || !leader->second.joining) {
    auto joined =
        std::find_if(group.members.begin(), group.members.end(), [](const auto& m) { return bool(m.second.joining); });
    group.leader = joined->first;
  }
  group.protocol = group.choose_protocol();
  group.state = GroupState::kCompletingRebalance;
  group.state_time_ms = clock_.wall_ms();
  answer_joins(group);
  group.sync_timer = timers_.after(group.rebalance_timeout(), [this, id = group.id, generation = group.generation] {
    on_sync_timer(id, generation);
  });
}

void GroupMachine::answer_joins(Group& group) {
  for (auto& [id, member] : group.members) {
    if (!member.joining) continue;
    answer(member.joining, join_answer(group, member));
    member.synced = false;
    member.knows_id = true;
    touch(group, member);
  }
}

/// A member that joined and then never synced holds everybody up; it has the rebalance's time. So does a static one
/// that was away when the others joined.
void GroupMachine::on_sync_timer(const std::string& group_id, int32_t generation) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  bool waits = group && group->generation == generation &&
               (group->state == GroupState::kCompletingRebalance || group->state == GroupState::kStable);
  if (!waits) return;
  std::vector<std::string> late;
  for (const auto& [id, member] : group->members) {
    if (!member.synced) late.push_back(id);
  }
  if (late.empty()) return;
  for (const std::string& id : late) remove_member(*group, id);
  prepare_rebalance(*group);
}

void GroupMachine::leader_synced(Group& group, const std::vector<MemberAssignment>& assignments) {
  if (group.storing) return;
  for (auto& [id, member] : group.members) {
    if (member.told_assignment) member.previous_assignment = std::move(member.assignment);
    member.assignment = {};
    member.told_assignment = false;
  }
  for (const MemberAssignment& assigned : assignments) {
    auto member = group.members.find(assigned.member_id);
    if (member != group.members.end()) member->second.assignment = assigned.assignment;
  }
  account(group);
  group.storing = true;
  store(group,
        [this, id = group.id, generation = group.generation](bool stored) { on_stored(id, generation, stored); });
}

void GroupMachine::on_stored(const std::string& group_id, int32_t generation, bool stored) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group || group->generation != generation || group->state != GroupState::kCompletingRebalance || !group->storing)
    return;
  group->storing = false;
  if (stored) {
    group->state = GroupState::kStable;
    group->state_time_ms = clock_.wall_ms();
    return answer_syncs(*group);
  }
  for (auto& [id, member] : group->members) {
    member.assignment = std::exchange(member.previous_assignment, {});
    member.told_assignment = true;
    answer(member.syncing, SyncGroupAnswer{.error = CoordinatorError::kNotAvailable});
  }
  account(*group);
  prepare_rebalance(*group);
}

void GroupMachine::answer_syncs(Group& group) {
  for (auto& [id, member] : group.members) {
    if (!member.syncing) continue;
    answer(member.syncing,
           {CoordinatorError::kNone, group.protocol_type, group.protocol.value_or(""), member.assignment});
    member.told_assignment = true;
    touch(group, member);
  }
}

void GroupMachine::remove_member(Group& group, const std::string& member_id) {
  auto found = group.members.find(member_id);
  if (found == group.members.end()) return;
  Member& member = found->second;
  timers_.cancel(member.session_timer);
  answer(member.joining, {.error = CoordinatorError::kUnknownMember, .member_id = member_id});
  answer(member.syncing, SyncGroupAnswer{.error = CoordinatorError::kUnknownMember});
  if (member.instance_id) group.static_members.erase(*member.instance_id);
  group.members.erase(found);
  if (group.leader == member_id) group.leader = group.members.empty() ? "" : group.members.begin()->first;
}

/// After a member left or expired.
void GroupMachine::member_gone(Group& group) {
  switch (group.state) {
    case GroupState::kStable:
    case GroupState::kCompletingRebalance: return prepare_rebalance(group);
    case GroupState::kPreparingRebalance: return maybe_complete_join(group);
    default: return;
  }
}

void GroupMachine::became_empty(Group& group) {
  group.state = GroupState::kEmpty;
  group.state_time_ms = clock_.wall_ms();
  group.protocol.reset();
  group.leader.clear();
  store(group, [](bool) {});
}

void GroupMachine::touch(Group& group, Member& member) {
  member.expires = clock_.monotonic() + member.session_timeout;
  // One timer a member: it looks at `expires` when it fires and goes on when there were signs of life.
  if (member.session_timer) return;
  member.session_timer = timers_.after(member.session_timeout,
                                       [this, group_id = group.id, id = member.id] { on_session_timer(group_id, id); });
}

void GroupMachine::on_session_timer(const std::string& group_id, const std::string& member_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group) return;
  auto found = group->members.find(member_id);
  if (found == group->members.end()) return;
  Member& member = found->second;
  auto now = clock_.monotonic();
  // Who waits for an answer of ours can't be expected to send heartbeats.
  bool alive = member.joining || member.syncing || member.expires > now;
  if (alive) {
    auto left = std::chrono::ceil<milliseconds>(member.expires - now);
    member.session_timer = timers_.after(left.count() > 0 ? left : member.session_timeout,
                                         [this, group_id, member_id] { on_session_timer(group_id, member_id); });
    return;
  }
  member.session_timer = 0;
  remove_member(*group, member_id);
  member_gone(*group);
}

void GroupMachine::add_pending_member(Group& group, const std::string& member_id, milliseconds timeout) {
  group.pending_members[member_id] = timers_.after(timeout, [this, group_id = group.id, member_id] {
    GroupLock::Section section(lock_);
    Group* late = find_group(group_id);
    if (!late || late->pending_members.erase(member_id) == 0) return;
    if (!forget_if_nobody_came(*late)) maybe_complete_join(*late);
  });
}

/// A group that has given ids out and that nobody joined was only asked for.
bool GroupMachine::forget_if_nobody_came(Group& group) {
  if (group.generation > 0 || !group.members.empty() || !group.pending_members.empty()) return false;
  timers_.cancel(group.rebalance_timer);
  groups_.erase(groups_.find(group.id));
  return true;
}

StoredGroup GroupMachine::stored_form(const Group& group) {
  StoredGroup stored{.group_id = group.id,
                     .protocol_type = group.protocol_type,
                     .generation = group.generation,
                     .protocol = group.protocol,
                     .leader = group.leader.empty() ? std::nullopt : std::optional(group.leader),
                     .state_time_ms = group.state_time_ms,
                     .members = {}};
  for (const auto& [id, member] : group.members) {
    if (!member.knows_id && !member.instance_id) continue;  // It will come back under another.
    stored.members.push_back({id, member.instance_id, member.client_id, member.client_host,
                              static_cast<int32_t>(member.rebalance_timeout.count()),
                              static_cast<int32_t>(member.session_timeout.count()),
                              member.metadata(group.protocol.value_or("")), member.assignment, member.protocols,
                              member.previous_assignment, member.told_assignment});
  }
  return stored;
}

void GroupMachine::store(Group& group, Function<void(bool)> done) {
  lock_.after_unlock([this, stored = stored_form(group), done = std::move(done)]() mutable {
    store_(std::move(stored), std::move(done));
  });
}

std::optional<StoredGroup> GroupMachine::snapshot(std::string_view group_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  return group ? std::optional(stored_form(*group)) : std::nullopt;
}

void GroupMachine::release(std::string_view group_id) {
  GroupLock::Section section(lock_);
  auto found = groups_.find(group_id);
  if (found == groups_.end()) return;
  Group& group = *found->second;
  group.cancel_timers(timers_);
  for (auto& [id, member] : group.members) {
    answer(member.joining, {.error = CoordinatorError::kRebalanceInProgress, .member_id = id});
    answer(member.syncing, SyncGroupAnswer{.error = CoordinatorError::kRebalanceInProgress});
  }
  groups_.erase(found);
}

void GroupMachine::restore(StoredGroup stored) {
  GroupLock::Section section(lock_);
  Group& group = add_stored(std::move(stored));
  if (!group.members.empty() && group.leader.empty()) prepare_rebalance(group);
}

StoredGroup GroupMachine::adopt(StoredGroup stored) {
  GroupLock::Section section(lock_);
  Group& group = add_stored(std::move(stored));
  group.protocol = group.choose_protocol();
  StoredGroup kept = stored_form(group);
  prepare_rebalance(group);
  return kept;
}

GroupMachine::Group& GroupMachine::add_stored(StoredGroup stored) {
  auto group = std::make_unique<Group>();
  group->id = stored.group_id;
  group->state = stored.members.empty() ? GroupState::kEmpty : GroupState::kStable;
  group->state_time_ms = stored.state_time_ms;
  group->generation = stored.generation;
  group->protocol_type = stored.protocol_type;
  group->protocol = stored.protocol;
  group->leader = stored.leader.value_or("");
  for (StoredGroup::Member& from : stored.members) {
    Member& member = group->members[from.member_id];
    member.id = from.member_id;
    member.instance_id = from.group_instance_id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.rebalance_timeout = milliseconds(from.rebalance_timeout_ms);
    member.session_timeout = milliseconds(from.session_timeout_ms);
    member.protocols = std::move(from.protocols);
    if (member.protocols.empty()) member.protocols = {{stored.protocol.value_or(""), std::move(from.subscription)}};
    member.assignment = std::move(from.assignment);
    member.synced = true;
    account(member);
    if (member.instance_id) group->static_members[*member.instance_id] = member.id;
    touch(*group, member);
  }
  return *(groups_[stored.group_id] = std::move(group));
}

}  // namespace headrace::broker
