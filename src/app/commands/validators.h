// Checks of command-line options.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>

namespace headrace::app {

/// A number above 0.
inline CLI::Validator positive() {
  return CLI::Validator(
      [](std::string& text) {
        double number = 0;
        bool good = CLI::detail::lexical_cast(text, number) && number > 0;
        return good ? std::string() : fmt::format("{} is not a number above 0", text);
      },
      "POSITIVE");
}

}  // namespace headrace::app
