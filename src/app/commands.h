// The program's commands. A command is a file commands/x_command.cc that defines `const app::Command& x_command()`; the
// build finds it by its name and writes the table.
#pragma once

#include <span>
#include <string_view>

#include "base/function.h"

namespace CLI {
class App;
}

namespace headrace::app {

/// Exit codes: 0 done, 1 failed, 2 wrong input (arguments or configuration).
inline constexpr int kExitFailed = 1;
inline constexpr int kExitWrongInput = 2;

struct Command {
  std::string_view name;
  std::string_view summary;  ///< One line, for `headrace --help`.
  /// Adds options to its subcommand and returns what runs when it was chosen: the exit code.
  Function<int()> (*setup)(CLI::App& app);
  bool hidden = false;
};

/// Every command, in alphabetical order.
std::span<const Command* const> command_table();

}  // namespace headrace::app
