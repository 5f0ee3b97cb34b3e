// The sections `streams` and `pipelines`.
#include <fmt/format.h>

#include "app/config/option_reader.h"
#include "app/config/readers.h"
#include "app/config/sections.h"
#include "sql/planner.h"

namespace headrace::app {
namespace {

constexpr flow::OptionSpec kColumnOptions[] = {
    {.name = "type", .required = true, .help = "The column's type."},
    {.name = "path", .help = "Where the value is in the record, as in engine.temp; the column's name by default."},
    {.name = "nullable",
     .type = flow::OptionType::kBoolean,
     .fallback = "true",
     .help = "Whether a record without a value is taken."},
};
constexpr flow::ComponentSpec kColumnSpec{"columns", "A column.", kColumnOptions};

columns::Column read_column(const YamlEntry& entry, std::string_view where, Problems& problems) {
  columns::Column column{.name = entry.key};
  std::string type = entry.value.scalar;
  Place place = entry.value.place;
  if (entry.value.kind == YamlNode::Kind::kMap) {
    flow::Options options = read_options(entry.value, kColumnSpec, fmt::format("{}: {}", where, entry.key), problems);
    if (!options.has("type")) return column;
    type = options.text("type");
    column.nullable = options.boolean("nullable");
    if (options.has("path")) column.path = options.text("path");
  } else if (!expect_kind(entry.value, YamlNode::Kind::kScalar, fmt::format("{}: column {}", where, entry.key),
                          problems)) {
    return column;
  }
  if (auto parsed = columns::parse_type(type)) {
    column.type = *parsed;
  } else {
    problems.add(place, fmt::format("{}: '{}' is not a type; allowed: {}", where, type, columns::type_names()));
  }
  return column;
}

StreamConfig read_stream(const YamlEntry& entry, Problems& problems) {
  std::string where = "stream " + entry.key;
  flow::Options options = read_options(entry.value, kStreamSpec, where, problems, {"columns"});
  StreamConfig stream{.name = entry.key,
                      .topic = options.has("topic") ? options.text("topic") : entry.key,
                      .format = columns::parse_format(options.text("format")).value_or(columns::Format::kJson),
                      .event_time = options.has("event_time") ? options.text("event_time") : "",
                      .watermark = options.duration("watermark"),
                      .idle_timeout = options.duration("idle_timeout"),
                      .csv_delimiter = options.text("delimiter").empty() ? ',' : options.text("delimiter")[0]};
  if (options.has("fields")) stream.csv_fields = options.list("fields");
  const YamlNode* columns = entry.value.find("columns");
  if (!columns) {
    problems.add(entry.place, where + ": 'columns' is required: a map of column names to types");
    return stream;
  }
  if (!expect_kind(*columns, YamlNode::Kind::kMap, where + ": columns", problems)) return stream;
  for (const YamlEntry& column : columns->map) stream.schema.add(read_column(column, where, problems));
  if (!stream.event_time.empty()) {
    auto found = stream.schema.find(stream.event_time);
    if (!found || stream.schema[*found].type != columns::Type::kTimestamp) {
      const YamlNode* at = entry.value.find("event_time");
      problems.add(at ? at->place : entry.place,
                   fmt::format("{}: event_time: '{}' is no column of type timestamp", where, stream.event_time));
    }
  }
  return stream;
}

/// Plans the SQL; its mistakes are placed at the character in the file.
bool plan_sql(const YamlNode& text, std::string_view where, const std::vector<sql::Stream>& streams,
              PipelineConfig& pipeline, Problems& problems) {
  sql::PlanResult result = sql::plan_query(text.scalar, streams);
  if (!result.ok()) {
    problems.add(text.place_of(result.error.offset), fmt::format("{}: sql: {}", where, result.error.message));
    return false;
  }
  pipeline.plan = *std::move(result.plan);
  return true;
}

void check_pipeline(const PipelineConfig& pipeline, const YamlEntry& entry, Problems& problems) {
  if (pipeline.options.has("key") && !pipeline.plan.output.find(pipeline.options.text("key"))) {
    problems.add(entry.value.find("key")->place, fmt::format("pipeline {}: key: '{}' is no column of its results",
                                                             entry.key, pipeline.options.text("key")));
  }
  if (pipeline.options.text("to") == pipeline.stream->topic) {
    problems.add(entry.value.find("to")->place,
                 fmt::format("pipeline {}: to: '{}' is the topic it reads; it would feed itself for ever", entry.key,
                             pipeline.stream->topic));
  }
}

}  // namespace

void read_streams(const YamlNode& node, Config& config, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, "streams", problems)) return;
  for (const YamlEntry& entry : node.map) config.streams.push_back(read_stream(entry, problems));
}

void read_pipelines(const YamlNode& node, Config& config, Problems& problems) {
  if (!expect_kind(node, YamlNode::Kind::kMap, "pipelines", problems)) return;
  std::vector<sql::Stream> streams;
  for (const StreamConfig& stream : config.streams) streams.push_back({stream.name, stream.schema, stream.event_time});
  for (const YamlEntry& entry : node.map) {
    std::string where = "pipeline " + entry.key;
    size_t before = problems.list().size();
    PipelineConfig pipeline{.name = entry.key, .options = read_options(entry.value, kPipelineSpec, where, problems)};
    const YamlNode* text = entry.value.find("sql");
    bool planned = text && text->kind == YamlNode::Kind::kScalar && plan_sql(*text, where, streams, pipeline, problems);
    if (!planned || problems.list().size() != before) continue;
    for (const StreamConfig& stream : config.streams) {
      if (stream.name == pipeline.plan.source) pipeline.stream = &stream;
    }
    check_pipeline(pipeline, entry, problems);
    config.pipelines.push_back(std::move(pipeline));
  }
}

}  // namespace headrace::app
