#include "app/config/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "app/config/sections.h"

namespace headrace::app {
namespace {

using Path = std::vector<std::string>;

/// Whether the keys at this level are whole names with dots in them: topic properties and librdkafka properties.
bool has_properties(const Path& path) {
  return path.size() == 2 &&
         (path[0] == "topics" || path == Path{"bus", "kafka"} || path == Path{"broker", "topic_defaults"});
}

/// The options that a section has at this level.
std::span<const flow::OptionSpec> options_at(const Path& path) {
  for (const Section& section : sections()) {
    size_t level = section.shape == Section::Shape::kNamedOptions ? 2 : 1;
    if (section.spec && path.size() == level && path[0] == section.name) return section.spec->options;
  }
  return {};
}

/// The length of the key that `rest` begins with: the longest that is known, else up to the first dot.
size_t key_length(const YamlNode& node, std::string_view rest, const Path& path) {
  if (has_properties(path)) return rest.size();
  size_t best = 0;
  auto consider = [&](std::string_view key) {
    bool fits = rest.starts_with(key) && (rest.size() == key.size() || rest[key.size()] == '.');
    if (fits) best = std::max(best, key.size());
  };
  for (const YamlEntry& entry : node.map) consider(entry.key);
  for (const flow::OptionSpec& option : options_at(path)) consider(option.name);
  return best > 0 ? best : std::min(rest.find('.'), rest.size());
}

YamlNode& child(YamlNode& node, std::string key) {
  if (node.kind != YamlNode::Kind::kMap) {
    Place place = node.place;
    node = YamlNode{};
    node.kind = YamlNode::Kind::kMap;
    node.place = place;
  }
  if (YamlNode* found = node.find(key)) return *found;
  node.map.push_back({std::move(key), node.place, {}});
  return node.map.back().value;
}

/// Takes the places out: what came from the command line stands in no file.
void forget_places(YamlNode& node) {
  node.place = node.text_place = {};
  for (YamlEntry& entry : node.map) {
    entry.place = {};
    forget_places(entry.value);
  }
  for (YamlNode& item : node.list) forget_places(item);
}

}  // namespace

void apply_overrides(YamlNode& root, const std::vector<std::string>& settings, Problems& problems) {
  for (const std::string& setting : settings) {
    size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems.add({}, fmt::format("--set {}: must be key=value, as in --set sinks.search.enabled=true", setting));
      continue;
    }
    Problems wrong;
    YamlNode value = parse_yaml(setting.substr(equals + 1), wrong);
    if (!wrong.empty()) {
      problems.add({}, fmt::format("--set {}: {}", setting, wrong.list().front().text));
      continue;
    }
    forget_places(value);
    YamlNode* node = &root;
    Path path;
    for (std::string_view rest = std::string_view(setting).substr(0, equals); !rest.empty();) {
      size_t length = key_length(*node, rest, path);
      path.emplace_back(rest.substr(0, length));
      node = &child(*node, path.back());
      rest.remove_prefix(std::min(rest.size(), length + 1));
    }
    *node = std::move(value);
  }
}

}  // namespace headrace::app
