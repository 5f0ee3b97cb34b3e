// The program's own log, to standard error: one line an event, text escaped so that input can't forge lines.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace headrace {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// Writes one line. Control characters in `message` are escaped.
void log_line(LogLevel level, std::string_view message);
/// Lines below `level` are dropped; kInfo at the start.
void set_log_level(LogLevel level);
LogLevel log_level();

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warn(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace headrace
