#include "app/address.h"

#include <charconv>

namespace headrace::app {

std::optional<Address> parse_address(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Address address{std::string(text.substr(0, colon)), 0};
  auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), address.port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  return address;
}

}  // namespace headrace::app
