// What a heartbeat may ask for: validation, fencing, joining and leaving.
#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "broker/consumer_assignor.h"
#include "broker/consumer_group_machine.h"
#include "broker/consumer_group_state.h"
#include "broker/metadata.h"
#include "broker/topic_pattern.h"

namespace headrace::broker {
namespace {

using Error = CoordinatorError;

bool is_empty(const std::optional<std::string>& text) { return text && text->empty(); }

/// Whether the member says anything of itself that was not known.
bool tells_news(const ConsumerHeartbeatRequest& request, const ConsumerMemberInfo& info) {
  bool has_fields = request.rack_id || request.rebalance_timeout || request.topics || request.regex || request.assignor;
  return has_fields || info.classic || request.client_id != info.client_id || request.client_host != info.client_host;
}

/// What the member is known to say of itself, after a heartbeat, which tells what has changed.
ConsumerMemberInfo told_by(const ConsumerHeartbeatRequest& request, ConsumerMemberInfo info) {
  info.client_id = request.client_id;
  info.client_host = request.client_host;
  if (request.rack_id) info.rack_id = request.rack_id;
  if (request.rebalance_timeout) info.rebalance_timeout_ms = static_cast<int32_t>(request.rebalance_timeout->count());
  if (request.topics) info.topics = {request.topics->begin(), request.topics->end()};
  if (request.regex) info.regex = request.regex->empty() ? std::nullopt : request.regex;
  if (request.assignor) info.assignor = request.assignor;
  info.classic.reset();
  return info;
}

}  // namespace

/// A member tells everything of itself when it joins and after an error, and is told its whole assignment then.
bool ConsumerGroupMachine::is_full(const ConsumerHeartbeatRequest& request) {
  return request.member_epoch == kJoinEpoch ||
         ((request.topics || request.regex) && request.rebalance_timeout && request.owned);
}

ConsumerGroupMachine::Checked ConsumerGroupMachine::check_request(const ConsumerHeartbeatRequest& request) const {
  auto invalid = [](std::string message) { return Refusal{Error::kInvalidRequest, std::move(message)}; };
  if (request.group_id.empty()) return invalid("GroupId can't be empty.");
  if (is_empty(request.instance_id)) return invalid("InstanceId can't be empty.");
  if (is_empty(request.rack_id)) return invalid("RackId can't be empty.");
  bool id_optional = !request.member_id_required && request.member_epoch == kJoinEpoch;
  if (request.member_id.empty() && !id_optional) return invalid("MemberId can't be empty.");
  if (request.member_epoch < kLeaveStaticEpoch) return invalid("MemberEpoch is invalid.");
  if (request.member_epoch == kLeaveStaticEpoch && !request.instance_id) return invalid("InstanceId can't be null.");
  if (request.member_epoch == kJoinEpoch) {
    if (!request.rebalance_timeout) return invalid("RebalanceTimeoutMs must be provided in first request.");
    if (!request.owned || !request.owned->empty()) {
      return invalid("TopicPartitions must be empty when (re-)joining.");
    }
    if (!request.topics && !request.regex) {
      return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
    }
  }
  if (request.assignor && !find_assignor(*request.assignor)) {
    return Refusal{Error::kUnsupportedAssignor,
                   "ServerAssignor " + *request.assignor + " is not supported. Supported assignors: uniform, range."};
  }
  if (request.regex && !request.regex->empty()) {
    if (auto pattern = TopicPattern::compile(*request.regex); !pattern.ok()) {
      return Refusal{Error::kInvalidRegex,
                     "SubscribedTopicRegex `" + *request.regex + "` is not valid: " + pattern.error().message};
    }
  }
  return std::nullopt;
}

/// A member may be one epoch behind when it has not seen the last answer, and then has nothing but what it was given.
ConsumerGroupMachine::Checked ConsumerGroupMachine::check_epoch(const Member& member,
                                                                const ConsumerHeartbeatRequest& request) {
  int32_t epoch = request.member_epoch;
  if (epoch == kJoinEpoch || epoch == member.current.epoch) return std::nullopt;
  bool lost_answer = epoch == member.current.previous_epoch && epoch < member.current.epoch && request.owned &&
                     member.current.assigned.contains_all(*request.owned);
  if (lost_answer) return std::nullopt;
  return Refusal{Error::kFencedMemberEpoch, "The member's epoch is " + std::to_string(epoch) +
                                                ", the coordinator's for it " + std::to_string(member.current.epoch) +
                                                ". It must abandon all its partitions and rejoin."};
}

ConsumerGroupMachine::Checked ConsumerGroupMachine::find_member(Group& group, const std::string& member_id,
                                                                const std::optional<std::string>& instance_id,
                                                                Member** member) {
  if (instance_id) {
    auto known = group.static_members.find(*instance_id);
    if (known == group.static_members.end()) {
      return Refusal{Error::kUnknownMember, "Instance id " + *instance_id + " is unknown."};
    }
    if (known->second != member_id) {
      return Refusal{Error::kFencedInstanceId, "Instance id " + *instance_id + " belongs to another member by now."};
    }
  }
  auto found = group.members.find(member_id);
  if (found == group.members.end()) {
    return Refusal{Error::kUnknownMember, "Member " + member_id + " is not a member of group " + group.id + "."};
  }
  *member = &found->second;
  return std::nullopt;
}

/// Whose place the member has, or would take.
const ConsumerGroupMachine::Member* ConsumerGroupMachine::find_place(const Group* group, const std::string& member_id,
                                                                     const std::optional<std::string>& instance_id) {
  if (!group) return nullptr;
  auto place = instance_id ? group->static_members.find(*instance_id) : group->static_members.end();
  auto found = group->members.find(place != group->static_members.end() ? place->second : member_id);
  return found == group->members.end() ? nullptr : &found->second;
}

ConsumerGroupMachine::Checked ConsumerGroupMachine::check_memory(const Member* before, size_t bytes) const {
  if (memory_.has_room(bytes, before ? before->memory.bytes() : 0)) return std::nullopt;
  return Refusal{Error::kGroupMaxSizeReached,
                 "What members say of themselves takes all memory that it may (broker.group_metadata_bytes_max)."};
}

/// A regular expression that is new needs some room: how much, is known when it has been matched.
ConsumerGroupMachine::Checked ConsumerGroupMachine::check_memory(const Group* group,
                                                                 const ConsumerHeartbeatRequest& request) const {
  if (request.member_epoch < 0) return std::nullopt;  // Who leaves takes nothing.
  const Member* before = find_place(group, request.member_id, request.instance_id);
  if (before && !tells_news(request, before->info)) return std::nullopt;
  ConsumerMemberInfo told = told_by(request, before ? before->info : ConsumerMemberInfo());
  bool new_pattern = told.regex && !(group && group->patterns.contains(*told.regex));
  if (new_pattern && !memory_.has_room(1)) return check_memory(nullptr, 1);
  return check_memory(before, bytes_of(told));
}

ConsumerGroupMachine::Checked ConsumerGroupMachine::join_or_find(Group& group, const ConsumerHeartbeatRequest& request,
                                                                 Member** member) {
  if (request.member_epoch != kJoinEpoch) {
    if (Checked refused = find_member(group, request.member_id, request.instance_id, member)) return refused;
    return check_epoch(**member, request);
  }
  if (request.instance_id && group.static_members.contains(*request.instance_id)) {
    Member& old = group.members.at(group.static_members[*request.instance_id]);
    // Static members of the classic protocol go without a word.
    bool released = old.is_away() || old.info.classic;
    if (!released && old.id != request.member_id) {
      return Refusal{Error::kUnreleasedInstanceId,
                     "Instance id " + *request.instance_id + " is in use by member " + old.id + "."};
    }
    if (old.id != request.member_id && group.members.contains(request.member_id)) {
      return Refusal{Error::kInvalidRequest, "Member " + request.member_id + " is in the group already, and is not " +
                                                 "instance " + *request.instance_id + "."};
    }
    *member = released ? &replace_static_member(group, old, request.member_id) : &old;
    return std::nullopt;
  }
  if (auto known = group.members.find(request.member_id); known != group.members.end()) {
    *member = &known->second;
    return std::nullopt;
  }
  if (group.members.size() >= options_.group_members_max) {
    return Refusal{Error::kGroupMaxSizeReached,
                   "The group has its maximum of " + std::to_string(options_.group_members_max) + " members."};
  }
  *member = &add_member(group, request.member_id, request.instance_id);
  return std::nullopt;
}

/// A static member that goes with epoch -2 keeps its place and its partitions until it comes back or its session ends.
ConsumerGroupMachine::Checked ConsumerGroupMachine::leave(Group& group, const ConsumerHeartbeatRequest& request) {
  Member* member = nullptr;
  if (Checked refused = find_member(group, request.member_id, request.instance_id, &member)) return refused;
  if (request.member_epoch == kLeaveEpoch) {
    remove_member(group, *member);
    return std::nullopt;
  }
  CurrentAssignment away = member->current;
  away.previous_epoch = std::exchange(away.epoch, kLeaveStaticEpoch);
  away.state = MemberState::kStable;
  away.revoking = {};
  set_current(group, *member, std::move(away));
  watch_revocation(group, *member);
  return std::nullopt;
}

/// Whether there may be no more groups; told once until there may.
bool ConsumerGroupMachine::is_full() {
  if (groups_.size() < options_.groups_max) return full_ = false;
  if (!std::exchange(full_, true)) {
    log_warn("there are {} consumer groups, which is the most that there may be: new ones are refused", groups_.size());
  }
  return true;
}

CoordinatorError ConsumerGroupMachine::find_leaving(const Group* group, const LeavingMember& leaving, std::string* id) {
  if (!group) return Error::kUnknownMember;
  *id = leaving.member_id;
  if (leaving.group_instance_id) {
    auto known = group->static_members.find(*leaving.group_instance_id);
    if (known == group->static_members.end()) return Error::kUnknownMember;
    // By its instance id alone a static member can be removed by an operator.
    if (!leaving.member_id.empty() && leaving.member_id != known->second) return Error::kFencedInstanceId;
    *id = known->second;
  }
  return group->members.contains(*id) ? Error::kNone : Error::kUnknownMember;
}

void ConsumerGroupMachine::leave(std::string_view group_id, const std::vector<LeavingMember>& members,
                                 LeaveCallback done) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  LeaveGroupAnswer reply;
  std::set<std::string> removed;  // Who is named twice leaves once.
  for (const LeavingMember& leaving : members) {
    std::string id;
    reply.members.push_back(find_leaving(group, leaving, &id));
    if (reply.members.back() == Error::kNone) removed.insert(std::move(id));
  }
  auto told = [reply = std::move(reply), done = std::move(done)](ConsumerHeartbeatAnswer stored) mutable {
    if (stored.error != Error::kNone) reply = {stored.error, {}};
    done(std::move(reply));
  };
  if (!group) return answer_now(std::move(told), {});
  for (const std::string& id : removed) {
    log_info("group {}: member {} was removed on request", group->id, id);
    remove_member(*group, group->members.at(id));
  }
  flush(*group);
  answer(*group, std::move(told), {});
}

bool ConsumerGroupMachine::accepts_new_group(const ConsumerHeartbeatRequest& request) {
  GroupLock::Section section(lock_);
  return request.member_epoch == kJoinEpoch && !check_request(request) && !is_full();
}

void ConsumerGroupMachine::heartbeat(ConsumerHeartbeatRequest request, ConsumerHeartbeatCallback done) {
  GroupLock::Section section(lock_);
  auto refuse = [&](Refusal refusal) {
    answer_now(std::move(done), {.error = refusal.error,
                                 .message = std::move(refusal.message),
                                 .member_id = request.member_id,
                                 .member_epoch = request.member_epoch});
  };
  if (Checked invalid = check_request(request)) return refuse(*std::move(invalid));
  if (request.member_id.empty()) request.member_id = to_string(random_uuid());
  Group* group = find_group(request.group_id);
  if (!group && request.member_epoch != kJoinEpoch) {
    return refuse({Error::kGroupIdNotFound, "Group " + request.group_id + " is not a consumer group."});
  }
  if (Checked refused = check_memory(group, request)) return refuse(*std::move(refused));
  if (!group) {
    if (is_full()) return refuse({Error::kNotAvailable, "There are too many groups."});
    auto created = std::make_unique<Group>();
    created->id = request.group_id;
    created->life = next_life_++;
    group = groups_.emplace(request.group_id, std::move(created)).first->second.get();
  }
  ConsumerHeartbeatAnswer reply{.member_id = request.member_id,
                                .member_epoch = request.member_epoch,
                                .heartbeat_interval = timeouts_of(*group).heartbeat};
  if (request.member_epoch < 0) {
    if (Checked refused = leave(*group, request)) return refuse(*std::move(refused));
    flush(*group);
    return answer(*group, std::move(done), std::move(reply));
  }
  Member* member = nullptr;
  if (Checked refused = join_or_find(*group, request, &member)) return refuse(*std::move(refused));
  PartitionSet before = member->current.assigned;
  std::optional<ConsumerMemberInfo> told;
  if (tells_news(request, member->info)) told = told_by(request, member->info);
  advance(*group, *member, std::move(told), request.owned);
  reply.member_epoch = member->current.epoch;
  if (is_full(request) || member->current.assigned != before) reply.assignment = member->current.assigned;
  answer(*group, std::move(done), std::move(reply));
}

/// Whether the member has had these partitions ever since its epoch was `epoch`: nobody else can have committed to them
/// since (KIP-1251).
bool ConsumerGroupMachine::had_by(const Group& group, const Member& member, int32_t epoch,
                                  const std::vector<OffsetToCommit>& offsets) const {
  return std::all_of(offsets.begin(), offsets.end(), [&](const OffsetToCommit& commit) {
    auto entry = topics_.find_entry(commit.tp.topic);
    if (!entry) return false;
    TopicIdPartition item{entry->id, commit.tp.partition.value};
    bool has = member.current.assigned.contains(item) || member.current.revoking.contains(item);
    return has && group.taken.at(item) <= epoch;
  });
}

CoordinatorError ConsumerGroupMachine::check_commit(const GroupCaller& caller,
                                                    const std::vector<OffsetToCommit>& offsets, bool transactional) {
  GroupLock::Section section(lock_);
  Group* group = find_group(caller.group_id);
  if (!group) return Error::kGroupIdNotFound;
  // Who is no member may commit while there are none.
  if (caller.generation < 0 && group->members.empty()) return Error::kNone;
  bool anonymous = caller.generation < 0 && caller.member_id.empty() && !caller.group_instance_id;
  if (transactional && anonymous) return Error::kNone;
  auto member = group->members.find(caller.member_id);
  if (member == group->members.end()) return Error::kUnknownMember;
  int32_t epoch = member->second.current.epoch;
  bool current = caller.generation == epoch ||
                 (caller.generation < epoch && had_by(*group, member->second, caller.generation, offsets));
  if (member->second.info.classic) return current ? Error::kNone : Error::kIllegalGeneration;
  if (!caller.knows_member_epochs) return Error::kUnsupportedVersion;
  return current ? Error::kNone : Error::kStaleMemberEpoch;
}

CoordinatorError ConsumerGroupMachine::check_fetch(const GroupCaller& caller) {
  GroupLock::Section section(lock_);
  Group* group = find_group(caller.group_id);
  bool anonymous = caller.generation < 0 && caller.member_id.empty();
  if (!group || anonymous) return Error::kNone;
  auto member = group->members.find(caller.member_id);
  if (member == group->members.end()) return Error::kUnknownMember;
  if (caller.generation == member->second.current.epoch) return Error::kNone;
  return member->second.info.classic ? Error::kIllegalGeneration : Error::kStaleMemberEpoch;
}

}  // namespace headrace::broker
