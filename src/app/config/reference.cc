// The JSON Schema and the reference page of the configuration file, from the specs.
#include <fmt/format.h>

#include "app/config/config.h"
#include "app/config/readers.h"
#include "app/config/sections.h"
#include "columns/schema.h"
#include "flow/sink_runner.h"
#include "flow/spec_json_schema.h"
#include "flow/spec_markdown.h"
#include "ingest/ingest.h"
#include "sinks/sinks.h"

namespace headrace::app {
namespace {

using flow::json_quoted;

constexpr std::string_view kScalar = R"("type":["string","number","boolean"])";

/// An object schema from `properties` (as json_schema_properties() gives them).
std::string object(std::string_view properties, std::string_view required, std::string_view summary) {
  return fmt::format(
      R"({{"type":"object","description":{},"properties":{{{}}},"required":[{}],"additionalProperties":false}})",
      json_quoted(summary), properties, required);
}

std::string map_of(std::string_view value, std::string_view summary) {
  return fmt::format(R"({{"type":"object","description":{},"additionalProperties":{}}})", json_quoted(summary), value);
}

std::string required_names(std::span<const flow::OptionSpec> options, std::string also = {}) {
  for (const flow::OptionSpec& option : options) {
    if (option.required) also += (also.empty() ? "" : ",") + json_quoted(option.name);
  }
  return also;
}

std::string with(std::string properties, std::string_view more) {
  return properties.empty() ? std::string(more) : properties + "," + std::string(more);
}

std::string bus_schema() {
  return fmt::format(R"({{"oneOf":[{{"const":"embedded"}},{{"type":"object","properties":{{"kafka":{{"type":"object",)"
                     R"("required":["bootstrap.servers"],"additionalProperties":{{{}}}}}}},"required":["kafka"],)"
                     R"("additionalProperties":false}}]}})",
                     kScalar);
}

std::string streams_schema() {
  std::string columns = fmt::format(
      R"("columns":{{"type":"object","additionalProperties":{{"oneOf":[{{"type":"string"}},{{"type":"object",)"
      R"("properties":{{"type":{{"type":"string"}},"path":{{"type":"string"}},"nullable":{{"type":"boolean"}}}},)"
      R"("required":["type"],"additionalProperties":false}}]}}}})");
  return map_of(
      object(with(flow::json_schema_properties(kStreamSpec.options), columns), R"("columns")", kStreamSpec.summary),
      kStreamSpec.summary);
}

std::string sinks_schema() {
  std::string kinds;
  for (const flow::SinkComponent* sink : sinks::sink_table()) {
    auto all = sink_options(*sink);
    std::string type = fmt::format(R"("type":{{"const":{}}})", json_quoted(sink->spec.name));
    all.erase(all.begin());  // `type` itself, which is a constant here.
    kinds += (kinds.empty() ? "" : ",") + object(with(type, flow::json_schema_properties(all)),
                                                 required_names(all, R"("type")"), sink->spec.summary);
  }
  return map_of(fmt::format(R"({{"oneOf":[{}]}})", kinds), kSinkSpec.summary);
}

std::string ingest_schema() {
  std::string kinds;
  for (const flow::IngestComponent* ingest : ingest::ingest_table()) {
    std::string own = object(flow::json_schema_properties(ingest->spec.options), required_names(ingest->spec.options),
                             ingest->spec.summary);
    kinds += (kinds.empty() ? "" : ",") +
             fmt::format(R"({}:{{"oneOf":[{},{{"type":"null"}}]}})", json_quoted(ingest->spec.name), own);
  }
  return object(kinds, "", "Ways in for devices.");
}

std::string dashboards_schema() {
  std::string kinds;
  for (const flow::ComponentSpec& panel : console::panel_table()) {
    std::string type = fmt::format(R"("type":{{"const":{}}})", json_quoted(panel.name));
    kinds += (kinds.empty() ? "" : ",") + object(with(type, flow::json_schema_properties(panel.options)),
                                                 required_names(panel.options, R"("type")"), panel.summary);
  }
  std::string panels = fmt::format(R"("panels":{{"type":"array","items":{{"oneOf":[{}]}}}})", kinds);
  return map_of(object(with(flow::json_schema_properties(kDashboardSpec.options), panels), "", kDashboardSpec.summary),
                kDashboardSpec.summary);
}

std::string section_schema(const Section& section) {
  if (section.name == "bus") return bus_schema();
  if (section.name == "data") return R"({"type":"string"})";
  if (section.name == "topics")
    return map_of(map_of(fmt::format("{{{}}}", kScalar), "Kafka's topic properties."), section.summary);
  if (section.name == "ingest") return ingest_schema();
  if (section.name == "streams") return streams_schema();
  if (section.name == "sinks") return sinks_schema();
  if (section.name == "dashboards") return dashboards_schema();
  std::string own = object(flow::json_schema_properties(section.spec->options), required_names(section.spec->options),
                           section.summary);
  return section.shape == Section::Shape::kOptions ? own : map_of(own, section.summary);
}

std::string heading(const Section& section) {
  return fmt::format("\n## `{}`\n\n{}\n\n", section.name, section.summary);
}

std::string section_reference(const Section& section) {
  std::string out = heading(section);
  if (section.spec) out += flow::markdown_table(section.spec->options);
  if (section.name == "streams") {
    out += fmt::format(
        "\n`columns` is a map of names to types ({}), or to `{{type:, path:, nullable:}}`. Every record "
        "also has `_key`, `_topic`, `_partition`, `_offset` and `_timestamp`.\n",
        columns::type_names());
  } else if (section.name == "topics") {
    out +=
        "A map of names to properties; durations and sizes take human units (`retention.ms: 7d`, "
        "`segment.bytes: 64MiB`).\n";
  } else if (section.name == "ingest") {
    for (const auto* ingest : ingest::ingest_table()) out += flow::markdown_section(ingest->spec, 3);
  } else if (section.name == "sinks") {
    out += "A map of names to sinks. Every sink takes:\n\n" + flow::markdown_table(kSinkSpec.options) + "\n" +
           flow::markdown_table(flow::sink_common_options()) + "\n";
    for (const auto* sink : sinks::sink_table()) out += flow::markdown_section(sink->spec, 3);
  } else if (section.name == "dashboards") {
    out +=
        "A map of names to `{title:, panels: [...]}`; a panel is `{type: ..., option: value...}` of these types:\n\n";
    for (const flow::ComponentSpec& panel : console::panel_table()) out += flow::markdown_section(panel, 3);
  }
  return out;
}

}  // namespace

std::string config_schema() {
  std::string properties;
  for (const Section& section : sections()) {
    properties += (properties.empty() ? "" : ",") + json_quoted(section.name) + ":" + section_schema(section);
  }
  return fmt::format(R"({{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"headrace configuration",)"
                     R"("type":"object","properties":{{{}}},"additionalProperties":false}})"
                     "\n",
                     properties);
}

std::string config_reference() {
  std::string out =
      "# The configuration file\n\nOne YAML file describes what `headrace run` runs. Durations take `ms`, `s`, `m`, "
      "`h`, `d`, `w`;\n"
      "sizes take `B`, `KB`, `MB`, `GB` (powers of 1000) and `KiB`, `MiB`, `GiB` (powers of 1024). `--set key=value`\n"
      "changes any of it from the command line. `headrace check FILE` tells every mistake with its line and column;\n"
      "`headrace check --schema` prints the JSON Schema for editors. This page is printed by the program.\n";
  for (const Section& section : sections()) out += section_reference(section);
  return out;
}

}  // namespace headrace::app
