// Reads a map of the file against a component's spec, telling every mistake with its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config/problems.h"
#include "app/config/yaml_tree.h"
#include "flow/spec.h"

namespace headrace::app {

/// The options of `node` (a map, or nothing) as `spec` describes them, defaults filled in. Keys in `also` belong to
/// somebody else and are passed over. `where` names the section in messages, as in "sink search".
flow::Options read_options(const YamlNode& node, const flow::ComponentSpec& spec, std::string_view where,
                           Problems& problems, const std::vector<std::string_view>& also = {});

/// Where the value of `key` stands in the map; the map's own place when it is not there.
Place place_in(const YamlNode& map, std::string_view key);

/// Tells of every key of `node` that is not in `known`.
void refuse_unknown_keys(const YamlNode& node, const std::vector<std::string_view>& known, std::string_view where,
                         Problems& problems);

/// Whether `node` is of `kind`; tells it otherwise. A missing value (null) counts as an empty map.
bool expect_kind(const YamlNode& node, YamlNode::Kind kind, std::string_view where, Problems& problems);

}  // namespace headrace::app
