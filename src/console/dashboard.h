// What a dashboard of the configuration file is made of: panels, each a type with options checked against its spec.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/spec.h"

namespace headrace::console {

/// One panel. In the file: `{type: map, topic: cabs, id: cab, ...}`; `options` are validated against the spec of
/// `type` in panel_table(), defaults filled in.
struct Panel {
  std::string type;
  flow::Options options;
};

/// One entry of the file's `dashboards`: `<name>: {title: ..., panels: [...]}`. Panels appear in this order.
struct Dashboard {
  std::string name;
  std::string title;  ///< Empty: the name.
  std::vector<Panel> panels;
};

/// The specs of all panel types: map, timeseries, alerts, topics, components, stats.
std::span<const flow::ComponentSpec> panel_table();

/// The spec of `type`, null when there is none.
const flow::ComponentSpec* find_panel(std::string_view type);

/// The dashboard of a file that defines none: messages per second, topics and components.
Dashboard default_dashboard();

}  // namespace headrace::console
