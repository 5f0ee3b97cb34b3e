#include "app/config/overrides.h"

#include <fmt/format.h>

#include <string_view>

namespace headrace::app {
namespace {

/// Whether the keys at this level are whole names with dots in them: topic properties and librdkafka properties.
bool keys_have_dots(const std::vector<std::string>& path) {
  return (path.size() == 2 && path[0] == "topics") || (path.size() == 2 && path[0] == "bus" && path[1] == "kafka");
}

/// The length of the key that `rest` begins with: the longest that `node` has, else up to the first dot.
size_t key_length(const YamlNode& node, std::string_view rest, bool dotted) {
  size_t best = 0;
  for (const YamlEntry& entry : node.map) {
    bool fits = rest.starts_with(entry.key) && (rest.size() == entry.key.size() || rest[entry.key.size()] == '.');
    if (fits) best = std::max(best, entry.key.size());
  }
  if (best > 0) return best;
  return dotted ? rest.size() : std::min(rest.find('.'), rest.size());
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
    std::vector<std::string> path;
    for (std::string_view rest = std::string_view(setting).substr(0, equals); !rest.empty();) {
      size_t length = key_length(*node, rest, keys_have_dots(path));
      path.emplace_back(rest.substr(0, length));
      node = &child(*node, path.back());
      rest.remove_prefix(std::min(rest.size(), length + 1));
    }
    *node = std::move(value);
  }
}

}  // namespace headrace::app
