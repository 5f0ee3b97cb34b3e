// What fuzz targets share: arguments beside libFuzzer's own, which it leaves alone when they begin with "--", and the
// inputs that a run begins with.
#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"

namespace headrace {

/// The value of `--name=value`, nothing without it.
inline std::optional<std::string> fuzz_argument(int count, char** arguments, std::string_view name) {
  std::string prefix = "--" + std::string(name) + "=";
  for (int i = 1; i < count; ++i) {
    std::string_view argument = arguments[i];
    if (argument.starts_with(prefix)) return std::string(argument.substr(prefix.size()));
  }
  return std::nullopt;
}

/// Calls `write(directory)` when there is a `--seeds=directory`.
template <typename Write>
void write_seeds_if_asked(int count, char** arguments, Write write) {
  if (auto directory = fuzz_argument(count, arguments, "seeds")) write(*directory);
}

inline void write_seed(const std::string& directory, const std::string& name, BytesView input) {
  std::ofstream file(directory + "/" + name, std::ios::binary);
  file << as_text(input);
  CHECK(file.good());
}

}  // namespace headrace
