#include "console/panel.h"

#include <cmath>

#include "base/check.h"
#include "console/panels.h"

namespace headrace::console {

std::vector<std::unique_ptr<PanelModel>> make_panels(const Dashboard& dashboard) {
  using Make = std::unique_ptr<PanelModel> (*)(const flow::Options&);
  static const std::map<std::string_view, Make> makers = {
      {"map", make_map_panel},       {"timeseries", make_timeseries_panel}, {"alerts", make_alerts_panel},
      {"topics", make_topics_panel}, {"components", make_components_panel}, {"stats", make_stats_panel},
  };
  std::vector<std::unique_ptr<PanelModel>> panels;
  for (const Panel& panel : dashboard.panels) {
    const auto maker = makers.find(panel.type);
    CHECK(maker != makers.end());
    panels.push_back(maker->second(panel.options));
  }
  return panels;
}

int64_t plausible_time(int64_t at_ms, int64_t now_ms) {
  return at_ms < 0 || at_ms > now_ms + kFutureMsMax ? now_ms : at_ms;
}

std::string text_or_empty(const flow::Options& options, std::string_view name) {
  return options.has(name) ? options.text(name) : std::string();
}

int64_t record_time(const PanelRecord& record, const std::string& time_field) {
  if (!time_field.empty()) {
    if (const auto time = record.json.number(time_field); time && std::abs(*time) < 1e15) {
      return plausible_time(static_cast<int64_t>(*time), record.now_ms);
    }
  }
  return plausible_time(record.timestamp_ms, record.now_ms);
}

}  // namespace headrace::console
