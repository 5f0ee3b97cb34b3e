// The sections made of topics and of components: `topics`, `ingest`, `sinks`, `dashboards`.
#include <fmt/format.h>

#include <charconv>

#include "app/config/option_reader.h"
#include "app/config/readers.h"
#include "app/config/sections.h"
#include "app/config/topic_properties.h"
#include "flow/sink_runner.h"
#include "ingest/ingest.h"
#include "sinks/sinks.h"

namespace headrace::app {
namespace {

int32_t whole_number(const YamlNode& value, std::string_view what, int32_t max, Problems& problems) {
  int32_t number = 0;
  const std::string& text = value.scalar;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > max) {
    problems.add(value.place, fmt::format("{}: '{}' is not a whole number from 1 to {}", what, text, max));
  }
  return number;
}

void read_topic(const YamlEntry& entry, Config& config, Problems& problems) {
  std::string where = "topic " + entry.key;
  if (!expect_kind(entry.value, YamlNode::Kind::kMap, where, problems)) return;
  bus::TopicSpec topic{.name = entry.key};
  if (auto valid = broker::check_topic_name(entry.key); !valid.ok()) problems.add(entry.place, valid.error().message);
  broker::ConfigMap configs;
  for (const YamlEntry& property : entry.value.map) {
    if (!expect_kind(property.value, YamlNode::Kind::kScalar, where + ": " + property.key, problems)) continue;
    if (property.key == "partitions") {
      topic.partitions = whole_number(property.value, where + ": partitions", 100'000, problems);
    } else if (property.key == "replication.factor") {
      topic.replication_factor =
          static_cast<int16_t>(whole_number(property.value, where + ": replication.factor", 32'767, problems));
    } else {
      read_topic_property(property, where, configs, problems);
    }
  }
  check_together(entry.value, where, configs,
                 config.bus.embedded() ? config.broker.options.topic_defaults : broker::ConfigMap(), problems);
  topic.configs = {configs.begin(), configs.end()};
  config.topics.push_back(std::move(topic));
}

template <typename Component>
const Component* find_component(std::span<const Component* const> table, std::string_view name, Place place,
                                std::string_view where, Problems& problems) {
  std::vector<std::string_view> known;
  for (const Component* component : table) {
    if (component->spec.name == name) return component;
    known.push_back(component->spec.name);
  }
  problems.add(
      place, fmt::format("{}: unknown component '{}'{} Allowed: {}", where, name,
                         did_you_mean(name, known).empty() ? "." : did_you_mean(name, known), fmt::join(known, ", ")));
  return nullptr;
}

void read_sink(const YamlEntry& entry, Config& config, Problems& problems) {
  std::string where = "sink " + entry.key;
  if (!expect_kind(entry.value, YamlNode::Kind::kMap, where, problems)) return;
  const YamlNode* type = entry.value.find("type");
  if (!type || type->kind != YamlNode::Kind::kScalar) {
    problems.add(entry.place, where + ": 'type' is required: which sink it is");
    return;
  }
  const auto* component = find_component(sinks::sink_table(), type->scalar, type->place, where, problems);
  if (!component) return;
  std::vector<flow::OptionSpec> all = sink_options(*component);
  flow::Options options =
      read_options(entry.value, {component->spec.name, component->spec.summary, all}, where, problems);
  config.sinks.push_back({entry.key, options.boolean("enabled"), component, std::move(options)});
}

void read_panel(const YamlNode& node, std::string_view where, console::Dashboard& dashboard, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, fmt::format("{}: a panel", where), problems)) return;
  const YamlNode* type = node.find("type");
  const flow::ComponentSpec* spec = type ? console::find_panel(type->scalar) : nullptr;
  if (!spec) {
    std::vector<std::string_view> known;
    for (const flow::ComponentSpec& panel : console::panel_table()) known.push_back(panel.name);
    problems.add(type ? type->place : node.place,
                 fmt::format("{}: a panel's 'type' must be one of {}", where, fmt::join(known, ", ")));
    return;
  }
  dashboard.panels.push_back({std::string(spec->name),
                              read_options(node, *spec, fmt::format("{}: {}", where, spec->name), problems, {"type"})});
}

}  // namespace

std::vector<flow::OptionSpec> sink_options(const flow::SinkComponent& component) {
  std::vector<flow::OptionSpec> all(kSinkSpec.options.begin(), kSinkSpec.options.end());
  auto common = flow::sink_common_options();
  all.insert(all.end(), common.begin(), common.end());
  all.insert(all.end(), component.spec.options.begin(), component.spec.options.end());
  return all;
}

void read_topics(const YamlNode& node, Config& config, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, "topics", problems)) return;
  for (const YamlEntry& entry : node.map) read_topic(entry, config, problems);
}

void read_ingest(const YamlNode& node, Config& config, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, "ingest", problems)) return;
  for (const YamlEntry& entry : node.map) {
    const auto* component = find_component(ingest::ingest_table(), entry.key, entry.place, "ingest", problems);
    if (!component) continue;
    config.ingest.push_back({component, read_options(entry.value, component->spec, "ingest " + entry.key, problems)});
  }
}

void read_sinks(const YamlNode& node, Config& config, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, "sinks", problems)) return;
  for (const YamlEntry& entry : node.map) read_sink(entry, config, problems);
}

void read_dashboards(const YamlNode& node, Config& config, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, "dashboards", problems)) return;
  for (const YamlEntry& entry : node.map) {
    std::string where = "dashboard " + entry.key;
    flow::Options options = read_options(entry.value, kDashboardSpec, where, problems, {"panels"});
    console::Dashboard dashboard{
        .name = entry.key, .title = options.has("title") ? options.text("title") : "", .panels = {}};
    const YamlNode* panels = entry.value.find("panels");
    if (panels && expect_kind(*panels, YamlNode::Kind::kList, where + ": panels", problems)) {
      for (const YamlNode& panel : panels->list) read_panel(panel, where, dashboard, problems);
    }
    config.dashboards.push_back(std::move(dashboard));
  }
}

}  // namespace headrace::app
