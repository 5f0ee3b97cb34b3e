// Sets of partitions of topics by id, as consumer groups assign them: sorted vectors, so that set algebra is linear.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <vector>

#include "broker/topic.h"

namespace headrace::broker {

struct TopicIdPartition {
  Uuid topic;
  int32_t partition = 0;
  friend auto operator<=>(const TopicIdPartition&, const TopicIdPartition&) = default;
};

/// Sorted, without duplicates.
class PartitionSet {
 public:
  using const_iterator = std::vector<TopicIdPartition>::const_iterator;

  PartitionSet() = default;
  PartitionSet(std::initializer_list<TopicIdPartition> items) : PartitionSet(std::vector<TopicIdPartition>(items)) {}
  explicit PartitionSet(std::vector<TopicIdPartition> items) : items_(std::move(items)) {
    std::sort(items_.begin(), items_.end());
    items_.erase(std::unique(items_.begin(), items_.end()), items_.end());
  }

  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  bool contains(const TopicIdPartition& item) const { return std::binary_search(items_.begin(), items_.end(), item); }
  bool contains_all(const PartitionSet& other) const {
    return std::includes(items_.begin(), items_.end(), other.begin(), other.end());
  }

  PartitionSet intersect(const PartitionSet& other) const {
    PartitionSet out;
    std::set_intersection(begin(), end(), other.begin(), other.end(), std::back_inserter(out.items_));
    return out;
  }
  PartitionSet minus(const PartitionSet& other) const {
    PartitionSet out;
    std::set_difference(begin(), end(), other.begin(), other.end(), std::back_inserter(out.items_));
    return out;
  }
  PartitionSet plus(const PartitionSet& other) const {
    PartitionSet out;
    std::set_union(begin(), end(), other.begin(), other.end(), std::back_inserter(out.items_));
    return out;
  }
  friend bool operator==(const PartitionSet&, const PartitionSet&) = default;

 private:
  std::vector<TopicIdPartition> items_;
};

/// For hash tables. Topic ids are random already.
struct TopicIdPartitionHash {
  size_t operator()(const TopicIdPartition& item) const {
    uint64_t id = 0;
    std::memcpy(&id, item.topic.bytes.data(), sizeof id);
    return static_cast<size_t>((id ^ static_cast<uint32_t>(item.partition)) * 0x9e3779b97f4a7c15u);
  }
};

}  // namespace headrace::broker
