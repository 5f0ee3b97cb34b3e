#include "console/definitions.h"

#include "base/check.h"
#include "console/assets.h"
#include "console/json_writer.h"

namespace headrace::console {
namespace {

void write_option(JsonWriter& out, const flow::OptionSpec& spec, const flow::Options& options) {
  switch (spec.type) {
    case flow::OptionType::kInteger:
    case flow::OptionType::kSize: out.integer(options.integer(spec.name)); return;
    case flow::OptionType::kNumber: out.number(options.number(spec.name)); return;
    case flow::OptionType::kBoolean: out.boolean(options.boolean(spec.name)); return;
    case flow::OptionType::kDuration: out.integer(options.duration(spec.name).count()); return;
    case flow::OptionType::kStringList:
      out.begin_array();
      for (const std::string& item : options.list(spec.name)) out.text(item);
      out.end_array();
      return;
    case flow::OptionType::kStringMap:
      out.begin_object();
      for (const auto& [key, value] : options.map(spec.name)) out.key(key).text(value);
      out.end_object();
      return;
    default: out.text(options.text(spec.name)); return;
  }
}

void write_panel(JsonWriter& out, const Panel& panel) {
  const flow::ComponentSpec* spec = find_panel(panel.type);
  CHECK(spec != nullptr);
  out.begin_object().key("type").text(panel.type).key("options").begin_object();
  for (const flow::OptionSpec& option : spec->options) {
    if (!panel.options.has(option.name)) continue;
    out.key(option.name);
    write_option(out, option, panel.options);
  }
  out.end_object().end_object();
}

}  // namespace

std::string write_definitions(const std::vector<Dashboard>& dashboards) {
  JsonWriter out;
  out.begin_object().key("dashboards").begin_array();
  for (const Dashboard& dashboard : dashboards) {
    out.begin_object().key("name").text(dashboard.name);
    out.key("title").text(dashboard.title.empty() ? dashboard.name : dashboard.title).key("panels").begin_array();
    for (const Panel& panel : dashboard.panels) write_panel(out, panel);
    out.end_array().end_object();
  }
  return out.end_array().end_object().take();
}

std::vector<std::string> tile_origins(const std::vector<Dashboard>& dashboards) {
  std::vector<std::string> origins;
  for (const Dashboard& dashboard : dashboards) {
    for (const Panel& panel : dashboard.panels) {
      if (panel.type != "map" || !panel.options.has("tiles")) continue;
      std::string origin = origin_of(panel.options.text("tiles"));
      if (!origin.empty()) origins.push_back(std::move(origin));
    }
  }
  return origins;
}

}  // namespace headrace::console
