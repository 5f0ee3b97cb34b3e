#include "app/config/config.h"

#include <fmt/format.h>

#include "app/config/option_reader.h"
#include "app/config/overrides.h"
#include "app/config/readers.h"
#include "app/config/sections.h"
#include "app/config/yaml_tree.h"

namespace headrace::app {
namespace {

ListenConfig read_listen(const YamlNode& node, Problems& problems) {
  flow::Options options = read_options(node, kListenSpec, "listen", problems);
  auto address = [&](std::string_view key) {
    auto parsed = parse_address(options.text(key));
    if (!parsed) {
      problems.add(place_in(node, key),
                   fmt::format("listen: {}: '{}' is not host:port, as in 127.0.0.1:9092", key, options.text(key)));
    }
    return parsed;
  };
  ListenConfig listen;
  if (options.text("kafka") != "off") listen.kafka = address("kafka");
  listen.mqtt = address("mqtt").value_or(Address{});
  listen.http = address("http").value_or(Address{});
  if (options.has("advertised.kafka")) listen.advertised_kafka = address("advertised.kafka");
  listen.buffer_bytes_max = static_cast<size_t>(options.integer("buffer_bytes_max"));
  return listen;
}

BusConfig read_bus(const YamlNode& node, Problems& problems) {
  BusConfig bus;
  if (node.kind == YamlNode::Kind::kScalar && node.scalar == "embedded") return bus;
  const YamlNode* kafka = node.kind == YamlNode::Kind::kMap ? node.find("kafka") : nullptr;
  if (!kafka || node.map.size() != 1 || kafka->kind != YamlNode::Kind::kMap) {
    problems.add(node.place, "bus: must be `embedded` or `kafka: {bootstrap.servers: HOST:PORT, ...}`");
    return bus;
  }
  for (const YamlEntry& entry : kafka->map) {
    if (entry.value.kind != YamlNode::Kind::kScalar) {
      problems.add(entry.place, fmt::format("bus: '{}' must be a single value", entry.key));
    }
    bus.kafka[entry.key] = entry.value.scalar;
  }
  if (!kafka->find("bootstrap.servers")) {
    problems.add(kafka->place,
                 "bus: kafka: 'bootstrap.servers' is required, as in {bootstrap.servers: 127.0.0.1:9092}");
  }
  return bus;
}

const YamlNode& section(const YamlNode& root, std::string_view key) {
  static const YamlNode kNothing;
  const YamlNode* node = root.find(key);
  return node ? *node : kNothing;
}

}  // namespace

Config load_config(const std::string& text, const std::vector<std::string>& settings, Problems& problems) {
  Config config;
  YamlNode root = parse_yaml(text, problems);
  if (!problems.empty()) return config;
  apply_overrides(root, settings, problems);
  if (!expect_kind(root, YamlNode::Kind::kMap, "the file", problems)) return config;
  std::vector<std::string_view> known;
  for (const Section& s : sections()) known.push_back(s.name);
  refuse_unknown_keys(root, known, "the file", problems);

  if (const YamlNode* bus = root.find("bus")) config.bus = read_bus(*bus, problems);
  config.data = "headrace-data";
  if (const YamlNode* data = root.find("data")) {
    if (expect_kind(*data, YamlNode::Kind::kScalar, "data", problems)) config.data = data->scalar;
  }
  config.listen = read_listen(section(root, "listen"), problems);
  read_broker(section(root, "broker"), config, problems);
  read_topics(section(root, "topics"), config, problems);
  read_ingest(section(root, "ingest"), config, problems);
  read_streams(section(root, "streams"), config, problems);
  read_pipelines(section(root, "pipelines"), config, problems);
  read_sinks(section(root, "sinks"), config, problems);
  read_dashboards(section(root, "dashboards"), config, problems);
  return config;
}

}  // namespace headrace::app
