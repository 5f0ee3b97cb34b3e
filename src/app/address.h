// host:port, as options and the configuration write it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headrace::app {

struct Address {
  std::string host;
  uint16_t port = 0;
};

/// "127.0.0.1:9092", "[::1]:9092"; nothing when `text` is neither.
std::optional<Address> parse_address(std::string_view text);

}  // namespace headrace::app
