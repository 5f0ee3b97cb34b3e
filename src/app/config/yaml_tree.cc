#include "app/config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace headrace::app {
namespace {

Place to_place(const YAML::Mark& mark) { return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1}; }

class Builder {
 public:
  Builder(const std::string& text, Problems& problems) : problems_(problems) {
    for (size_t start = 0; start <= text.size();) {
      size_t end = std::min(text.find('\n', start), text.size());
      lines_.push_back(std::string_view(text).substr(start, end - start));
      start = end + 1;
    }
  }

  YamlNode build(const YAML::Node& from, size_t depth) {
    YamlNode node;
    node.place = to_place(from.Mark());
    if (depth > kYamlDepthMax || ++nodes_ > kYamlNodesMax) {
      if (!over_) problems_.add(node.place, "too deep or too large for a configuration file");
      over_ = true;
      return node;
    }
    if (from.IsMap()) {
      build_map(from, depth, node);
    } else if (from.IsSequence()) {
      node.kind = YamlNode::Kind::kList;
      for (const auto& item : from) node.list.push_back(build(item, depth + 1));
    } else if (from.IsScalar()) {
      node.kind = YamlNode::Kind::kScalar;
      node.scalar = from.Scalar();
      locate_text(node);
    }
    return node;
  }

 private:
  void build_map(const YAML::Node& from, size_t depth, YamlNode& node) {
    node.kind = YamlNode::Kind::kMap;
    for (const auto& entry : from) {
      Place place = to_place(entry.first.Mark());
      if (!entry.first.IsScalar()) {
        problems_.add(place, "a key must be text");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      if (node.find(key)) problems_.add(place, fmt::format("key '{}' is given twice", key));
      node.map.push_back({key, place, build(entry.second, depth + 1)});
    }
  }

  /// Finds where the characters of a scalar stand: after its quote, or on the lines below a block's `|`.
  void locate_text(YamlNode& node) const {
    node.text_place = node.place;
    size_t row = static_cast<size_t>(node.place.line) - 1;
    if (node.place.line == 0 || row >= lines_.size()) return;
    std::string_view at = lines_[row].substr(std::min<size_t>(lines_[row].size(), node.place.column - 1));
    if (at.starts_with('"') || at.starts_with('\'')) {
      ++node.text_place.column;
    } else if (at.starts_with('|') || at.starts_with('>')) {
      for (++row; row < lines_.size() && lines_[row].find_first_not_of(" \r") == std::string_view::npos;) ++row;
      if (row >= lines_.size()) return;
      node.line_indent = static_cast<int>(lines_[row].find_first_not_of(' '));
      node.text_place = {static_cast<int>(row) + 1, node.line_indent + 1};
    }
  }

  Problems& problems_;
  std::vector<std::string_view> lines_;
  size_t nodes_ = 0;
  bool over_ = false;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlEntry& entry : map) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

YamlNode* YamlNode::find(std::string_view key) {
  return const_cast<YamlNode*>(static_cast<const YamlNode*>(this)->find(key));
}

Place YamlNode::place_of(size_t offset) const {
  Place at = text_place;
  for (size_t i = 0; i < std::min(offset, scalar.size()); ++i) {
    if (scalar[i] == '\n') {
      ++at.line;
      at.column = line_indent + 1;
    } else if ((static_cast<unsigned char>(scalar[i]) & 0xc0) != 0x80) {
      ++at.column;
    }
  }
  return at;
}

std::string_view describe(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull: return "nothing";
    case YamlNode::Kind::kScalar: return "text";
    case YamlNode::Kind::kMap: return "a map";
    case YamlNode::Kind::kList: return "a list";
  }
  return "?";
}

YamlNode parse_yaml(const std::string& text, Problems& problems) {
  try {
    return Builder(text, problems).build(YAML::Load(text), 0);
  } catch (const YAML::Exception& e) {
    problems.add(to_place(e.mark), "not YAML: " + e.msg);
    return {};
  }
}

}  // namespace headrace::app
