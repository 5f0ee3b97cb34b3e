#include "broker/group_config.h"

#include <fmt/format.h>

#include <charconv>

namespace headrace::broker {
namespace {

using std::chrono::milliseconds;

struct Option {
  std::string_view name;
  milliseconds GroupTimeouts::*value;
  milliseconds min, max;
  std::string_view help;
};

constexpr Option kOptions[] = {
    {"consumer.heartbeat.interval.ms", &GroupTimeouts::heartbeat, kConsumerHeartbeatMin, kConsumerHeartbeatMax,
     "How often members are told to speak up."},
    {"consumer.session.timeout.ms", &GroupTimeouts::session, kConsumerSessionTimeoutMin, kConsumerSessionTimeoutMax,
     "How long a member may be silent."},
};

Result<milliseconds> parse(const Option& option, std::string_view text) {
  int64_t ms = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && ms >= option.min.count() && ms <= option.max.count()) return milliseconds(ms);
  return Error{ErrorCode::kInvalidArgument, fmt::format("{}={} is not between {} and {} milliseconds", option.name,
                                                        text, option.min.count(), option.max.count())};
}

const Option* find(std::string_view name) {
  for (const Option& option : kOptions) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

}  // namespace

Result<GroupTimeouts> apply_group_configs(const ConfigMap& set, const GroupTimeouts& defaults) {
  GroupTimeouts timeouts = defaults;
  for (const auto& [name, value] : set) {
    const Option* option = find(name);
    if (!option) return Error{ErrorCode::kInvalidArgument, "unknown group config '" + name + "'"};
    ASSIGN_OR_RETURN(timeouts.*option->value, parse(*option, value));
  }
  if (set.empty() || timeouts.session > timeouts.heartbeat) return timeouts;
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("consumer.session.timeout.ms={} must be more than consumer.heartbeat.interval.ms={}",
                           timeouts.session.count(), timeouts.heartbeat.count())};
}

std::vector<ConfigEntry> describe_group_configs(const ConfigMap& set, const GroupTimeouts& defaults) {
  std::vector<ConfigEntry> entries;
  for (const Option& option : kOptions) {
    auto found = set.find(option.name);
    bool is_default = found == set.end();
    std::string value = is_default ? std::to_string((defaults.*option.value).count()) : found->second;
    entries.push_back({std::string(option.name), std::move(value), ConfigType::kInt, is_default, option.help});
  }
  return entries;
}

}  // namespace headrace::broker
