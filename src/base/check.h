// CHECK: our own mistakes stop the process, with the place and the condition.
#pragma once

namespace headrace {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}  // namespace headrace

/// Stops the process when `condition` is false. For the program's own mistakes only, never for input.
#define CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::headrace::check_failed(__FILE__, __LINE__, #condition))
