// What of consumer groups is kept on the disk, and answers that wait for it.
#include "base/check.h"
#include "base/logging.h"
#include "broker/consumer_group_machine.h"
#include "broker/consumer_group_state.h"

namespace headrace::broker {
namespace {

using Type = ConsumerRecordType;
using Records = std::vector<StateLog::Entry>;

void forget_member(const std::string& group_id, const std::string& member_id, Records& out) {
  for (Type type : {Type::kCurrentMember, Type::kTargetMember, Type::kMember}) {
    out.push_back({encode_consumer_key({type, group_id, member_id}), std::nullopt});
  }
}

void forget_epochs(const std::string& group_id, Records& out) {
  for (Type type : {Type::kTargetEpoch, Type::kGroup}) {
    out.push_back({encode_consumer_key({type, group_id, ""}), std::nullopt});
  }
}

/// Those that nobody has. Records of ours never give a partition to two members; others' might.
template <typename Taken>
PartitionSet free_ones(const PartitionSet& partitions, const Taken& taken) {
  std::vector<TopicIdPartition> free;
  for (const TopicIdPartition& item : partitions) {
    if (!taken.contains(item)) free.push_back(item);
  }
  return PartitionSet(std::move(free));
}

}  // namespace

void ConsumerGroupMachine::append_records(const Group& group, const Member& member, bool all, Records& out) {
  auto key = [&](Type type) { return encode_consumer_key({type, group.id, member.id}); };
  if (all || member.info_changed) out.push_back({key(Type::kMember), encode_consumer_member(member.info)});
  if (all || member.target_changed) out.push_back({key(Type::kTargetMember), encode_target_member(member.target)});
  if (all || member.current_changed) out.push_back({key(Type::kCurrentMember), encode_current_member(member.current)});
}

Records ConsumerGroupMachine::all_records(const Group& group) {
  Records out;
  out.push_back({encode_consumer_key({Type::kGroup, group.id, ""}), encode_consumer_epoch(group.epoch)});
  for (const auto& [id, member] : group.members) append_records(group, member, true, out);
  out.push_back({encode_consumer_key({Type::kTargetEpoch, group.id, ""}), encode_target_epoch(group.target_epoch)});
  return out;
}

/// Sends everything that has changed on its way, as one batch: all or none of it survives a crash.
void ConsumerGroupMachine::flush(Group& group) {
  if (group.writing || !group.has_changes()) return;
  Records records;
  group.removing = std::exchange(group.removed, {});
  for (const std::string& id : group.removing) forget_member(group.id, id, records);
  if (std::exchange(group.epoch_changed, false)) {
    records.push_back({encode_consumer_key({Type::kGroup, group.id, ""}), encode_consumer_epoch(group.epoch)});
  }
  for (auto& [id, member] : group.members) {
    append_records(group, member, false, records);
    member.info_changed = member.target_changed = member.current_changed = false;
  }
  if (std::exchange(group.target_epoch_changed, false)) {
    records.push_back(
        {encode_consumer_key({Type::kTargetEpoch, group.id, ""}), encode_target_epoch(group.target_epoch)});
  }
  group.writing = true;
  uint64_t write = ++group.last_write;
  lock_.after_unlock([this, id = group.id, life = group.life, write, records = std::move(records)]() mutable {
    store_(id, std::move(records), [this, id, life, write](bool stored) { on_stored(id, life, write, stored); });
  });
}

void ConsumerGroupMachine::on_stored(const std::string& group_id, uint64_t life, uint64_t write, bool stored) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group || group->life != life) return;
  group->writing = false;
  std::set<std::string> removed = std::exchange(group->removing, {});
  if (stored) {
    group->stored_write = write;
    while (!group->held.empty() && group->held.front().write <= write) {
      answer_held(*group, std::move(group->held.front().done), std::move(group->held.front().reply));
      group->held.pop_front();
    }
    flush(*group);
    return group->writing ? void() : hand_over_if_classic(group_id);
  }
  // What is in memory is ahead of the disk now: nobody hears of it before all of it has been stored anew.
  group->removed.merge(removed);
  group->mark_all_changed();
  for (Group::Held& held : group->held) {
    held.reply.error = CoordinatorError::kNotAvailable;
    held.reply.assignment.reset();
    answer_held(*group, std::move(held.done), std::move(held.reply));
  }
  group->held.clear();
}

/// The member's session begins when it is answered.
void ConsumerGroupMachine::answer_held(Group& group, ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply) {
  auto member = group.members.find(reply.member_id);
  if (member != group.members.end()) touch(group, member->second);
  answer_now(std::move(done), std::move(reply));
}

void ConsumerGroupMachine::answer(Group& group, ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply) {
  uint64_t needed = group.last_write + (group.has_changes() ? 1 : 0);
  if (group.stored_write == needed) return answer_now(std::move(done), std::move(reply));
  group.held.push_back({needed, std::move(done), std::move(reply)});
}

void ConsumerGroupMachine::answer_now(ConsumerHeartbeatCallback done, ConsumerHeartbeatAnswer reply) {
  lock_.after_unlock([done = std::move(done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
}

CoordinatorError ConsumerGroupMachine::take_over(std::string_view group_id, Records& end) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group) return CoordinatorError::kGroupIdNotFound;
  if (!group->members.empty()) return CoordinatorError::kNonEmptyGroup;
  // The write that is on its way may fail.
  group->removed.merge(group->removing);
  for (const std::string& id : group->removed) forget_member(group->id, id, end);
  forget_epochs(group->id, end);
  for (Group::Held& held : group->held) {
    held.reply.error = CoordinatorError::kNotAvailable;
    answer_now(std::move(held.done), std::move(held.reply));
  }
  groups_.erase(groups_.find(group_id));
  return CoordinatorError::kNone;
}

void ConsumerGroupMachine::restore(const std::string& group_id, const StoredConsumerGroup& stored) {
  GroupLock::Section section(lock_);
  if (!stored.epoch) return;
  auto group = std::make_unique<Group>();
  group->id = group_id;
  group->life = next_life_++;
  group->epoch = *stored.epoch;
  group->target_epoch = stored.target_epoch;
  group->epoch_changed = group->target_epoch_changed = false;
  for (const auto& [id, from] : stored.members) {
    if (!from.info) continue;
    if (from.info->instance_id && group->static_members.contains(*from.info->instance_id)) {
      // One place, one member. Records of ours never give it to two; others' might.
      log_warn("group {}: member {} is left out, as another is instance {}", group_id, id, *from.info->instance_id);
      continue;
    }
    Member& member = group->members[id];
    member.id = id;
    member.info = *from.info;
    account(member);
    member.target = from.target;
    CurrentAssignment current = from.current;
    current.assigned = free_ones(current.assigned, group->taken);
    current.revoking = free_ones(current.revoking, group->taken).minus(current.assigned);
    set_current(*group, member, std::move(current));
    member.info_changed = member.target_changed = member.current_changed = false;
    if (member.info.instance_id) group->static_members[*member.info.instance_id] = id;
    touch(*group, member);
    watch_revocation(*group, member);
  }
  refresh_topics(*group, /*subscriptions_changed=*/true);
  groups_[group_id] = std::move(group);
}

Records ConsumerGroupMachine::adopt(const std::string& group_id, const StoredConsumerGroup& stored) {
  GroupLock::Section section(lock_);
  restore(group_id, stored);
  return records_of(group_id);
}

StoredConsumerGroup ConsumerGroupMachine::stored_form(const Group& group) {
  StoredConsumerGroup stored{.epoch = group.epoch, .target_epoch = group.target_epoch, .members = {}};
  for (const auto& [id, member] : group.members) stored.members[id] = {member.info, member.target, member.current};
  return stored;
}

/// At rest: everything is on the disk and everybody has been answered.
void ConsumerGroupMachine::hand_over_if_classic(std::string_view group_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group || !hand_over_ || group->writing || group->has_changes() || group->members.empty()) return;
  for (const auto& [id, member] : group->members) {
    if (!member.info.classic) return;
  }
  CHECK(group->held.empty());
  Records end;
  for (auto& [id, member] : group->members) {
    timers_.cancel(member.session_timer);
    stop_rebalance_timer(member);
    forget_member(group->id, id, end);
  }
  forget_epochs(group->id, end);
  StoredConsumerGroup stored = stored_form(*group);
  std::string id = group->id;
  groups_.erase(groups_.find(id));
  hand_over_(id, std::move(stored), std::move(end));
}

Records ConsumerGroupMachine::records_of(std::string_view group_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  return group ? all_records(*group) : Records();
}

}  // namespace headrace::broker
