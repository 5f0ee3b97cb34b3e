#include "ingest/mqtt/routes.h"

#include <fmt/format.h>

#include <charconv>

#include "wire/mqtt/topic.h"

namespace headrace::ingest::mqtt {
namespace {

std::string field(const std::map<std::string, std::string>& record, const std::string& name) {
  auto found = record.find(name);
  return found == record.end() ? "" : found->second;
}

Result<Route> parse_route(const std::map<std::string, std::string>& record) {
  Route route;
  route.filter = field(record, "filter");
  if (!wire::mqtt::valid_topic_filter(route.filter)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("filter \"{}\": not an MQTT topic filter; '+' and '#' stand for whole levels and '#' comes last",
                    route.filter)};
  }
  size_t wildcards = wire::mqtt::count_wildcards(route.filter);
  if (wildcards > Routes::kWildcardsMax) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("filter \"{}\": more than {} wildcards", route.filter, Routes::kWildcardsMax)};
  }
  if (field(record, "topic").empty()) return Error{ErrorCode::kInvalidArgument, "topic: missing"};
  ASSIGN_OR_RETURN(route.topic, Template::parse(field(record, "topic"), wildcards));
  if (!field(record, "key").empty()) {
    ASSIGN_OR_RETURN(route.key, Template::parse(field(record, "key"), wildcards));
  }
  return route;
}

}  // namespace

Result<Template> Template::parse(std::string_view text, size_t wildcards) {
  auto wrong = [&](std::string_view place) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("\"{}\": {} is no place of this rule; allowed: {{topic}}, {{client_id}}{}", text, place,
                             wildcards > 0 ? fmt::format(" and {{1}} to {{{}}}", wildcards) : "")};
  };
  Template result;
  for (std::string_view rest = text; !rest.empty();) {
    size_t open = rest.find('{');
    if (open > 0) result.parts_.push_back({kLiteral, std::string(rest.substr(0, open))});
    if (open == std::string_view::npos) break;
    size_t close = rest.find('}', open);
    if (close == std::string_view::npos) return wrong(rest.substr(open));
    std::string_view name = rest.substr(open + 1, close - open - 1);
    int number = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    bool is_number = error == std::errc() && end == name.data() + name.size();
    if (name == "topic") {
      number = kTopic;
    } else if (name == "client_id") {
      number = kClientId;
    } else if (!is_number || number < 1 || static_cast<size_t>(number) > wildcards) {
      return wrong(rest.substr(open, close - open + 1));
    }
    result.parts_.push_back({number, ""});
    rest.remove_prefix(close + 1);
  }
  return result;
}

std::optional<std::string_view> Template::literal() const {
  if (parts_.size() == 1 && parts_[0].kind == kLiteral) return parts_[0].text;
  return std::nullopt;
}

std::string_view Template::render(const Values& values, std::string& scratch) const {
  auto value = [&](const Part& part) -> std::string_view {
    switch (part.kind) {
      case kLiteral: return part.text;
      case kTopic: return values.topic;
      case kClientId: return values.client_id;
      default: return values.captures[part.kind - 1];
    }
  };
  if (parts_.size() == 1) return value(parts_[0]);
  scratch.clear();
  for (const Part& part : parts_) scratch += value(part);
  return scratch;
}

Result<Routes> Routes::parse(const std::vector<std::map<std::string, std::string>>& records) {
  Routes routes;
  for (size_t i = 0; i < records.size(); ++i) {
    auto route = parse_route(records[i]);
    if (!route.ok()) return route.error().in(fmt::format("routes: rule {}", i + 1));
    routes.routes_.push_back(*std::move(route));
  }
  return routes;
}

std::optional<Routed> Routes::route(std::string_view topic, std::string_view client_id, Scratch& scratch) const {
  for (const Route& route : routes_) {
    if (!wire::mqtt::match_topic(route.filter, topic, scratch.captures)) continue;
    Template::Values values{topic, client_id, scratch.captures.data()};
    Routed routed{route.topic.render(values, scratch.topic), std::nullopt};
    if (route.key) routed.key = route.key->render(values, scratch.key);
    return routed;
  }
  return std::nullopt;
}

std::vector<std::string> Routes::literal_topics() const {
  std::vector<std::string> topics;
  for (const Route& route : routes_) {
    if (auto topic = route.topic.literal()) topics.emplace_back(*topic);
  }
  return topics;
}

}  // namespace headrace::ingest::mqtt
