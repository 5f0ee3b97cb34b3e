// headrace reference: prints the generated pages of docs/reference.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "app/commands.h"
#include "app/config/config.h"
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

constexpr Page kPages[] = {
    {"commands.md", commands_page},
    {"configuration.md", config_reference},
    {"configuration.schema.json", config_schema},
    {"kafka-apis.md", kafka::reference_page},
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
