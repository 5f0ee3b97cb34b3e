// headrace reference: prints the generated pages of docs/reference.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <string_view>

#include "app/commands.h"
#include "app/config/config.h"
#include "base/split_list.h"
#include "broker/topic_config.h"
#include "kafka/kafka_server.h"

namespace headrace::app {
namespace {

struct Page {
  std::string_view name;
  std::string (*text)();
};

std::string commands_page() {
  std::string out = "# Commands\n\nThis page is printed by the program; `headrace COMMAND --help` says the same.\n";
  for (const Command* command : command_table()) {
    if (command->hidden) continue;
    CLI::App app{std::string(command->summary)};
    app.name("headrace " + std::string(command->name));
    auto run = command->setup(app);
    out += fmt::format("\n## `headrace {}`\n\n```\n{}```\n", command->name, app.help("", CLI::AppFormatMode::All));
  }
  return out;
}

std::string allowed(const broker::ConfigSpec& spec) {
  if (!spec.choices.empty()) return fmt::format("`{}`", fmt::join(split_list(spec.choices), "`, `"));
  if (spec.type == broker::ConfigType::kBoolean) return "`true`, `false`";
  bool number = spec.type == broker::ConfigType::kInt || spec.type == broker::ConfigType::kLong;
  if (!number) return "";
  bool bounded = spec.max != INT64_MAX && spec.max != INT32_MAX;
  return bounded ? fmt::format("{} to {}", spec.min, spec.max) : fmt::format("{} or more", spec.min);
}

std::string topic_configs_page() {
  std::string out =
      "# Topic properties\n\n"
      "This page is printed by the program. The properties are those of Apache Kafka, with its defaults; `flush` and\n"
      "`on_disk_pressure` are its own. They are given in the file (`topics:`), by `headrace topic create -c`, and by\n"
      "any Kafka tool (`kafka-configs.sh --alter --entity-type topics`), also with units: `retention.ms=7d`,\n"
      "`segment.bytes=64MiB`.\n\n"
      "What a topic does not set, the file may set for all topics: `broker: {topic_defaults: {retention.ms: 1d}}` is\n"
      "what `log.retention.ms` and the like are in Kafka's `server.properties`. It holds from the next start on, for\n"
      "topics that are there already, too; not for the broker's own, `__consumer_offsets` and `__transaction_state`.\n"
      "`on_disk_pressure=drop_oldest` set so leaves topics alone that are only compacted, as their oldest segments\n"
      "hold the only records of keys.\n\n"
      "| Property | Default | Allowed | What it does |\n|---|---|---|---|\n";
  for (const broker::ConfigSpec& spec : broker::topic_config_table()) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", spec.name, spec.fallback, allowed(spec), spec.help);
  }
  return out;
}

constexpr Page kPages[] = {
    {"commands.md", commands_page},
    {"configuration.md", config_reference},
    {"configuration.schema.json", config_schema},
    {"kafka-apis.md", kafka::reference_page},
    {"topic-configs.md", topic_configs_page},
};

Function<int()> setup(CLI::App& app) {
  auto page = std::make_shared<std::string>();
  auto list = std::make_shared<bool>(false);
  app.add_option("PAGE", *page, "The page to print");
  app.add_flag("--list", *list, "List the pages");
  return [page, list] {
    for (const Page& p : kPages) {
      if (*list) fmt::print("{}\n", p.name);
      if (p.name == *page) fmt::print("{}", p.text());
    }
    return 0;
  };
}

}  // namespace

const Command& reference_command() {
  static constexpr Command kCommand{"reference", "Print a page of the reference", setup, /*hidden=*/true};
  return kCommand;
}

}  // namespace headrace::app
