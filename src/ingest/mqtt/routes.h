// Which Kafka topic and key an MQTT message gets: the first rule whose filter matches.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::ingest::mqtt {

/// Text with places in braces: {1}, {2}, ... the n-th wildcard of the rule's filter, {topic} the MQTT topic,
/// {client_id}.
class Template {
 public:
  struct Values {
    std::string_view topic;
    std::string_view client_id;
    const std::string_view* captures;
  };
  /// kInvalidArgument names the place that is not allowed; `wildcards` is how many the filter has.
  static Result<Template> parse(std::string_view text, size_t wildcards);

  /// The text itself where it has no places, else rendered into `scratch`.
  std::string_view render(const Values& values, std::string& scratch) const;
  /// The text, where it has no places.
  std::optional<std::string_view> literal() const;

 private:
  static constexpr int kLiteral = 0, kTopic = -1, kClientId = -2;  // Above 0: the n-th wildcard.
  struct Part {
    int kind;
    std::string text;
  };
  std::vector<Part> parts_;
};

struct Route {
  std::string filter;
  Template topic;
  std::optional<Template> key;
};

/// A message's way. The views live until the next route() on the same scratch.
struct Routed {
  std::string_view topic;
  std::optional<std::string_view> key;
};

class Routes {
 public:
  static constexpr size_t kWildcardsMax = 16;

  /// Room for rendered text, reused from message to message.
  struct Scratch {
    std::string topic, key;
    std::array<std::string_view, kWildcardsMax> captures;
  };

  /// Records with the fields `filter`, `topic` and `key` (which may be empty: no key).
  static Result<Routes> parse(const std::vector<std::map<std::string, std::string>>& records);

  std::optional<Routed> route(std::string_view topic, std::string_view client_id, Scratch& scratch) const;
  /// The topics that are named without places.
  std::vector<std::string> literal_topics() const;

 private:
  std::vector<Route> routes_;
};

}  // namespace headrace::ingest::mqtt
