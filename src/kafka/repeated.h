// What a request names more than once is answered once.
#pragma once

#include <functional>
#include <set>
#include <type_traits>
#include <vector>

namespace headrace::kafka {

/// Keeps the first of the items with the same key. For requests whose answers are longer than what asks: else a
/// small request could have the same thing told a million times over, and the answer would not fit into memory.
template <typename T, typename KeyOf = std::identity>
void drop_repeated(std::vector<T>& items, KeyOf key_of = {}) {
  std::set<std::remove_cvref_t<std::invoke_result_t<KeyOf, const T&>>> seen;
  std::erase_if(items, [&](const T& item) { return !seen.insert(key_of(item)).second; });
}

}  // namespace headrace::kafka
