// URLs and the patterns that routes match them with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::net::internal {

/// Percent-decodes; `plus_is_space` as in queries. Nothing when an escape is malformed or gives a NUL.
std::optional<std::string> url_decode(std::string_view text, bool plus_is_space);

/// "a=1&b=x%20y", decoded. The last of equal names wins. Nothing when an escape is malformed.
std::optional<std::map<std::string, std::string>> parse_query(std::string_view query);

/// A path with {name} parts; a last part "{name...}" takes the rest of the path, empty included.
class RoutePattern {
 public:
  /// CHECKs that `pattern` starts with "/" and its braces pair up: patterns are the program's own.
  explicit RoutePattern(std::string_view pattern);

  using Params = std::map<std::string, std::string>;
  /// The decoded parameters when `path`, still encoded, matches: an encoded slash is part of a name.
  std::optional<Params> match(std::string_view path) const;

 private:
  enum class Kind { kLiteral, kParam, kRest };
  struct Part {
    Kind kind;
    std::string text;  ///< The literal or the parameter's name.
  };
  std::vector<Part> parts_;
};

}  // namespace headrace::net::internal
