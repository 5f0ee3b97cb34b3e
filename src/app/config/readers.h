// One reader for each section whose shape is its own.
#pragma once

#include "app/config/config.h"
#include "app/config/problems.h"
#include "app/config/yaml_tree.h"

namespace headrace::app {

void read_broker(const YamlNode& node, Config& config, Problems& problems);
/// After read_broker and the bus: topics have the embedded broker's defaults.
void read_topics(const YamlNode& node, Config& config, Problems& problems);
void read_ingest(const YamlNode& node, Config& config, Problems& problems);
void read_streams(const YamlNode& node, Config& config, Problems& problems);
/// After read_streams: plans every pipeline's SQL over them.
void read_pipelines(const YamlNode& node, Config& config, Problems& problems);
void read_sinks(const YamlNode& node, Config& config, Problems& problems);
/// Every option that a sink of this component takes in the file.
std::vector<flow::OptionSpec> sink_options(const flow::SinkComponent& component);
void read_dashboards(const YamlNode& node, Config& config, Problems& problems);

}  // namespace headrace::app
