// Of what a request says more than once about a partition, the last counts.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace headrace::kafka {

/// Keeps the last of the items about the same partition, and the topics that have any. `key_of` tells what a topic is
/// named by. Else a small request could have the same thing written a million times over.
template <typename Topic, typename KeyOf>
void keep_last_of_each_partition(std::vector<Topic>& topics, KeyOf key_of) {
  std::map<decltype(key_of(topics.front())), std::set<int32_t>> seen;
  for (auto topic = topics.rbegin(); topic != topics.rend(); ++topic) {
    std::set<int32_t>& later = seen[key_of(*topic)];
    decltype(topic->partitions) kept;
    for (auto item = topic->partitions.rbegin(); item != topic->partitions.rend(); ++item) {
      if (later.insert(item->partition_index).second) kept.push_back(std::move(*item));
    }
    topic->partitions.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  }
  std::erase_if(topics, [](const Topic& topic) { return topic.partitions.empty(); });
}

}  // namespace headrace::kafka
