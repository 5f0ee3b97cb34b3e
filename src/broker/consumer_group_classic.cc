// Members of the classic protocol in a consumer group (KIP-848, "Online migration"): the broker assigns partitions to
// them as to the others. What follows the clients' own order of requests: a member that is told to (Heartbeat) joins,
// which moves it to the group's epoch and is answered at once, and fetches its assignment (SyncGroup).
#include <algorithm>

#include "broker/consumer_group_machine.h"
#include "broker/consumer_group_state.h"
#include "broker/consumer_protocol.h"
#include "broker/group_migration.h"
#include "broker/metadata.h"

namespace headrace::broker {
namespace {

using Error = CoordinatorError;

ConsumerMemberInfo told_by(JoinGroupRequest& request, ConsumerSubscription& subscription) {
  ClassicMemberInfo classic{.session_timeout_ms = static_cast<int32_t>(request.session_timeout.count()),
                            .protocols = std::move(request.protocols)};
  return {.instance_id = request.group_instance_id,
          .rack_id = std::move(subscription.rack),
          .client_id = std::move(request.client_id),
          .client_host = std::move(request.client_host),
          .topics = std::move(subscription.topics),
          .rebalance_timeout_ms = static_cast<int32_t>(request.rebalance_timeout.count()),
          .classic = std::move(classic)};
}

bool supports(const ClassicMemberInfo& member, const std::string& protocol) {
  return std::any_of(member.protocols.begin(), member.protocols.end(),
                     [&](const GroupProtocol& known) { return known.name == protocol; });
}

/// An answer that waits for the disk with those to heartbeats.
template <typename Answer>
ConsumerHeartbeatCallback when_stored(Answer reply, Function<void(Answer)> done) {
  return [reply = std::move(reply), done = std::move(done)](const ConsumerHeartbeatAnswer& stored) mutable {
    if (stored.error != Error::kNone) reply = Answer{.error = stored.error};
    done(std::move(reply));
  };
}

}  // namespace

/// Whether all members of the classic protocol could be a group of their own, with this one.
bool ConsumerGroupMachine::fits(const Group& group, const JoinGroupRequest& request) {
  auto fits_all = [&](const GroupProtocol& protocol) {
    return std::all_of(group.members.begin(), group.members.end(), [&](const auto& entry) {
      const Member& other = entry.second;
      return !other.info.classic || other.id == request.member_id || supports(*other.info.classic, protocol.name);
    });
  };
  return request.protocol_type == kConsumerProtocolType &&
         std::any_of(request.protocols.begin(), request.protocols.end(), fits_all);
}

/// The member that joins. A static one takes its place over from whoever has it, of either protocol.
CoordinatorError ConsumerGroupMachine::find_joining(Group& group, const JoinGroupRequest& request, bool is_new,
                                                    const PartitionSet& owned, Member** member) {
  const auto& instance = request.group_instance_id;
  auto known = instance ? group.static_members.find(*instance) : group.static_members.end();
  bool is_static = known != group.static_members.end();
  if (instance && !is_new) {
    Checked refused = find_member(group, request.member_id, instance, member);
    return refused ? refused->error : Error::kNone;
  }
  if (auto found = group.members.find(request.member_id); found != group.members.end()) {
    *member = &found->second;
    return Error::kNone;
  }
  // Who has partitions is not new: it was removed, and is to give them up first.
  if (!is_static && !owned.empty()) return Error::kUnknownMember;
  if (!is_static && group.members.size() >= options_.group_members_max) return Error::kGroupMaxSizeReached;
  if (!is_static && is_new && request.require_known_member_id && !instance) return Error::kMemberIdRequired;
  *member = is_static ? &replace_static_member(group, group.members.at(known->second), request.member_id)
                      : &add_member(group, request.member_id, instance);
  return Error::kNone;
}

void ConsumerGroupMachine::join(JoinGroupRequest request, JoinCallback done) {
  GroupLock::Section section(lock_);
  bool is_new = request.member_id.empty();
  auto refuse = [&](Error error) {
    answer_now(when_stored(JoinGroupAnswer{.error = error, .member_id = request.member_id}, std::move(done)), {});
  };
  Group* group = find_group(request.group_id);
  if (!group) return refuse(Error::kUnknownMember);
  auto subscription = decode_subscription(request.protocols.front().metadata);
  if (!subscription.ok() || !fits(*group, request)) return refuse(Error::kInconsistentProtocol);
  if (is_new) request.member_id = to_string(random_uuid());
  PartitionSet owned = ids_of(subscription->owned, topics_);
  std::string protocol = request.protocols.front().name;
  ConsumerMemberInfo told = told_by(request, *subscription);
  if (Checked refused = check_memory(find_place(group, request.member_id, request.group_instance_id), bytes_of(told))) {
    return refuse(refused->error);
  }
  Member* member = nullptr;
  if (Error error = find_joining(*group, request, is_new, owned, &member); error != Error::kNone) return refuse(error);

  advance(*group, *member, std::move(told), owned);
  start_rebalance_timer(*group, *member);
  // Nobody is the leader: every member asks for what the broker assigned.
  JoinGroupAnswer reply{.generation = member->current.epoch,
                        .protocol_type = std::string(kConsumerProtocolType),
                        .protocol_name = std::move(protocol),
                        .member_id = member->id};
  answer(*group, when_stored(std::move(reply), std::move(done)), {.member_id = member->id});
}

CoordinatorError ConsumerGroupMachine::find_classic(Group* group, const GroupCaller& caller, Member** member) {
  if (!group) return Error::kUnknownMember;
  if (Checked refused = find_member(*group, caller.member_id, caller.group_instance_id, member)) return refused->error;
  if (!(*member)->info.classic) return Error::kUnknownMember;
  return caller.generation == (*member)->current.epoch ? Error::kNone : Error::kIllegalGeneration;
}

/// Gives the member its rebalance timeout to join, which begins when it is first asked.
CoordinatorError ConsumerGroupMachine::ask_to_join(Group& group, Member& member) {
  if (!member.rebalance_timer) start_rebalance_timer(group, member);
  return Error::kRebalanceInProgress;
}

void ConsumerGroupMachine::sync(SyncGroupRequest request, SyncCallback done) {
  GroupLock::Section section(lock_);
  Group* group = find_group(request.group_id);
  Member* member = nullptr;
  Error error = find_classic(
      group, {request.group_id, request.generation, request.member_id, request.group_instance_id}, &member);
  auto refuse = [&](Error refused) { answer_now(when_stored(SyncGroupAnswer{.error = refused}, std::move(done)), {}); };
  if (error != Error::kNone) return refuse(error);
  const GroupProtocol& protocol = member->info.classic->protocols.front();
  bool type_fits = !request.protocol_type || *request.protocol_type == kConsumerProtocolType;
  bool protocol_fits = !request.protocol_name || *request.protocol_name == protocol.name;
  if (!type_fits || !protocol_fits) return refuse(Error::kInconsistentProtocol);
  // Who has joined and is to give partitions up does that first, and joins again by itself.
  bool behind = member->current.epoch < group->epoch.epoch;
  if (behind && member->current.state != MemberState::kUnrevokedPartitions) {
    return refuse(ask_to_join(*group, *member));
  }
  stop_rebalance_timer(*member);
  touch(*group, *member);
  flush(*group);
  SyncGroupAnswer reply{.protocol_type = std::string(kConsumerProtocolType),
                        .protocol_name = protocol.name,
                        .assignment = encode_assignment(*member->info.classic, member->current.assigned, topics_)};
  answer(*group, when_stored(std::move(reply), std::move(done)), {.member_id = member->id});
}

/// Whether something that the member is to have is with others still.
bool ConsumerGroupMachine::waits_for_others(const Group& group, const Member& member) {
  PartitionSet missing = member.target.minus(member.current.assigned);
  return std::any_of(missing.begin(), missing.end(),
                     [&](const TopicIdPartition& item) { return group.taken.contains(item); });
}

CoordinatorError ConsumerGroupMachine::classic_heartbeat(const GroupCaller& caller) {
  GroupLock::Section section(lock_);
  Group* group = find_group(caller.group_id);
  Member* member = nullptr;
  if (Error error = find_classic(group, caller, &member); error != Error::kNone) return error;
  touch(*group, *member);
  MemberState state = member->current.state;
  bool can_have_more = state == MemberState::kUnreleasedPartitions && !waits_for_others(*group, *member);
  bool must_join = member->current.epoch < group->epoch.epoch || state == MemberState::kUnrevokedPartitions;
  return must_join || can_have_more ? ask_to_join(*group, *member) : Error::kNone;
}

}  // namespace headrace::broker
