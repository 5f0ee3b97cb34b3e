// The features of this broker (KIP-584), as ApiVersions tells them and UpdateFeatures may set them.
#pragma once

#include <cstdint>
#include <string_view>

namespace headrace::kafka {

/// A feature with one finalized level: nothing here is switched by levels.
struct Feature {
  std::string_view name;
  int16_t min, max;  ///< What is supported.
  int16_t level;     ///< What is in force.
};

inline constexpr Feature kFeatures[] = {
    // Tools print the release that belongs to it: 4.3-IV0, the one whose APIs are served.
    {"metadata.version", 7, 30, 30},
    // Transactions follow KIP-890, which clients then use.
    {"transaction.version", 0, 2, 2},
    // There are consumer groups (KIP-848).
    {"group.version", 0, 1, 1},
};

}  // namespace headrace::kafka
