// What is wrong with a log, and who is told when that changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace headrace::log {

/// Records that can't be read any more because bytes of theirs changed on the disk. They stay where they are.
struct DamagedRange {
  Offset from;  ///< The first offset that is lost.
  Offset to;    ///< Where good records go on.
  std::string file;
  uint64_t position;  ///< Of the first bad byte range, in `file`.
};

struct LogHealth {
  std::optional<Error> out_of_service;  ///< The error that took the log out of service for writing, if one did.
  std::vector<DamagedRange> damaged;    ///< As far as reads and recovery came upon them.

  bool sound() const { return !out_of_service && damaged.empty(); }
};

/// Watches the health of many logs. Logs begin sound.
class HealthListener {
 public:
  virtual ~HealthListener() = default;
  /// The log in `directory` is like this from now on; sound, too, when it is closed or destroyed. In the order of the
  /// changes of a log, and under its lock: to be quick, and without a call of the log.
  virtual void health_changed(const std::string& directory, const LogHealth& health) = 0;
};

}  // namespace headrace::log
