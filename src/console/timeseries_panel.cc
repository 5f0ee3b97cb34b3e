// Timeseries: {"lines": [name...], "points": [[second, value of each line...]...]}, all points in a snapshot, those of
// the seconds that changed in a frame.
#include "console/panels.h"
#include "console/series.h"

namespace headrace::console {
namespace {

class TimeseriesPanel final : public PanelModel {
 public:
  explicit TimeseriesPanel(const flow::Options& options)
      : metric_(text_or_empty(options, "metric")),
        topic_(text_or_empty(options, "topic")),
        field_(text_or_empty(options, "field")),
        group_by_(text_or_empty(options, "group_by")),
        time_(text_or_empty(options, "time")),
        series_(options.duration("window").count() / 1000,
                metric_.empty() ? parse_aggregate(options.text("aggregate")) : Aggregate::kSum) {}

  std::vector<std::string> topics() const override {
    return reads_records() ? std::vector{topic_} : std::vector<std::string>{};
  }

  void on_record(const PanelRecord& record) override {
    if (!reads_records() || record.topic != topic_) return;
    const auto value = record.json.number(field_);
    if (!value) return;
    const auto line = group_by_.empty() ? std::string_view(field_) : record.json.text(group_by_).value_or("none");
    series_.add(line, record_time(record, time_), *value, record.now_ms);
  }

  void on_sample(const Sample& sample) override {
    if (!metric_.empty()) return sample_metric(sample);
    if (reads_records() || !sample.topics_fresh) return;
    for (const TopicSample& topic : sample.topics) {
      if (topic.name == topic_) series_.add(topic_, sample.at_ms, topic.rate, sample.at_ms);
    }
  }

  void reset() override {
    if (reads_records()) series_.clear();
  }

  void write_snapshot(JsonWriter& out, int64_t now_ms) const override {
    out.begin_object();
    series_.write_all(out, now_ms);
    out.end_object();
  }
  bool changed() const override { return series_.changed(); }
  void write_frame(JsonWriter& out, int64_t now_ms) override {
    out.begin_object();
    series_.write_changes(out, now_ms);
    out.end_object();
  }

 private:
  bool reads_records() const { return metric_.empty() && !topic_.empty() && !field_.empty(); }

  void sample_metric(const Sample& sample) {
    for (const MetricSample& metric : sample.metrics) {
      if (metric.metric.name != metric_) continue;
      const auto label = metric.metric.labels.find(group_by_);
      series_.add(label == metric.metric.labels.end() ? metric_ : label->second, sample.at_ms, metric.shown,
                  sample.at_ms);
    }
  }

  std::string metric_, topic_, field_, group_by_, time_;
  Series series_;
};

}  // namespace

std::unique_ptr<PanelModel> make_timeseries_panel(const flow::Options& options) {
  return std::make_unique<TimeseriesPanel>(options);
}

}  // namespace headrace::console
