// A YAML file as a tree that keeps the order of its keys and the place of everything in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config/problems.h"

namespace headrace::app {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kMap, kList };
  Kind kind = Kind::kNull;
  Place place;
  std::string scalar;          ///< For kScalar.
  Place text_place;            ///< For kScalar: where its first character stands (below the | of a literal block).
  int line_indent = 0;         ///< For a literal block: columns before each of its lines; else 0.
  std::vector<YamlEntry> map;  ///< For kMap.
  std::vector<YamlNode> list;  ///< For kList.

  /// The value of `key`, or null.
  const YamlNode* find(std::string_view key) const;
  YamlNode* find(std::string_view key);
  /// The place of the scalar's character at `offset`.
  Place place_of(size_t offset) const;
};

struct YamlEntry {
  std::string key;
  Place place;
  YamlNode value;
};

/// "a map", "a list", "text", "nothing".
std::string_view describe(YamlNode::Kind kind);

/// Limits on what one file may hold.
inline constexpr size_t kYamlNodesMax = 200'000;
inline constexpr size_t kYamlDepthMax = 32;

/// Parses `text`. Syntax errors, keys given twice and limits go to `problems`; the tree is then only as good as it got.
YamlNode parse_yaml(const std::string& text, Problems& problems);

}  // namespace headrace::app
