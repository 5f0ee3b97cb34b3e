// Timestamps as text: RFC 3339 and PostgreSQL's form, in milliseconds since 1970 UTC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headrace::columns {

/// The years that the texts have room for.
inline constexpr int64_t kTimestampMinMs = -62135596800000;  ///< 0001-01-01T00:00:00.000Z
inline constexpr int64_t kTimestampMaxMs = 253402300799999;  ///< 9999-12-31T23:59:59.999Z

/// Reads `YYYY-MM-DD`, alone or with `HH:MM[:SS[.fraction]]` after a space or T, and then `Z`, `+HH`, `+HHMM` or
/// `+HH:MM`; UTC where no zone is named. Digits below the millisecond are cut. Nothing for anything else.
std::optional<int64_t> parse_timestamp(std::string_view text);

inline constexpr size_t kTimestampTextBytes = 24;
/// Writes "2026-01-31T08:00:00.250Z", kTimestampTextBytes long; `ms` within the range above.
void format_timestamp(int64_t ms, char* out);
std::string format_timestamp(int64_t ms);

}  // namespace headrace::columns
