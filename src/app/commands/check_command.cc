// headrace check: whether a configuration file is right, without running it.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "app/commands.h"
#include "app/config/config_file.h"

namespace headrace::app {
namespace {

struct Arguments {
  std::string file;
  std::vector<std::string> settings;
  bool schema = false;
  bool plans = false;
};

int check(const Arguments& arguments) {
  if (arguments.schema) {
    fmt::print("{}", config_schema());
    return 0;
  }
  if (arguments.file.empty()) {
    fmt::print(stderr, "headrace check: name a FILE, or ask for --schema\n");
    return kExitWrongInput;
  }
  auto config = read_config_file(arguments.file, arguments.settings);
  if (!config) return kExitWrongInput;
  if (arguments.plans) {
    for (const PipelineConfig& pipeline : config->pipelines) {
      fmt::print("pipeline {}:\n{}\n", pipeline.name, sql::explain(pipeline.plan));
    }
  }
  fmt::print("{}: ok: {} topics, {} streams, {} pipelines, {} sinks, {} dashboards\n", arguments.file,
             config->topics.size(), config->streams.size(), config->pipelines.size(), config->sinks.size(),
             config->dashboards.size());
  return 0;
}

Function<int()> setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("FILE", arguments->file, "The configuration file");
  app.add_option("--set", arguments->settings, "Change a value first: --set listen.http=127.0.0.1:0 (repeatable)")
      ->allow_extra_args(false);
  app.add_flag("--schema", arguments->schema, "Print the JSON Schema of the file, for editors");
  app.add_flag("--plans", arguments->plans, "Print the plan of every pipeline too");
  app.footer("Every mistake is told at once, as file:line:column: what, and what is allowed. Exit 0: right, 2: not.");
  return [arguments] { return check(*arguments); };
}

}  // namespace

const Command& check_command() {
  static constexpr Command kCommand{"check", "Check a configuration file without running it", setup};
  return kCommand;
}

}  // namespace headrace::app
