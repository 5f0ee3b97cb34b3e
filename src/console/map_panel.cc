// Map: snapshot {"statuses", "counts", "total", "devices": [row...]}; frame the same with "gone" (slots, to be dropped
// first) and "moved". A row is [slot, lon, lat, heading|null, status] in "moved", and in "devices" the same with
// id and seconds since the newest alert (null: none) behind it.
#include "console/device_table.h"
#include "console/panels.h"

namespace headrace::console {
namespace {

constexpr size_t kRowsPerFrameMax = 2500;  ///< Further devices that moved wait for the next frame, in their order.
constexpr int kCoordinateDecimals = 5;

class MapPanel final : public PanelModel {
 public:
  explicit MapPanel(const flow::Options& options)
      : topic_(options.text("topic")),
        alerts_topic_(text_or_empty(options, "alerts")),
        id_(options.text("id")),
        lat_(options.text("lat")),
        lon_(options.text("lon")),
        heading_(text_or_empty(options, "heading")),
        status_(text_or_empty(options, "status")),
        time_(text_or_empty(options, "time")),
        expire_ms_(options.duration("expire").count()),
        devices_(static_cast<size_t>(options.integer("devices.max"))) {}

  std::vector<std::string> topics() const override {
    return alerts_topic_.empty() ? std::vector{topic_} : std::vector{topic_, alerts_topic_};
  }

  void on_record(const PanelRecord& record) override {
    if (record.topic == topic_) return on_position(record);
    if (record.topic != alerts_topic_) return;
    if (const auto id = record.json.text(id_)) devices_.alert(*id, plausible_time(record.timestamp_ms, record.now_ms));
  }

  void on_sample(const Sample& sample) override { devices_.expire(sample.at_ms - expire_ms_); }
  void reset() override { devices_.clear(); }

  std::string_view device(std::string_view id) const override {
    const Device* device = devices_.find(id);
    return device ? std::string_view(device->last_record) : std::string_view();
  }

  void write_snapshot(JsonWriter& out, int64_t now_ms) const override {
    out.begin_object();
    write_totals(out);
    out.key("devices").begin_array();
    devices_.for_each([&](uint32_t slot, const Device& device) { write_row(out, slot, device, true, now_ms); });
    out.end_array().end_object();
  }

  bool changed() const override { return devices_.changed(); }

  void write_frame(JsonWriter& out, int64_t now_ms) override {
    out.begin_object();
    out.key("gone").begin_array();
    for (uint32_t slot : devices_.take_gone()) out.integer(slot);
    out.end_array();
    JsonWriter full;
    full.begin_array();
    out.key("moved").begin_array();
    uint32_t slot = 0;
    bool full_row = false;
    for (size_t rows = 0; rows < kRowsPerFrameMax; ++rows) {
      const Device* device = devices_.take_change(slot, full_row);
      if (!device) break;
      write_row(full_row ? full : out, slot, *device, full_row, now_ms);
    }
    out.end_array();
    out.key("devices").raw(full.end_array().str());
    write_totals(out);
    out.end_object();
  }

 private:
  void on_position(const PanelRecord& record) {
    const auto lat = record.json.number(lat_);
    const auto lon = record.json.number(lon_);
    if (!lat || !lon) return;
    const auto id = record.json.text(id_);
    if (!id) return;
    const std::string id_copy(*id);
    DeviceUpdate update{.id = id_copy, .lon = *lon, .lat = *lat};
    if (!heading_.empty()) update.heading = record.json.number(heading_);
    if (!status_.empty()) update.status = record.json.text(status_);
    update.seen_ms = plausible_time(record.timestamp_ms, record.now_ms);
    update.time_ms = record_time(record, time_);
    update.record = record.value;
    devices_.update(update);
  }

  void write_totals(JsonWriter& out) const {
    out.key("statuses").begin_array();
    for (const std::string& status : devices_.statuses()) out.text(status);
    out.end_array();
    out.key("counts").begin_array();
    for (size_t count : devices_.status_counts()) out.integer(static_cast<int64_t>(count));
    out.end_array();
    out.key("total").integer(static_cast<int64_t>(devices_.size()));
  }

  static void write_row(JsonWriter& out, uint32_t slot, const Device& device, bool full, int64_t now_ms) {
    out.begin_array().integer(slot);
    out.fixed(device.lon, kCoordinateDecimals).fixed(device.lat, kCoordinateDecimals);
    if (device.heading) {
      out.fixed(*device.heading, 0);
    } else {
      out.null();
    }
    out.integer(device.status);
    if (full) {
      out.text(device.id);
      if (device.alert_ms == 0) {
        out.null();
      } else {
        out.integer((now_ms - device.alert_ms) / 1000);
      }
    }
    out.end_array();
  }

  std::string topic_, alerts_topic_, id_, lat_, lon_, heading_, status_, time_;
  int64_t expire_ms_;
  DeviceTable devices_;
};

}  // namespace

std::unique_ptr<PanelModel> make_map_panel(const flow::Options& options) { return std::make_unique<MapPanel>(options); }

}  // namespace headrace::console
