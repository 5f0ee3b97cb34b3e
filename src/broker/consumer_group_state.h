// The inside of ConsumerGroupMachine: one group and its members.
#pragma once

#include <algorithm>
#include <deque>
#include <tuple>
#include <unordered_map>

#include "broker/consumer_group_machine.h"

namespace headrace::broker {

struct ConsumerGroupMachine::Member {
  std::string id;
  ConsumerMemberInfo info;
  PartitionSet target;
  CurrentAssignment current;

  std::chrono::nanoseconds expires{0};
  Timers::Id session_timer = 0;
  Timers::Id rebalance_timer = 0;
  uint64_t rebalance_round = 0;  ///< Tells a late timer from the present one.
  GroupMemory::Share memory;

  // Not stored yet.
  bool info_changed = true;
  bool target_changed = true;
  bool current_changed = true;

  bool is_away() const { return current.epoch == kLeaveStaticEpoch; }
};

/// Members that subscribe to the same are one.
struct ConsumerGroupMachine::BySubscription {
  bool operator()(const Member* a, const Member* b) const {
    return std::tie(a->info.regex, a->info.topics) < std::tie(b->info.regex, b->info.topics);
  }
};

struct ConsumerGroupMachine::Group {
  std::string id;
  uint64_t life = 0;  ///< Tells a group from a later one of its name.
  StoredConsumerGroupEpoch epoch;
  int32_t target_epoch = 0;
  std::map<std::string, Member> members;
  std::map<std::string, std::string> static_members;  ///< Instance id -> member id.
  /// What members have: assigned, or told to give up and not confirmed. One of them each, and since which epoch of its
  /// own; a start takes that to be the present one.
  std::unordered_map<TopicIdPartition, int32_t, TopicIdPartitionHash> taken;

  /// Regular expression -> topics that it matched when `topics_version` was the broker's. Of the members there are.
  std::map<std::string, std::vector<std::string>> patterns;
  GroupMemory::Share patterns_memory;
  std::optional<uint64_t> topics_version;  ///< Of the broker's topics, when they were last looked at.

  // Not stored yet.
  bool epoch_changed = true;
  bool target_epoch_changed = true;
  std::set<std::string> removed;
  std::set<std::string> removing;  ///< With the write that is on its way.

  // One write at a time, so that what is on the disk is always the group as it was at some moment, even when a write
  // fails and a later one does not. What changes meanwhile goes out with the next one.
  bool writing = false;
  uint64_t last_write = 0;
  uint64_t stored_write = 0;
  struct Held {
    uint64_t write;
    ConsumerHeartbeatCallback done;
    ConsumerHeartbeatAnswer reply;
  };
  std::deque<Held> held;

  void bump() {
    ++epoch.epoch;
    epoch_changed = true;
  }
  void release(const PartitionSet& partitions) {
    for (const TopicIdPartition& item : partitions) taken.erase(item);
  }
  bool has_changes() const {
    auto changed = [](const auto& entry) {
      return entry.second.info_changed || entry.second.target_changed || entry.second.current_changed;
    };
    return epoch_changed || target_epoch_changed || !removed.empty() ||
           std::any_of(members.begin(), members.end(), changed);
  }
  bool awaits_answer(const std::string& member_id) const {
    return std::any_of(held.begin(), held.end(), [&](const Held& h) { return h.reply.member_id == member_id; });
  }
  /// After a failed write everything goes out again.
  void mark_all_changed() {
    epoch_changed = target_epoch_changed = true;
    for (auto& [id, member] : members) member.info_changed = member.target_changed = member.current_changed = true;
  }
  /// One member of each subscription that there is.
  std::set<const Member*, BySubscription> subscriptions() const {
    std::set<const Member*, BySubscription> distinct;
    for (const auto& [id, member] : members) distinct.insert(&member);
    return distinct;
  }
  /// The names that a member subscribes to, by name or regular expression.
  std::set<std::string> topics_of(const Member& member) const {
    std::set<std::string> names = member.info.topics;
    if (!member.info.regex) return names;
    auto pattern = patterns.find(*member.info.regex);
    if (pattern != patterns.end()) names.insert(pattern->second.begin(), pattern->second.end());
    return names;
  }
};

}  // namespace headrace::broker
