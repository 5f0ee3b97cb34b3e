// The JSON of samples, the same in panels and in the API.
#pragma once

#include <vector>

#include "console/json_writer.h"
#include "console/panel.h"

namespace headrace::console {

/// [{"name", "internal", "partitions", "records", "bytes"|null, "rate"}...]
void write_topics(JsonWriter& out, const std::vector<TopicSample>& topics);
/// [{"component", "state", "detail", "since"}...]
void write_components(JsonWriter& out, const std::vector<flow::MetricsRegistry::State>& states);

}  // namespace headrace::console
