// `--set key=value`: changes the tree of a configuration file before it is read.
#pragma once

#include <string>
#include <vector>

#include "app/config/problems.h"
#include "app/config/yaml_tree.h"

namespace headrace::app {

/// Applies `settings`, each `path=value`, to `root`. A path is keys joined by dots; a key may contain dots itself
/// (`topics.cabs.retention.ms=7d`, `listen.advertised.kafka=host:9092`). Properties of topics and of librdkafka are the
/// whole rest of a path; elsewhere the longest key that the path begins with is taken, of those that are there and
/// those that the section knows. Values are YAML (`true`, `[a, b]`).
void apply_overrides(YamlNode& root, const std::vector<std::string>& settings, Problems& problems);

}  // namespace headrace::app
