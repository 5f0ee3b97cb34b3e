#include "broker/consumer_assignor.h"

#include <numeric>
#include <unordered_map>

namespace headrace::broker {
namespace {

bool subscribes(const AssignorMember& member, const Uuid& topic) {
  return std::binary_search(member.topics.begin(), member.topics.end(), topic);
}

/// Members that subscribe to a topic, as positions in the list of members.
using Subscribers = std::vector<size_t>;

Subscribers subscribers_of(const Uuid& topic, std::span<const AssignorMember> members) {
  Subscribers found;
  for (size_t i = 0; i < members.size(); ++i) {
    if (subscribes(members[i], topic)) found.push_back(i);
  }
  return found;
}

/// Balances by the number of partitions. What a member has stays as long as balance does not ask for it.
class UniformAssignment {
 public:
  UniformAssignment(std::span<const AssignorMember> members, std::span<const AssignorTopic> topics)
      : members_(members), topics_(topics), load_(members.size(), 0) {
    for (const AssignorTopic& topic : topics) subscribers_.push_back(subscribers_of(topic.id, members));
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
        ++load_[m];
      }
    }
  }

  /// Topics with the least choice come first.
  std::vector<size_t> by_fewest_subscribers() const {
    std::vector<size_t> order(topics_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return subscribers_[a].size() < subscribers_[b].size(); });
    return order;
  }

  void assign_rest(size_t t) {
    if (subscribers_[t].empty()) return;
    // A heap of the subscribers, the least loaded on top; ties go to the first.
    auto more = [&](size_t a, size_t b) { return std::pair(load_[a], a) > std::pair(load_[b], b); };
    Subscribers heap = subscribers_[t];
    std::make_heap(heap.begin(), heap.end(), more);
    for (size_t& owner : owner_[t]) {
      if (owner != kNobody) continue;
      std::pop_heap(heap.begin(), heap.end(), more);
      owner = heap.back();
      ++load_[owner];
      std::push_heap(heap.begin(), heap.end(), more);
    }
  }

  /// Moves partitions from members to others that subscribe to the topic and have at least two less, which makes the
  /// sum of the squared loads smaller: it ends. Whether anything moved.
  bool balance_once() {
    bool moved = false;
    for (size_t t = 0; t < topics_.size(); ++t) {
      const Subscribers& subscribers = subscribers_[t];
      if (subscribers.size() < 2) continue;
      auto lighter = [&](size_t a, size_t b) { return load_[a] < load_[b]; };
      for (size_t p = owner_[t].size(); p-- > 0;) {
        size_t& owner = owner_[t][p];
        size_t least = *std::min_element(subscribers.begin(), subscribers.end(), lighter);
        if (load_[owner] < load_[least] + 2) continue;
        --load_[owner];
        ++load_[least];
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
  std::vector<size_t> load_;                ///< By member.
};

}  // namespace

std::vector<PartitionSet> assign_uniform(std::span<const AssignorMember> members,
                                         std::span<const AssignorTopic> topics) {
  return UniformAssignment(members, topics).run();
}

std::vector<PartitionSet> assign_range(std::span<const AssignorMember> members, std::span<const AssignorTopic> topics) {
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), 0);
  auto rank = [&](size_t i) {
    const AssignorMember& member = members[i];
    return std::tuple(!member.instance_id, member.instance_id.value_or(""), std::string_view(member.member_id));
  };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });

  std::vector<std::vector<TopicIdPartition>> parts(members.size());
  for (const AssignorTopic& topic : topics) {
    Subscribers subscribers;
    for (size_t m : order) {
      if (subscribes(members[m], topic.id)) subscribers.push_back(m);
    }
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
