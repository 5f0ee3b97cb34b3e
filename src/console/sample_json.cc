#include "console/sample_json.h"

namespace headrace::console {

void write_topics(JsonWriter& out, const std::vector<TopicSample>& topics) {
  out.begin_array();
  for (const TopicSample& topic : topics) {
    out.begin_object().key("name").text(topic.name).key("internal").boolean(topic.internal);
    out.key("partitions").integer(static_cast<int64_t>(topic.high_watermarks.size()));
    out.key("records").integer(topic.records).key("bytes");
    if (topic.bytes < 0) {
      out.null();
    } else {
      out.integer(topic.bytes);
    }
    out.key("rate").fixed(topic.mean_rate, 1).end_object();
  }
  out.end_array();
}

void write_components(JsonWriter& out, const std::vector<flow::MetricsRegistry::State>& states) {
  out.begin_array();
  for (const auto& state : states) {
    out.begin_object().key("component").text(state.component).key("state").text(state.state);
    out.key("detail").text(state.detail).key("since").integer(state.since_ms).end_object();
  }
  out.end_array();
}

}  // namespace headrace::console
