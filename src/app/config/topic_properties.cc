#include "app/config/topic_properties.h"

#include <fmt/format.h>

#include "app/config/option_reader.h"

namespace headrace::app {

void read_topic_property(const YamlEntry& property, std::string_view where, broker::ConfigMap& configs,
                         Problems& problems) {
  auto value = broker::normalize_topic_config(property.key, property.value.scalar);
  if (value.ok()) {
    configs[property.key] = *std::move(value);
  } else {
    problems.add(property.value.place, fmt::format("{}: {}", where, value.error().message));
  }
}

void check_together(const YamlNode& node, std::string_view where, const broker::ConfigMap& configs,
                    const broker::ConfigMap& defaults, Problems& problems) {
  auto conflict = broker::find_config_conflict(configs, defaults);
  if (!conflict || !(configs.contains(conflict->option) || configs.contains(conflict->other))) return;
  std::string_view here = configs.contains(conflict->option) ? conflict->option : conflict->other;
  problems.add(place_in(node, here), fmt::format("{}: {}", where, conflict->text));
}

}  // namespace headrace::app
