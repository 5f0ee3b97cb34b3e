#include "console/dashboard.h"

namespace headrace::console {
namespace {

using flow::OptionSpec;
using flow::OptionType;

constexpr OptionSpec kTitle{.name = "title", .help = "The panel's heading."};

constexpr std::string_view kBasemaps[] = {"manhattan", "none"};
constexpr OptionSpec kMapOptions[] = {
    kTitle,
    {.name = "topic", .required = true, .help = "The topic of JSON records with the devices' positions."},
    {.name = "id", .required = true, .help = "The field that names the device."},
    {.name = "lat", .fallback = "lat", .help = "The field with the latitude in degrees."},
    {.name = "lon", .fallback = "lon", .help = "The field with the longitude in degrees."},
    {.name = "heading", .help = "The field with the heading in degrees clockwise from north; devices are arrows then."},
    {.name = "status", .help = "The field whose value colours the device."},
    {.name = "time",
     .help = "The field with the time in milliseconds since 1970, so that late records don't move devices back."},
    {.name = "detail",
     .type = OptionType::kStringList,
     .help = "The fields shown for a selected device; all when absent."},
    {.name = "alerts", .help = "A topic of alerts: devices named there by the same `id` field are marked."},
    {.name = "devices.max",
     .type = OptionType::kInteger,
     .fallback = "10000",
     .min = 1,
     .max = 20'000,
     .help = "The most devices kept; the one silent for longest makes room for a new one."},
    {.name = "expire",
     .type = OptionType::kDuration,
     .fallback = "10m",
     .min = 1000,
     .help = "A device silent for this long leaves the map."},
    {.name = "basemap",
     .type = OptionType::kChoice,
     .fallback = "manhattan",
     .choices = kBasemaps,
     .help = "The bundled outline drawn below the devices."},
    {.name = "tiles",
     .help = "The URL of raster map tiles with {z}, {x} and {y}; without it no other server is asked."},
};

constexpr std::string_view kAggregates[] = {"avg", "sum", "min", "max", "count"};
constexpr OptionSpec kTimeseriesOptions[] = {
    kTitle,
    {.name = "metric", .help = "A metric of this program; a counter is shown as its rate per second."},
    {.name = "topic", .help = "A topic; without `field` its records per second are shown."},
    {.name = "field", .help = "A numeric field of the topic's JSON records."},
    {.name = "group_by", .help = "A field of the record (or a label of the metric) that gives one line a value."},
    {.name = "time", .help = "The field with the time in milliseconds since 1970; without it the record's timestamp."},
    {.name = "aggregate",
     .type = OptionType::kChoice,
     .fallback = "avg",
     .choices = kAggregates,
     .help = "How the values of one second become one point."},
    {.name = "unit", .help = "Shown behind the values."},
    {.name = "window",
     .type = OptionType::kDuration,
     .fallback = "5m",
     .min = 10'000,
     .max = 3'600'000,
     .help = "How far the chart reaches back."},
};

constexpr OptionSpec kAlertsOptions[] = {
    kTitle,
    {.name = "topic", .required = true, .help = "The topic of JSON records, one an alert."},
    {.name = "id", .fallback = "id", .help = "The field that names the device."},
    {.name = "kind", .fallback = "kind", .help = "The field that says what happened."},
    {.name = "value", .fallback = "value", .help = "The field with the value that raised the alert."},
    {.name = "time", .help = "The field with the time in milliseconds since 1970; without it the record's timestamp."},
    {.name = "limit",
     .type = OptionType::kInteger,
     .fallback = "100",
     .min = 1,
     .max = 1000,
     .help = "The most alerts listed."},
};

constexpr OptionSpec kTableOptions[] = {kTitle};

constexpr OptionSpec kStatsOptions[] = {
    kTitle,
    {.name = "rates", .type = OptionType::kStringMap, .help = "Label to counter metric, shown as its rate per second."},
    {.name = "values", .type = OptionType::kStringMap, .help = "Label to metric, shown as it is."},
    {.name = "topics", .type = OptionType::kStringMap, .help = "Label to topic, shown as its records per second."},
};

constexpr flow::ComponentSpec kPanels[] = {
    {"map", "Devices at their last position on a map.", kMapOptions},
    {"timeseries", "A metric, a topic's rate or a field of its records over time.", kTimeseriesOptions},
    {"alerts", "The newest records of a topic of alerts.", kAlertsOptions},
    {"topics", "All topics with their size and rate.", kTableOptions},
    {"components", "The states of ingests, pipelines and sinks.", kTableOptions},
    {"stats", "A row of single numbers.", kStatsOptions},
};

Panel default_panel(std::string_view type,
                    std::initializer_list<std::pair<std::string_view, flow::Options::Value>> values) {
  Panel panel{std::string(type), {}};
  for (const auto& [name, value] : values) panel.options.set(name, value);
  flow::fill_defaults(*find_panel(type), panel.options);
  return panel;
}

}  // namespace

std::span<const flow::ComponentSpec> panel_table() { return kPanels; }

const flow::ComponentSpec* find_panel(std::string_view type) {
  for (const flow::ComponentSpec& spec : kPanels) {
    if (spec.name == type) return &spec;
  }
  return nullptr;
}

Dashboard default_dashboard() {
  Dashboard dashboard{"overview", "Overview", {}};
  dashboard.panels.push_back(default_panel("stats", {}));
  dashboard.panels.push_back(default_panel("topics", {{"title", std::string("Topics")}}));
  dashboard.panels.push_back(default_panel("components", {{"title", std::string("Components")}}));
  return dashboard;
}

}  // namespace headrace::console
