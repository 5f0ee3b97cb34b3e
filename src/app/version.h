#pragma once

#include <string_view>

namespace headrace::app {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace headrace::app
