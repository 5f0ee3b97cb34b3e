#include "app/config/config_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace headrace::app {
namespace {

constexpr size_t kFileBytesMax = 16 << 20;

std::optional<std::string> read_file(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  std::string text;
  char buffer[64 << 10];
  size_t n = 0;
  int failure = file ? 0 : errno;
  errno = 0;
  while (file && text.size() <= kFileBytesMax && (n = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) {
    text.append(buffer, n);
  }
  if (!file || std::ferror(file.get())) {
    fmt::print(stderr, "{}: can't be read: {}\n", path, std::strerror(failure ? failure : errno));
    return std::nullopt;
  }
  if (text.size() > kFileBytesMax) {
    fmt::print(stderr, "{}: larger than {} MiB, which no configuration file is\n", path, kFileBytesMax >> 20);
    return std::nullopt;
  }
  return text;
}

}  // namespace

std::optional<Config> read_config_file(const std::string& path, const std::vector<std::string>& settings) {
  auto text = read_file(path);
  if (!text) return std::nullopt;
  Problems problems;
  Config config = load_config(*text, settings, problems);
  if (problems.empty()) return config;
  fmt::print(stderr, "{}", problems.render(path));
  return std::nullopt;
}

}  // namespace headrace::app
