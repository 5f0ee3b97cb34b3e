// What a request names more than once is answered once.
#pragma once

#include <cstdint>
#include <functional>
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

/// The same for partitions that are named by topic: a topic may come again with others. `key_of` a topic tells it from
/// others, `index_of` a partition gives its number.
template <typename Topic, typename KeyOf, typename IndexOf>
void drop_repeated_partitions(std::vector<Topic>& topics, KeyOf key_of, IndexOf index_of) {
  std::map<std::remove_cvref_t<std::invoke_result_t<KeyOf, const Topic&>>, std::set<int32_t>> seen;
  for (Topic& topic : topics) {
    auto& indexes = seen[std::invoke(key_of, topic)];
    std::erase_if(topic.partitions,
                  [&](const auto& one) { return !indexes.insert(std::invoke(index_of, one)).second; });
  }
}

}  // namespace headrace::kafka
