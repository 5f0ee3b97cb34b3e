// Lists as settings hold them.
#pragma once

#include <string_view>
#include <vector>

namespace headrace {

/// The items of "a, b,c" without the blanks around them; empty ones are left out. They lie in `text`.
std::vector<std::string_view> split_list(std::string_view text);

}  // namespace headrace
