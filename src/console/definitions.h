// Dashboards as the pages see them.
#pragma once

#include <string>
#include <vector>

#include "console/dashboard.h"

namespace headrace::console {

/// {"dashboards": [{"name", "title", "panels": [{"type", "options": {name: value...}}...]}...]}; durations in ms.
std::string write_definitions(const std::vector<Dashboard>& dashboards);

/// The origins of the tile servers that map panels name.
std::vector<std::string> tile_origins(const std::vector<Dashboard>& dashboards);

}  // namespace headrace::console
