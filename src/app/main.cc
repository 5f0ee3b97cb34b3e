// headrace: the program's entry. Commands are found in the generated table.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <string_view>

#include "app/commands.h"
#include "app/version.h"

namespace {

/// What a thread may keep of freed memory. Fetches and large requests take and give back a megabyte or more each; with
/// glibc's defaults the kernel maps and clears those pages every time, which costs more than what is done with them.
constexpr int kKeptHeapBytes = 16 << 20;

}  // namespace

int main(int argc, char** argv) {
  using headrace::app::Command;
  mallopt(M_TRIM_THRESHOLD, kKeptHeapBytes);
  mallopt(M_MMAP_THRESHOLD, kKeptHeapBytes);
  CLI::App app{
      "Headrace: an IoT streaming platform in one program.\n\n"
      "Start with an example:   headrace run examples/cabs/cabs.yaml\n"
      "and, beside it, a fleet: headrace sim cabs --cabs 200\n"};
  app.name("headrace");
  app.require_subcommand(1);
  app.set_version_flag("--version", "headrace " + std::string(headrace::app::kVersion));
  headrace::Function<int()> chosen;
  std::vector<std::pair<CLI::App*, headrace::Function<int()>>> commands;
  for (const Command* command : headrace::app::command_table()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    if (command->hidden) sub->group("");
    commands.emplace_back(sub, command->setup(*sub));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& e) {
    auto unknown = app.remaining(/*recurse=*/true);
    bool command = std::string_view(e.what()).find("subcommand") != std::string_view::npos;
    if (!command || unknown.empty()) return app.exit(e), headrace::app::kExitWrongInput;
    std::fprintf(stderr, "headrace: there is no command '%s'; --help lists those that there are\n",
                 unknown.front().c_str());
    return headrace::app::kExitWrongInput;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : headrace::app::kExitWrongInput;
  }
  for (auto& [sub, run] : commands) {
    if (sub->parsed()) return run();
  }
  return headrace::app::kExitWrongInput;
}
