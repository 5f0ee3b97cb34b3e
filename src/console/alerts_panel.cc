// Alerts: {"total", "recent", "items": [{"n", "at", "id", "kind", "value"}...]}, oldest first; n numbers the
// alerts since the feed began, recent counts those of the last minute. A snapshot has the newest `limit`, a frame those
// since the frame before, at most kItemsPerFrameMax.
#include <algorithm>
#include <deque>

#include "console/panels.h"

namespace headrace::console {
namespace {

constexpr int64_t kItemsPerFrameMax = 20;  ///< Of a flood of alerts only the newest are sent; `total` counts all.
constexpr size_t kTextBytesMax = 256;
constexpr int64_t kRecentMs = 60'000;
constexpr size_t kRecentMax = 10'000;

class AlertsPanel final : public PanelModel {
 public:
  explicit AlertsPanel(const flow::Options& options)
      : topic_(options.text("topic")),
        id_(options.text("id")),
        kind_(options.text("kind")),
        value_(options.text("value")),
        time_(text_or_empty(options, "time")),
        limit_(static_cast<size_t>(options.integer("limit"))) {}

  std::vector<std::string> topics() const override { return {topic_}; }

  void on_record(const PanelRecord& record) override {
    if (record.topic != topic_) return;
    const auto field = [&](const std::string& name) {
      return std::string(record.json.text(name).value_or("").substr(0, kTextBytesMax));
    };
    const int64_t at_ms = record_time(record, time_);
    items_.push_back({++total_, at_ms, field(id_), field(kind_), field(value_)});
    if (items_.size() > limit_) items_.pop_front();
    recent_.push_back(plausible_time(record.timestamp_ms, record.now_ms));
    if (recent_.size() > kRecentMax) recent_.pop_front();
  }

  void on_sample(const Sample& sample) override {
    while (!recent_.empty() && recent_.front() < sample.at_ms - kRecentMs) recent_.pop_front();
  }

  void reset() override {
    items_.clear();
    recent_.clear();
    total_ = sent_ = 0;
  }

  void write_snapshot(JsonWriter& out, int64_t) const override { write(out, 0); }
  bool changed() const override { return sent_ != total_ || recent_sent_ != recent_.size(); }
  void write_frame(JsonWriter& out, int64_t) override {
    write(out, std::max(sent_, total_ - kItemsPerFrameMax));
    sent_ = total_;
    recent_sent_ = recent_.size();
  }

 private:
  struct Item {
    int64_t n, at_ms;
    std::string id, kind, value;
  };

  void write(JsonWriter& out, int64_t after) const {
    out.begin_object().key("total").integer(total_).key("recent").integer(static_cast<int64_t>(recent_.size()));
    out.key("items").begin_array();
    for (const Item& item : items_) {
      if (item.n <= after) continue;
      out.begin_object().key("n").integer(item.n).key("at").integer(item.at_ms);
      out.key("id").text(item.id).key("kind").text(item.kind).key("value").text(item.value).end_object();
    }
    out.end_array().end_object();
  }

  std::string topic_, id_, kind_, value_, time_;
  size_t limit_;
  std::deque<Item> items_;
  std::deque<int64_t> recent_;
  int64_t total_ = 0, sent_ = 0;
  size_t recent_sent_ = 0;
};

}  // namespace

std::unique_ptr<PanelModel> make_alerts_panel(const flow::Options& options) {
  return std::make_unique<AlertsPanel>(options);
}

}  // namespace headrace::console
