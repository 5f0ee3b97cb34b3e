// Topics {"error", "topics": [...]}, components {"components": [...]} and stats {"items": [{"label", "value",
// "unit"}...]}: panels that send themselves whole whenever they changed.
#include "console/panels.h"
#include "console/sample_json.h"

namespace headrace::console {
namespace {

/// A panel whose whole state is one small document.
class DocumentPanel : public PanelModel {
 public:
  void write_snapshot(JsonWriter& out, int64_t) const override { out.raw(document_.empty() ? "{}" : document_); }
  bool changed() const override { return document_ != sent_; }
  void write_frame(JsonWriter& out, int64_t now_ms) override {
    write_snapshot(out, now_ms);
    sent_ = document_;
  }

 protected:
  void set(std::string document) { document_ = std::move(document); }

 private:
  std::string document_, sent_;
};

class TopicsPanel final : public DocumentPanel {
 public:
  void on_sample(const Sample& sample) override {
    JsonWriter out;
    out.begin_object().key("error").text(sample.topics_error).key("topics");
    write_topics(out, sample.topics);
    set(out.end_object().take());
  }
};

class ComponentsPanel final : public DocumentPanel {
 public:
  void on_sample(const Sample& sample) override {
    JsonWriter out;
    out.begin_object().key("components");
    write_components(out, sample.states);
    set(out.end_object().take());
  }
};

class StatsPanel final : public DocumentPanel {
 public:
  explicit StatsPanel(const flow::Options& options)
      : rates_(entries(options, "rates")), values_(entries(options, "values")), topics_(entries(options, "topics")) {}

  void on_sample(const Sample& sample) override {
    JsonWriter out;
    out.begin_object().key("items").begin_array();
    for (const auto& [label, metric] : rates_) write(out, {label, sum(sample, metric), "/s"});
    for (const auto& [label, topic] : topics_) write(out, {label, rate(sample, topic), "/s"});
    for (const auto& [label, metric] : values_) write(out, {label, sum(sample, metric), ""});
    set(out.end_array().end_object().take());
  }

 private:
  struct Stat {
    std::string_view label;
    double value;
    std::string_view unit;
  };
  using Entries = std::map<std::string, std::string>;

  static Entries entries(const flow::Options& options, std::string_view name) {
    return options.has(name) ? options.map(name) : Entries{};
  }
  static double sum(const Sample& sample, const std::string& name) {
    double total = 0;
    for (const MetricSample& metric : sample.metrics) {
      if (metric.metric.name == name) total += metric.shown;
    }
    return total;
  }
  static double rate(const Sample& sample, const std::string& name) {
    for (const TopicSample& topic : sample.topics) {
      if (topic.name == name) return topic.mean_rate;
    }
    return 0;
  }
  static void write(JsonWriter& out, const Stat& stat) {
    out.begin_object().key("label").text(stat.label).key("value").fixed(stat.value, 1).key("unit").text(stat.unit);
    out.end_object();
  }

  Entries rates_, values_, topics_;
};

}  // namespace

std::unique_ptr<PanelModel> make_topics_panel(const flow::Options&) { return std::make_unique<TopicsPanel>(); }
std::unique_ptr<PanelModel> make_components_panel(const flow::Options&) { return std::make_unique<ComponentsPanel>(); }
std::unique_ptr<PanelModel> make_stats_panel(const flow::Options& options) {
  return std::make_unique<StatsPanel>(options);
}

}  // namespace headrace::console
