// The models of the panel types.
#pragma once

#include <memory>

#include "console/panel.h"

namespace headrace::console {

std::unique_ptr<PanelModel> make_map_panel(const flow::Options& options);
std::unique_ptr<PanelModel> make_timeseries_panel(const flow::Options& options);
std::unique_ptr<PanelModel> make_alerts_panel(const flow::Options& options);
std::unique_ptr<PanelModel> make_topics_panel(const flow::Options& options);
std::unique_ptr<PanelModel> make_components_panel(const flow::Options& options);
std::unique_ptr<PanelModel> make_stats_panel(const flow::Options& options);

}  // namespace headrace::console
