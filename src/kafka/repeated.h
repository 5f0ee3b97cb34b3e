// What a request names more than once is answered once.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <type_traits>
#include <vector>

namespace headrace::kafka {

inline constexpr char kTopicNamedTwice[] = "the topic is named more than once in the request";

/// Keeps the first of the items with the same key. For requests whose answers are longer than what asks: else a
/// small request could have the same thing told a million times over, and the answer would not fit into memory. The
/// keys that there were more than once are the answer, for requests that change things: those refuse them.
template <typename T, typename KeyOf = std::identity>
auto drop_repeated(std::vector<T>& items, KeyOf key_of = {}) {
  using Key = std::remove_cvref_t<std::invoke_result_t<KeyOf, const T&>>;
  std::set<Key> seen, repeated;
  std::erase_if(items, [&](const T& item) {
    bool again = !seen.insert(key_of(item)).second;
    if (again) repeated.insert(key_of(item));
    return again;
  });
  return repeated;
}

/// Of what a request says more than once about a partition the last counts, as in Kafka; a topic may come again with
/// other partitions. `key_of` a topic tells it from others, `index_of` an item gives its partition. Topics of which
/// nothing is left go.
template <typename Topic, typename KeyOf, typename IndexOf>
void keep_last_of_each_partition(std::vector<Topic>& topics, KeyOf key_of, IndexOf index_of) {
  std::map<std::remove_cvref_t<std::invoke_result_t<KeyOf, const Topic&>>, std::set<int32_t>> seen;
  for (auto topic = topics.rbegin(); topic != topics.rend(); ++topic) {
    std::set<int32_t>& later = seen[std::invoke(key_of, *topic)];
    decltype(topic->partitions) kept;
    for (auto item = topic->partitions.rbegin(); item != topic->partitions.rend(); ++item) {
      if (later.insert(std::invoke(index_of, *item)).second) kept.push_back(std::move(*item));
    }
    topic->partitions.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  }
  std::erase_if(topics, [](const Topic& topic) { return topic.partitions.empty(); });
}

}  // namespace headrace::kafka
