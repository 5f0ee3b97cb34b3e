#include "broker/consumer_group_machine.h"

#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "broker/consumer_assignor.h"
#include "broker/consumer_group_state.h"
#include "broker/consumer_reconcile.h"
#include "broker/topic_pattern.h"

// What happens inside a group. Requests are in consumer_group_requests.cc, storing in consumer_group_storage.cc.
namespace headrace::broker {
namespace {

/// FNV-1a over everything that an assignment depends on.
class TopicsHash {
 public:
  void add(std::string_view name, const TopicView::Entry& entry) {
    add_bytes(as_bytes(name));
    add_bytes(entry.id.bytes);
    for (int shift = 0; shift < 32; shift += 8) add_byte(static_cast<uint8_t>(entry.partitions >> shift));
  }
  int64_t value() const { return static_cast<int64_t>(hash_); }

 private:
  void add_bytes(BytesView bytes) {
    for (uint8_t byte : bytes) add_byte(byte);
    add_byte(0xff);
  }
  void add_byte(uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3u; }
  uint64_t hash_ = 0xcbf29ce484222325u;
};

std::vector<std::string> topics_matching(const TopicView& topics, const std::string& expression) {
  std::vector<std::string> found;
  auto pattern = TopicPattern::compile(expression);
  if (!pattern.ok()) return found;
  for (std::string& name : topics.names()) {
    if (pattern->matches(name)) found.push_back(std::move(name));
  }
  return found;
}

using TopicEntries = std::map<std::string, TopicView::Entry>;

/// The ids of those that exist, sorted. `entries`: all that have been looked up.
std::vector<Uuid> resolve(const std::set<std::string>& names, const TopicView& topics, TopicEntries& entries) {
  std::vector<Uuid> ids;
  for (const std::string& name : names) {
    auto known = entries.find(name);
    if (known == entries.end()) {
      auto entry = topics.find_entry(name);
      if (!entry) continue;
      known = entries.emplace(name, *entry).first;
    }
    ids.push_back(known->second.id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

ConsumerGroupMachine::ConsumerGroupMachine(ConsumerGroupOptions options, GroupLock& lock, GroupMemory& memory,
                                           os::Clock& clock, Timers& timers, const TopicView& topics, Store store)
    : options_(options),
      lock_(lock),
      memory_(memory),
      clock_(clock),
      timers_(timers),
      topics_(topics),
      store_(std::move(store)) {}

ConsumerGroupMachine::~ConsumerGroupMachine() = default;

ConsumerGroupMachine::Group* ConsumerGroupMachine::find_group(std::string_view id) {
  auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

ConsumerGroupMachine::Member& ConsumerGroupMachine::add_member(Group& group, const std::string& member_id,
                                                               const std::optional<std::string>& instance_id) {
  Member& member = group.members[member_id];
  member.id = member_id;
  member.info.instance_id = instance_id;
  if (instance_id) group.static_members[*instance_id] = member_id;
  group.bump();
  return member;
}

/// KIP-345 by KIP-848: who comes back under an instance id takes the place over, with its partitions.
ConsumerGroupMachine::Member& ConsumerGroupMachine::replace_static_member(Group& group, Member& old,
                                                                          const std::string& new_id) {
  timers_.cancel(std::exchange(old.session_timer, 0));
  stop_rebalance_timer(old);
  group.removed.insert(old.id);
  group.static_members[*old.info.instance_id] = new_id;
  auto node = group.members.extract(old.id);
  node.key() = new_id;
  Member& member = group.members.insert(std::move(node)).position->second;
  member.id = new_id;
  member.current.epoch = member.current.previous_epoch = kJoinEpoch;
  member.info_changed = member.target_changed = member.current_changed = true;
  return member;
}

/// Moves the group on by what a member says of itself (nothing: it is what it was) and of what it has, and the member
/// by what it is to have.
void ConsumerGroupMachine::advance(Group& group, Member& member, std::optional<ConsumerMemberInfo> told,
                                   const std::optional<PartitionSet>& owned) {
  refresh_topics(group, update_member(group, member, std::move(told)));
  update_target(group);
  reconcile_member(group, member, owned);
  touch(group, member);
  flush(group);
}

void ConsumerGroupMachine::account(Member& member) { member.memory.set(memory_, bytes_of(member.info)); }

/// Whether the member's subscription is another now.
bool ConsumerGroupMachine::update_member(Group& group, Member& member, std::optional<ConsumerMemberInfo> told) {
  if (!told || *told == member.info) return false;
  bool resubscribed = told->topics != member.info.topics || told->regex != member.info.regex;
  bool first = member.current.epoch == kJoinEpoch && member.current.previous_epoch < 0;
  if (!first && (resubscribed || told->assignor != member.info.assignor)) group.bump();
  if (told->classic.has_value() != member.info.classic.has_value()) stop_rebalance_timer(member);
  member.info = *std::move(told);
  account(member);
  member.info_changed = true;
  return resubscribed;
}

/// Looks at the broker's topics when they or what is subscribed to have changed; another outcome is another epoch.
void ConsumerGroupMachine::refresh_topics(Group& group, bool subscriptions_changed) {
  uint64_t version = topics_.version();
  bool topics_changed = group.topics_version != version;
  if (!topics_changed && !subscriptions_changed) return;
  group.topics_version = version;
  std::map<std::string, std::vector<std::string>> patterns;
  for (const auto& [id, member] : group.members) {
    if (!member.info.regex || patterns.contains(*member.info.regex)) continue;
    auto known = group.patterns.find(*member.info.regex);
    bool fresh = known != group.patterns.end() && !topics_changed;
    patterns[*member.info.regex] = fresh ? std::move(known->second) : topics_matching(topics_, *member.info.regex);
  }
  group.patterns = std::move(patterns);
  size_t bytes = 0;
  for (const auto& [expression, matching] : group.patterns) bytes += expression.size() + bytes_of_names(matching);
  group.patterns_memory.set(memory_, bytes);

  std::set<std::string_view> names;
  for (const Member* member : group.subscriptions()) {
    names.insert(member->info.topics.begin(), member->info.topics.end());
  }
  for (const auto& [expression, matching] : group.patterns) names.insert(matching.begin(), matching.end());
  TopicsHash hash;
  for (std::string_view name : names) {
    if (auto entry = topics_.find_entry(name)) hash.add(name, *entry);
  }
  if (hash.value() == group.epoch.metadata_hash) return;
  group.epoch.metadata_hash = hash.value();
  group.bump();
}

/// The assignor that most members ask for; the first by name among equals. One that was stored by a broker that had it
/// is not asked for here.
std::string_view ConsumerGroupMachine::assignor_of(const Group& group) const {
  std::map<std::string_view, int> votes;
  for (const auto& [id, member] : group.members) {
    if (member.info.assignor && find_assignor(*member.info.assignor)) ++votes[*member.info.assignor];
  }
  auto most =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? kDefaultAssignor : most->first;
}

void ConsumerGroupMachine::update_target(Group& group) {
  if (group.target_epoch == group.epoch.epoch) return;
  TopicEntries entries;
  std::map<const Member*, std::vector<Uuid>, BySubscription> subscribed;
  std::vector<AssignorMember> members;
  for (const auto& [id, member] : group.members) {
    auto [ids, is_first] = subscribed.try_emplace(&member);
    if (is_first) ids->second = resolve(group.topics_of(member), topics_, entries);
    members.push_back({id, member.info.instance_id, ids->second, member.target});
  }
  std::vector<AssignorTopic> topics;
  for (const auto& [name, entry] : entries) topics.push_back({entry.id, entry.partitions});

  Assignor assign = find_assignor(assignor_of(group));
  CHECK(assign != nullptr);
  std::vector<PartitionSet> targets = assign(members, topics);
  size_t next = 0;
  for (auto& [id, member] : group.members) {
    PartitionSet& target = targets[next++];
    if (target == member.target) continue;
    member.target = std::move(target);
    member.target_changed = true;
  }
  group.target_epoch = group.epoch.epoch;
  group.target_epoch_changed = true;
}

void ConsumerGroupMachine::reconcile_member(Group& group, Member& member, const std::optional<PartitionSet>& owned) {
  auto is_taken = [&](const TopicIdPartition& item) {
    return group.taken.contains(item) && !member.current.assigned.contains(item) &&
           !member.current.revoking.contains(item);
  };
  CurrentAssignment next = reconcile(member.current, group.target_epoch, member.target, owned, is_taken);
  if (next == member.current) return;
  set_current(group, member, std::move(next));
  watch_revocation(group, member);
}

void ConsumerGroupMachine::set_current(Group& group, Member& member, CurrentAssignment next) {
  PartitionSet had = member.current.assigned.plus(member.current.revoking);
  PartitionSet has = next.assigned.plus(next.revoking);
  group.release(had.minus(has));
  PartitionSet got = has.minus(had);
  for (const TopicIdPartition& item : got) CHECK(group.taken.emplace(item, next.epoch).second);
  member.current = std::move(next);
  member.current_changed = true;
}

void ConsumerGroupMachine::remove_member(Group& group, Member& member) {
  timers_.cancel(member.session_timer);
  timers_.cancel(member.rebalance_timer);
  group.release(member.current.assigned);
  group.release(member.current.revoking);
  if (member.info.instance_id) group.static_members.erase(*member.info.instance_id);
  group.removed.insert(member.id);
  group.members.erase(std::string(member.id));
  group.bump();
  if (!group.members.empty()) return;
  group.patterns.clear();
  group.patterns_memory.set(memory_, 0);
}

GroupTimeouts ConsumerGroupMachine::timeouts_of(const Group& group) {
  if (timeouts_of_) return timeouts_of_(group.id);
  return {.session = options_.session_timeout, .heartbeat = options_.heartbeat_interval};
}

void ConsumerGroupMachine::touch(Group& group, Member& member) {
  milliseconds session =
      member.info.classic ? milliseconds(member.info.classic->session_timeout_ms) : timeouts_of(group).session;
  member.expires = clock_.monotonic() + session;
  // One timer a member: it looks at `expires` when it fires and goes on when there were signs of life.
  if (member.session_timer) return;
  member.session_timer =
      timers_.after(session, [this, group_id = group.id, id = member.id] { on_session_timer(group_id, id); });
}

void ConsumerGroupMachine::on_session_timer(const std::string& group_id, const std::string& member_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group) return;
  auto found = group->members.find(member_id);
  if (found == group->members.end()) return;
  Member& member = found->second;
  auto left = std::chrono::ceil<milliseconds>(member.expires - clock_.monotonic());
  // Who waits for an answer of ours can't be expected to send heartbeats.
  if (left.count() <= 0 && group->awaits_answer(member_id)) left = timeouts_of(*group).session;
  if (left.count() > 0) {
    member.session_timer = timers_.after(left, [this, group_id, member_id] { on_session_timer(group_id, member_id); });
    return;
  }
  member.session_timer = 0;
  log_info("group {}: member {} was silent for its session and is removed", group_id, member_id);
  remove_member(*group, member);
  flush(*group);
}

/// Gives the member its rebalance timeout from now on, when it is to give partitions up. One of the classic protocol
/// has that time to join instead, once it was asked to, and to sync then.
void ConsumerGroupMachine::watch_revocation(Group& group, Member& member) {
  if (member.info.classic) return;
  stop_rebalance_timer(member);
  if (member.current.state == MemberState::kUnrevokedPartitions) start_rebalance_timer(group, member);
}

void ConsumerGroupMachine::start_rebalance_timer(Group& group, Member& member) {
  stop_rebalance_timer(member);
  member.rebalance_round = next_round_++;
  member.rebalance_timer = timers_.after(milliseconds(std::max(member.info.rebalance_timeout_ms, 1)),
                                         [this, group_id = group.id, id = member.id, round = member.rebalance_round] {
                                           on_rebalance_timer(group_id, id, round);
                                         });
}

void ConsumerGroupMachine::stop_rebalance_timer(Member& member) {
  timers_.cancel(std::exchange(member.rebalance_timer, 0));
  member.rebalance_round = 0;
}

void ConsumerGroupMachine::on_rebalance_timer(const std::string& group_id, const std::string& member_id,
                                              uint64_t round) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group) return;
  auto found = group->members.find(member_id);
  if (found == group->members.end() || found->second.rebalance_round != round) return;
  found->second.rebalance_timer = 0;
  log_info("group {}: member {} did not {} in time and is removed", group_id, member_id,
           found->second.info.classic ? "join or sync" : "give partitions up");
  remove_member(*group, found->second);
  flush(*group);
}

GroupState ConsumerGroupMachine::state_of(const Group& group) {
  if (group.members.empty()) return GroupState::kEmpty;
  if (group.target_epoch < group.epoch.epoch) return GroupState::kAssigning;
  bool there = std::all_of(group.members.begin(), group.members.end(), [&](const auto& entry) {
    const CurrentAssignment& current = entry.second.current;
    return current.state == MemberState::kStable && current.epoch == group.target_epoch;
  });
  return there ? GroupState::kStable : GroupState::kReconciling;
}

std::set<std::string> ConsumerGroupMachine::subscribed_topics(std::string_view group_id) {
  GroupLock::Section section(lock_);
  std::set<std::string> topics;
  Group* group = find_group(group_id);
  if (!group) return topics;
  for (const Member* member : group->subscriptions()) topics.merge(group->topics_of(*member));
  return topics;
}

bool ConsumerGroupMachine::contains(std::string_view group_id) {
  GroupLock::Section section(lock_);
  return find_group(group_id) != nullptr;
}

bool ConsumerGroupMachine::has_members(std::string_view group_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  return group && !group->members.empty();
}

std::vector<GroupListing> ConsumerGroupMachine::list() {
  GroupLock::Section section(lock_);
  std::vector<GroupListing> all;
  for (const auto& [id, group] : groups_) all.push_back({id, "consumer", state_of(*group), GroupType::kConsumer});
  return all;
}

ConsumerGroupDescription ConsumerGroupMachine::describe(std::string_view group_id) {
  GroupLock::Section section(lock_);
  Group* group = find_group(group_id);
  if (!group) return {};
  ConsumerGroupDescription out{.state = state_of(*group),
                               .epoch = group->epoch.epoch,
                               .assignment_epoch = group->target_epoch,
                               .assignor = std::string(assignor_of(*group)),
                               .members = {}};
  for (const auto& [id, member] : group->members) {
    out.members.push_back({id, member.info, member.current.epoch, member.current.assigned, member.target});
  }
  return out;
}

}  // namespace headrace::broker
