// Human units in configuration: `7d`, `64MiB`.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace {

/// Parses a duration: a whole or decimal number with ms, s, m, h, d or w; a bare number is milliseconds. "-1" is -1 ms
/// (Kafka's "without limit").
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// Parses a size in bytes: a whole or decimal number with B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB
/// (powers of 1024); a bare number is bytes. "-1" is -1 (Kafka's "without limit").
Result<int64_t> parse_size(std::string_view text);

/// "1.5 MiB", "250 ms": for people, never parsed again.
std::string format_size(int64_t bytes);
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace headrace
