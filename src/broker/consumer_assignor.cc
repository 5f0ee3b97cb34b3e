#include "broker/consumer_assignor.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace headrace::broker {
namespace {

bool subscribes(const AssignorMember& member, const Uuid& topic) {
  return std::binary_search(member.topics.begin(), member.topics.end(), topic);
}

/// Members that subscribe to a topic, as positions in the list of members.
using Subscribers = std::vector<size_t>;

/// Of each topic, in the given order.
std::vector<Subscribers> subscribers_of(std::span<const AssignorTopic> topics, std::span<const AssignorMember> members,
                                        const std::vector<size_t>& order) {
  std::vector<std::pair<Uuid, size_t>> by_id;
  for (size_t t = 0; t < topics.size(); ++t) by_id.emplace_back(topics[t].id, t);
  std::sort(by_id.begin(), by_id.end());
  std::vector<Subscribers> found(topics.size());
  for (size_t m : order) {
    auto at = by_id.begin();
    for (const Uuid& id : members[m].topics) {
      while (at != by_id.end() && at->first < id) ++at;
      if (at != by_id.end() && at->first == id) found[at->second].push_back(m);
    }
  }
  return found;
}

std::vector<size_t> in_their_order(size_t count) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// How many partitions members have, and who of some has least.
class Loads {
 public:
  explicit Loads(size_t members) : load_(members, 0) {}

  size_t of(size_t member) const { return load_[member]; }
  void set(size_t member, size_t load) {
    load_[member] = load;
    heap_.emplace_back(load, member);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  /// Looks among these from now on. Only their loads may be set until it looks among others.
  void look_among(const Subscribers& members) {
    if (among_ == members) return;
    among_ = members;
    heap_.clear();
    for (size_t member : members) heap_.emplace_back(load_[member], member);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  /// The first among equals.
  size_t least() {
    while (heap_.front().first != load_[heap_.front().second]) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
    }
    return heap_.front().second;
  }

 private:
  std::vector<size_t> load_;  ///< By member.
  Subscribers among_;
  std::vector<std::pair<size_t, size_t>> heap_;  ///< Loads and members: the present ones, and such as were before.
};

/// Balances by the number of partitions. What a member has stays as long as balance does not ask for it.
class UniformAssignment {
 public:
  UniformAssignment(std::span<const AssignorMember> members, std::span<const AssignorTopic> topics)
      : members_(members),
        topics_(topics),
        subscribers_(subscribers_of(topics, members, in_their_order(members.size()))),
        loads_(members.size()) {
    owner_.resize(topics.size());
    for (size_t t = 0; t < topics.size(); ++t) owner_[t].assign(static_cast<size_t>(topics[t].partitions), kNobody);
  }

  std::vector<PartitionSet> run() {
    keep_current();
    for (size_t t : by_fewest_subscribers()) assign_rest(t);
    while (balance_once()) {
    }
    return result();
  }

 private:
  static constexpr size_t kNobody = SIZE_MAX;

  void keep_current() {
    std::map<Uuid, size_t> index;
    for (size_t t = 0; t < topics_.size(); ++t) index.emplace(topics_[t].id, t);
    for (size_t m = 0; m < members_.size(); ++m) {
      for (const TopicIdPartition& had : members_[m].current) {
        auto topic = index.find(had.topic);
        if (topic == index.end() || had.partition >= topics_[topic->second].partitions) continue;
        size_t& owner = owner_[topic->second][static_cast<size_t>(had.partition)];
        if (owner != kNobody || !subscribes(members_[m], had.topic)) continue;
        owner = m;
        loads_.set(m, loads_.of(m) + 1);
      }
    }
  }

  /// Topics with the least choice come first.
  std::vector<size_t> by_fewest_subscribers() const {
    std::vector<size_t> order = in_their_order(topics_.size());
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return subscribers_[a].size() < subscribers_[b].size(); });
    return order;
  }

  void assign_rest(size_t t) {
    if (subscribers_[t].empty()) return;
    loads_.look_among(subscribers_[t]);
    for (size_t& owner : owner_[t]) {
      if (owner != kNobody) continue;
      owner = loads_.least();
      loads_.set(owner, loads_.of(owner) + 1);
    }
  }

  /// Moves partitions from members to others that subscribe to the topic and have at least two less, which makes the
  /// sum of the squared loads smaller: it ends. Whether anything moved.
  bool balance_once() {
    bool moved = false;
    for (size_t t = 0; t < topics_.size(); ++t) {
      const Subscribers& subscribers = subscribers_[t];
      if (subscribers.size() < 2) continue;
      loads_.look_among(subscribers);
      for (size_t p = owner_[t].size(); p-- > 0;) {
        size_t& owner = owner_[t][p];
        size_t least = loads_.least();
        if (loads_.of(owner) < loads_.of(least) + 2) continue;
        loads_.set(owner, loads_.of(owner) - 1);
        loads_.set(least, loads_.of(least) + 1);
        owner = least;
        moved = true;
      }
    }
    return moved;
  }

  std::vector<PartitionSet> result() const {
    std::vector<std::vector<TopicIdPartition>> parts(members_.size());
    for (size_t t = 0; t < topics_.size(); ++t) {
      for (size_t p = 0; p < owner_[t].size(); ++p) {
        if (owner_[t][p] != kNobody) parts[owner_[t][p]].push_back({topics_[t].id, static_cast<int32_t>(p)});
      }
    }
    std::vector<PartitionSet> sets;
    for (auto& part : parts) sets.emplace_back(std::move(part));
    return sets;
  }

  std::span<const AssignorMember> members_;
  std::span<const AssignorTopic> topics_;
  std::vector<Subscribers> subscribers_;
  std::vector<std::vector<size_t>> owner_;  ///< By topic and partition.
  Loads loads_;
};

}  // namespace

std::vector<PartitionSet> assign_uniform(std::span<const AssignorMember> members,
                                         std::span<const AssignorTopic> topics) {
  return UniformAssignment(members, topics).run();
}

std::vector<PartitionSet> assign_range(std::span<const AssignorMember> members, std::span<const AssignorTopic> topics) {
  std::vector<size_t> order = in_their_order(members.size());
  auto rank = [&](size_t i) {
    const AssignorMember& member = members[i];
    return std::tuple(!member.instance_id, member.instance_id.value_or(""), std::string_view(member.member_id));
  };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });

  std::vector<Subscribers> all_subscribers = subscribers_of(topics, members, order);
  std::vector<std::vector<TopicIdPartition>> parts(members.size());
  for (size_t t = 0; t < topics.size(); ++t) {
    const AssignorTopic& topic = topics[t];
    const Subscribers& subscribers = all_subscribers[t];
    auto count = static_cast<int32_t>(subscribers.size());
    int32_t next = 0;
    for (int32_t i = 0; i < count; ++i) {
      int32_t share = topic.partitions / count + (i < topic.partitions % count ? 1 : 0);
      for (; share > 0; --share) parts[subscribers[static_cast<size_t>(i)]].push_back({topic.id, next++});
    }
  }
  std::vector<PartitionSet> sets;
  for (auto& part : parts) sets.emplace_back(std::move(part));
  return sets;
}

Assignor find_assignor(std::string_view name) {
  if (name == "uniform") return assign_uniform;
  if (name == "range") return assign_range;
  return nullptr;
}

}  // namespace headrace::broker
