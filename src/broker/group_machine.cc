#include "broker/group_machine.h"

#include <algorithm>

#include "base/logging.h"
#include "broker/consumer_protocol.h"
#include "broker/group_state.h"
#include "broker/metadata.h"
#include "broker/topic.h"

// Requests of members. What a rebalance does is in group_rebalance.cc.
namespace headrace::broker {
namespace {

/// Of a member's id: what stands before the part that makes it unique. Ids are stored with 16-bit lengths.
constexpr size_t kMemberIdNameBytesMax = 255;

}  // namespace

std::string_view to_string(GroupState state) {
  switch (state) {
    case GroupState::kEmpty: return "Empty";
    case GroupState::kPreparingRebalance: return "PreparingRebalance";
    case GroupState::kCompletingRebalance: return "CompletingRebalance";
    case GroupState::kStable: return "Stable";
    case GroupState::kDead: return "Dead";
    case GroupState::kAssigning: return "Assigning";
    case GroupState::kReconciling: return "Reconciling";
  }
  return "Unknown";
}

std::string_view to_string(GroupType type) {
  switch (type) {
    case GroupType::kClassic: return "classic";
    case GroupType::kConsumer: return "consumer";
  }
  return "unknown";
}

GroupMachine::GroupMachine(GroupMachineOptions options, GroupLock& lock, GroupMemory& memory, os::Clock& clock,
                           Timers& timers, Store store)
    : options_(options),
      lock_(lock),
      memory_(memory),
      clock_(clock),
      timers_(timers),
      store_(std::move(store)),
      member_salt_(to_string(random_uuid())) {}

GroupMachine::~GroupMachine() = default;

GroupMachine::Group* GroupMachine::find_group(std::string_view id) {
  auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

std::string GroupMachine::new_member_id(const JoinGroupRequest& request) {
  const std::string& name = request.group_instance_id ? *request.group_instance_id : request.client_id;
  return name.substr(0, kMemberIdNameBytesMax) + "-" + member_salt_ + "-" + std::to_string(next_member_++);
}

void GroupMachine::answer(JoinCallback& callback, JoinGroupAnswer answer) {
  if (!callback) return;
  lock_.after_unlock(
      [callback = std::move(callback), answer = std::move(answer)]() mutable { callback(std::move(answer)); });
  callback = {};
}

void GroupMachine::answer(SyncCallback& callback, SyncGroupAnswer answer) {
  if (!callback) return;
  lock_.after_unlock(
      [callback = std::move(callback), answer = std::move(answer)]() mutable { callback(std::move(answer)); });
  callback = {};
}

CoordinatorError GroupMachine::check_join(const JoinGroupRequest& request) const {
  if (request.group_id.empty()) return CoordinatorError::kInvalidGroupId;
  if (request.session_timeout < options_.session_timeout_min ||
      request.session_timeout > options_.session_timeout_max) {
    return CoordinatorError::kInvalidSessionTimeout;
  }
  if (request.protocols.empty() || request.protocol_type.empty()) return CoordinatorError::kInconsistentProtocol;
  return CoordinatorError::kNone;
}

CoordinatorError GroupMachine::find_member(Group& group, std::string_view member_id,
                                           const std::optional<std::string>& instance_id, Member** member) {
  std::string wanted(member_id);
  if (instance_id) {
    auto known = group.static_members.find(*instance_id);
    if (known == group.static_members.end()) return CoordinatorError::kUnknownMember;
    if (known->second != member_id) return CoordinatorError::kFencedInstanceId;
  }
  auto found = group.members.find(wanted);
  if (found == group.members.end()) return CoordinatorError::kUnknownMember;
  *member = &found->second;
  return CoordinatorError::kNone;
}

/// Whether there may be no more groups; told once until there may.
bool GroupMachine::is_full() {
  if (groups_.size() < options_.groups_max) return full_ = false;
  if (!std::exchange(full_, true)) {
    log_warn("there are {} classic groups, which is the most that there may be: new ones are refused", groups_.size());
  }
  return true;
}

/// Whether what a member would tell has no room beside the rest.
bool GroupMachine::is_too_much(const Group* group, const JoinGroupRequest& request) {
  std::string id = request.member_id;
  if (group && request.group_instance_id) {
    auto known = group->static_members.find(*request.group_instance_id);
    if (known != group->static_members.end()) id = known->second;
  }
  size_t had = group && group->members.contains(id) ? group->members.at(id).memory.bytes() : 0;
  size_t bytes = kMemberBytes + request.client_id.size() + bytes_of(request.protocols);
  return !memory_.has_room(bytes, had);
}

/// Of assignments, which take the place of those before.
bool GroupMachine::is_too_much(const Group& group, const std::vector<MemberAssignment>& assignments) const {
  size_t before = 0, after = 0;
  for (const auto& [id, member] : group.members) {
    before += member.assignment.size() + member.previous_assignment.size();
    after += (member.told_assignment ? member.assignment : member.previous_assignment).size();
  }
  for (const MemberAssignment& assigned : assignments) {
    if (group.members.contains(assigned.member_id)) after += assigned.assignment.size();
  }
  return !memory_.has_room(after, before);
}

void GroupMachine::account(Member& member) {
  size_t told = kMemberBytes + member.client_id.size() + bytes_of(member.protocols);
  member.memory.set(memory_, told + member.assignment.size() + member.previous_assignment.size());
}

void GroupMachine::account(Group& group) {
  for (auto& [id, member] : group.members) account(member);
}

bool GroupMachine::accepts_new_group(const JoinGroupRequest& request) {
  GroupLock::Section section(lock_);
  return check_join(request) == CoordinatorError::kNone && request.member_id.empty() && !is_full();
}

void GroupMachine::join(JoinGroupRequest request, JoinCallback done) {
  GroupLock::Section section(lock_);
  auto refuse = [&](CoordinatorError error) {
    answer(done, JoinGroupAnswer{.error = error, .member_id = request.member_id});
  };
  if (auto error = check_join(request); error != CoordinatorError::kNone) return refuse(error);
  Group* group = find_group(request.group_id);
  if (is_too_much(group, request)) return refuse(CoordinatorError::kGroupMaxSizeReached);
  if (!group) {
    if (!request.member_id.empty()) return refuse(CoordinatorError::kUnknownMember);
    if (is_full()) return refuse(CoordinatorError::kNotAvailable);
    auto created = std::make_unique<Group>();
    created->id = request.group_id;
    created->state_time_ms = clock_.wall_ms();
    group = created.get();
    groups_.emplace(request.group_id, std::move(created));
  }
  bool known = group->members.contains(request.member_id);
  bool awaited = known || group->pending_members.contains(request.member_id);
  if (!awaited && group->members.size() + group->pending_members.size() >= options_.group_members_max) {
    return refuse(CoordinatorError::kGroupMaxSizeReached);
  }
  bool type_fits = group->members.empty() || group->protocol_type == request.protocol_type;
  if (!type_fits || !group->fits(request.protocols)) return refuse(CoordinatorError::kInconsistentProtocol);

  if (!request.member_id.empty()) return known_member_joins(*group, request, std::move(done));
  if (request.group_instance_id) return new_static_member(*group, request, std::move(done));
  new_dynamic_member(*group, request, std::move(done));
}

void GroupMachine::new_dynamic_member(Group& group, JoinGroupRequest& request, JoinCallback done) {
  std::string id = new_member_id(request);
  if (!request.require_known_member_id) return add_and_rebalance(group, id, request, std::move(done));
  add_pending_member(group, id, request.session_timeout);
  answer(done, {.error = CoordinatorError::kMemberIdRequired, .member_id = id});
}

void GroupMachine::new_static_member(Group& group, JoinGroupRequest& request, JoinCallback done) {
  auto known = group.static_members.find(*request.group_instance_id);
  if (known == group.static_members.end())
    return add_and_rebalance(group, new_member_id(request), request, std::move(done));
  std::string old_id = known->second;
  replace_static_member(group, old_id, request, std::move(done));
}

/// The same member under another id.
GroupMachine::Member& GroupMachine::rename_static_member(Group& group, const std::string& from, const std::string& to) {
  auto node = group.members.extract(from);
  timers_.cancel(std::exchange(node.mapped().session_timer, 0));
  node.key() = to;
  Member& member = group.members.insert(std::move(node)).position->second;
  member.id = to;
  group.static_members[*member.instance_id] = to;
  if (group.leader == from) group.leader = to;
  return member;
}

/// KIP-345: a static member that comes back takes its old place over. That is no rebalance unless the group's protocol
/// would be another now: what the member says besides that is its own (Java's consumers tell their generation).
void GroupMachine::replace_static_member(Group& group, const std::string& old_id, JoinGroupRequest& request,
                                         JoinCallback done) {
  Member& old = group.members.at(old_id);
  answer(old.joining, {.error = CoordinatorError::kFencedInstanceId, .member_id = old_id});
  answer(old.syncing, SyncGroupAnswer{.error = CoordinatorError::kFencedInstanceId});
  Replacement replacement{.generation = group.generation, .old_id = old_id, .leader = group.leader, .told = old.told()};
  Member& member = rename_static_member(group, old_id, new_member_id(request));
  replacement.new_id = member.id;
  member.take(std::move(request));
  account(member);
  member.joining = std::move(done);
  touch(group, member);
  if (group.state == GroupState::kPreparingRebalance) return maybe_complete_join(group);
  if (group.state != GroupState::kStable || group.choose_protocol() != group.protocol) return prepare_rebalance(group);
  store(group, [this, id = group.id, replacement = std::move(replacement)](bool stored) {
    on_replacement_stored(id, replacement, stored);
  });
}

void GroupMachine::on_replacement_stored(const std::string& group_id, const Replacement& replacement, bool stored) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  // A rebalance that has begun meanwhile answers instead.
  if (!group || group->generation != replacement.generation || group->state != GroupState::kStable) return;
  auto found = group->members.find(replacement.new_id);
  if (found == group->members.end()) return;
  Member& member = found->second;
  if (!stored) {
    answer(member.joining, {.error = CoordinatorError::kNotAvailable});
    Member& old = rename_static_member(*group, replacement.new_id, replacement.old_id);
    old.take(replacement.told);
    account(old);
    return touch(*group, old);
  }
  JoinGroupAnswer reply = join_answer(*group, member);
  bool leads = group->leader == member.id;
  reply.skip_assignment = leads && member.supports_skip_assignment;
  if (leads && !member.supports_skip_assignment) {
    // Told that somebody else leads, it asks for its assignment and assigns nothing.
    reply.leader = replacement.leader;
    reply.members.clear();
  }
  touch(*group, member);
  answer(member.joining, std::move(reply));
}

void GroupMachine::known_member_joins(Group& group, JoinGroupRequest& request, JoinCallback done) {
  if (auto pending = group.pending_members.find(request.member_id); pending != group.pending_members.end()) {
    timers_.cancel(pending->second);
    group.pending_members.erase(pending);
    return add_and_rebalance(group, request.member_id, request, std::move(done));
  }
  Member* member = nullptr;
  if (auto error = find_member(group, request.member_id, request.group_instance_id, &member);
      error != CoordinatorError::kNone) {
    return answer(done, {.error = error, .member_id = request.member_id});
  }
  bool same = member->protocols == request.protocols;
  bool current = (group.state == GroupState::kCompletingRebalance && same) ||
                 (group.state == GroupState::kStable && same && group.leader != member->id);
  // An answer that was lost is given again; a leader that asks anew in a stable group wants a rebalance.
  if (current) {
    touch(group, *member);
    return answer(done, join_answer(group, *member));
  }
  update_and_rebalance(group, *member, request, std::move(done));
}

void GroupMachine::add_and_rebalance(Group& group, const std::string& member_id, JoinGroupRequest& request,
                                     JoinCallback done) {
  if (group.members.empty()) {
    group.protocol_type = request.protocol_type;
    group.leader = member_id;
  }
  Member& member = group.members[member_id];
  member.id = member_id;
  member.knows_id = request.member_id == member_id;
  member.instance_id = request.group_instance_id;
  if (request.group_instance_id) group.static_members[*request.group_instance_id] = member_id;
  group.joined_in_delay = true;
  update_and_rebalance(group, member, request, std::move(done));
}

void GroupMachine::update_and_rebalance(Group& group, Member& member, JoinGroupRequest& request, JoinCallback done) {
  member.take(std::move(request));
  account(member);
  // The one that was waiting under this id has given up or is an impostor.
  answer(member.joining, {.error = CoordinatorError::kUnknownMember, .member_id = member.id});
  member.joining = std::move(done);
  touch(group, member);
  if (group.state != GroupState::kPreparingRebalance) return prepare_rebalance(group);
  maybe_complete_join(group);
}

void GroupMachine::sync(SyncGroupRequest request, SyncCallback done) {
  GroupLock::Section section(lock_);
  auto refuse = [&](CoordinatorError error) { answer(done, SyncGroupAnswer{.error = error}); };
  if (request.group_id.empty()) return refuse(CoordinatorError::kInvalidGroupId);
  Group* group = find_group(request.group_id);
  if (!group) return refuse(CoordinatorError::kUnknownMember);
  Member* member = nullptr;
  if (auto error = find_member(*group, request.member_id, request.group_instance_id, &member);
      error != CoordinatorError::kNone) {
    return refuse(error);
  }
  if (request.generation != group->generation) return refuse(CoordinatorError::kIllegalGeneration);
  bool type_fits = !request.protocol_type || *request.protocol_type == group->protocol_type;
  bool protocol_fits = !request.protocol_name || request.protocol_name == group->protocol;
  if (!type_fits || !protocol_fits) return refuse(CoordinatorError::kInconsistentProtocol);

  switch (group->state) {
    case GroupState::kEmpty:
    case GroupState::kDead:
    case GroupState::kAssigning:
    case GroupState::kReconciling: return refuse(CoordinatorError::kUnknownMember);
    case GroupState::kPreparingRebalance: return refuse(CoordinatorError::kRebalanceInProgress);
    case GroupState::kCompletingRebalance:
      // An error by which clients begin the rebalance anew.
      if (member->id == group->leader && is_too_much(*group, request.assignments)) {
        return refuse(CoordinatorError::kNotAvailable);
      }
      answer(member->syncing, SyncGroupAnswer{.error = CoordinatorError::kRebalanceInProgress});
      member->syncing = std::move(done);
      member->synced = true;
      touch(*group, *member);
      if (member->id == group->leader) leader_synced(*group, request.assignments);
      return;
    case GroupState::kStable:
      member->synced = member->told_assignment = true;
      touch(*group, *member);
      return answer(done,
                    {CoordinatorError::kNone, group->protocol_type, group->protocol.value_or(""), member->assignment});
  }
}

CoordinatorError GroupMachine::heartbeat(const GroupCaller& caller) {
  GroupLock::Section section(lock_);
  if (caller.group_id.empty()) return CoordinatorError::kInvalidGroupId;
  Group* group = find_group(caller.group_id);
  if (!group) return CoordinatorError::kUnknownMember;
  Member* member = nullptr;
  if (auto error = find_member(*group, caller.member_id, caller.group_instance_id, &member);
      error != CoordinatorError::kNone) {
    return error;
  }
  if (caller.generation != group->generation) return CoordinatorError::kIllegalGeneration;
  if (group->state == GroupState::kEmpty) return CoordinatorError::kUnknownMember;
  touch(*group, *member);
  return group->state == GroupState::kPreparingRebalance ? CoordinatorError::kRebalanceInProgress
                                                         : CoordinatorError::kNone;
}

LeaveGroupAnswer GroupMachine::leave(std::string_view group_id, const std::vector<LeavingMember>& members) {
  GroupLock::Section section(lock_);
  LeaveGroupAnswer reply;
  if (group_id.empty()) return {CoordinatorError::kInvalidGroupId, {}};
  Group* group = find_group(group_id);
  for (const LeavingMember& leaving : members) {
    if (!group) {
      reply.members.push_back(CoordinatorError::kUnknownMember);
      continue;
    }
    std::string id = leaving.member_id;
    // By its instance id alone a static member can be removed by an operator.
    if (leaving.group_instance_id && id.empty() && group->static_members.contains(*leaving.group_instance_id)) {
      id = group->static_members[*leaving.group_instance_id];
    }
    if (auto pending = group->pending_members.find(id); pending != group->pending_members.end()) {
      timers_.cancel(pending->second);
      group->pending_members.erase(pending);
      reply.members.push_back(CoordinatorError::kNone);
      if (forget_if_nobody_came(*group)) {
        group = nullptr;
      } else {
        maybe_complete_join(*group);
      }
      continue;
    }
    Member* member = nullptr;
    CoordinatorError error = find_member(*group, id, leaving.group_instance_id, &member);
    reply.members.push_back(error);
    if (error != CoordinatorError::kNone) continue;
    remove_member(*group, id);
    member_gone(*group);
  }
  return reply;
}

CoordinatorError GroupMachine::check_commit(const GroupCaller& caller, bool transactional) {
  GroupLock::Section section(lock_);
  if (caller.group_id.empty()) return CoordinatorError::kInvalidGroupId;
  Group* group = find_group(caller.group_id);
  if (!group) return caller.generation < 0 ? CoordinatorError::kNone : CoordinatorError::kIllegalGeneration;
  // Who says nothing of a generation may commit while there are no members.
  if (caller.generation < 0 && group->members.empty()) return CoordinatorError::kNone;
  bool anonymous = caller.generation < 0 && caller.member_id.empty() && !caller.group_instance_id;
  // Transactional producers of before KIP-447 say nothing about membership.
  if (anonymous) return transactional ? CoordinatorError::kNone : CoordinatorError::kUnknownMember;
  Member* member = nullptr;
  if (auto error = find_member(*group, caller.member_id, caller.group_instance_id, &member);
      error != CoordinatorError::kNone) {
    return error;
  }
  if (caller.generation != group->generation) return CoordinatorError::kIllegalGeneration;
  touch(*group, *member);
  // A transaction's commit can't be tried again after the rebalance: its producer would have to abort.
  bool rebalancing = group->state == GroupState::kCompletingRebalance && !transactional;
  return rebalancing ? CoordinatorError::kRebalanceInProgress : CoordinatorError::kNone;
}

std::set<std::string> GroupMachine::subscribed_topics(std::string_view group_id) {
  GroupLock::Section section(lock_);
  std::set<std::string> topics;
  Group* group = find_group(group_id);
  if (!group || group->protocol_type != kConsumerProtocolType) return topics;
  for (const auto& [id, member] : group->members) {
    for (const GroupProtocol& protocol : member.protocols) {
      auto subscription = decode_subscription(protocol.metadata);
      if (subscription.ok()) topics.merge(subscription->topics);
    }
  }
  return topics;
}

bool GroupMachine::contains(std::string_view group_id) {
  GroupLock::Section section(lock_);
  return find_group(group_id) != nullptr;
}

std::vector<GroupListing> GroupMachine::list() {
  GroupLock::Section section(lock_);
  std::vector<GroupListing> all;
  for (const auto& [id, group] : groups_) all.push_back({id, group->protocol_type, group->state});
  return all;
}

GroupDescription GroupMachine::describe(std::string_view group_id) {
  GroupLock::Section section(lock_);
  GroupDescription description{.group_id = std::string(group_id)};
  Group* group = find_group(group_id);
  if (!group) return description;
  description.state = group->state;
  description.protocol_type = group->protocol_type;
  description.generation = group->generation;
  bool settled = group->state == GroupState::kStable;
  if (settled) description.protocol = group->protocol.value_or("");
  for (const auto& [id, member] : group->members) {
    description.members.push_back({id, member.instance_id, member.client_id, member.client_host,
                                   settled ? member.metadata(*group->protocol) : Bytes(),
                                   settled ? member.assignment : Bytes()});
  }
  return description;
}

CoordinatorError GroupMachine::remove(std::string_view group_id) {
  GroupLock::Section section(lock_);
  auto found = groups_.find(group_id);
  if (found == groups_.end()) return CoordinatorError::kGroupIdNotFound;
  Group& group = *found->second;
  if (group.state != GroupState::kEmpty || !group.members.empty()) return CoordinatorError::kNonEmptyGroup;
  group.cancel_timers(timers_);
  groups_.erase(found);
  return CoordinatorError::kNone;
}

std::optional<int64_t> GroupMachine::empty_since_ms(std::string_view group_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  bool empty = group && group->state == GroupState::kEmpty && group->pending_members.empty();
  if (!empty) return std::nullopt;
  return group->protocol_type.empty() ? -1 : group->state_time_ms;
}

}  // namespace headrace::broker
