// From a file on the disk to a checked configuration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"

namespace headrace::app {

/// The configuration in `path` with `settings` applied. Where it has mistakes they are printed to standard error, all
/// at once, and there is no configuration.
std::optional<Config> read_config_file(const std::string& path, const std::vector<std::string>& settings);

}  // namespace headrace::app
