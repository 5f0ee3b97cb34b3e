// Topic properties where the file has them: under `topics` and in `broker.topic_defaults`.
#pragma once

#include <string_view>

#include "app/config/problems.h"
#include "app/config/yaml_tree.h"
#include "broker/topic_config.h"

namespace headrace::app {

/// Adds the property, a scalar, to `configs` in Kafka's own form; tells a wrong one.
void read_topic_property(const YamlEntry& property, std::string_view where, broker::ConfigMap& configs,
                         Problems& problems);

/// Tells when properties of `node`, read as `configs`, contradict each other or `defaults`.
void check_together(const YamlNode& node, std::string_view where, const broker::ConfigMap& configs,
                    const broker::ConfigMap& defaults, Problems& problems);

}  // namespace headrace::app
