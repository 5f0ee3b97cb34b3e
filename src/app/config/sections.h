// The specs of the configuration file's own sections; components bring their own. Reading, the JSON Schema and the
// reference page all come from these.
#pragma once

#include <span>
#include <string_view>

#include "flow/spec.h"

namespace headrace::app {

/// One top-level key of the file.
struct Section {
  std::string_view name;
  std::string_view summary;
  /// How its value looks: the options of `spec` at once, or a map from names the user chooses to those options.
  enum class Shape { kOptions, kNamedOptions, kSpecial } shape;
  const flow::ComponentSpec* spec = nullptr;
};

/// Every top-level key, in the order of the reference.
std::span<const Section> sections();

extern const flow::ComponentSpec kListenSpec;
extern const flow::ComponentSpec kBrokerSpec;
extern const flow::ComponentSpec kStreamSpec;  ///< Beside its options: `columns`.
extern const flow::ComponentSpec kPipelineSpec;
extern const flow::ComponentSpec kSinkSpec;       ///< What names and switches a sink, beside the runner's and its own.
extern const flow::ComponentSpec kDashboardSpec;  ///< Beside its options: `panels`.

}  // namespace headrace::app
