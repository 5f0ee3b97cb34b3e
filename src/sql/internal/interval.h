// Intervals as text: '10 seconds', '1 hour 30 minutes', '00:01:30'.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace headrace::sql {

/// Milliseconds. kInvalidArgument names what is wrong; months and years have no fixed length and are refused.
Result<int64_t> parse_interval(std::string_view text);

}  // namespace headrace::sql
