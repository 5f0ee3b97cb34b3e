// headrace version: what this is.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/version.h"

namespace headrace::app {
namespace {

Function<int()> setup(CLI::App&) {
  return [] {
    std::printf("headrace %s\n", std::string(kVersion).c_str());
    return 0;
  };
}

}  // namespace

const Command& version_command() {
  static constexpr Command kCommand{"version", "Print the version", setup};
  return kCommand;
}

}  // namespace headrace::app
