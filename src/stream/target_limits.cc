#include "stream/target_limits.h"

#include <charconv>
#include <string>

namespace headrace::stream {

namespace {

void read_number(const bus::TopicInfo& topic, const std::string& name, int64_t& value) {
  auto found = topic.configs.find(name);
  if (found == topic.configs.end()) return;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), value);
}

}  // namespace

int64_t TargetLimits::fit_timestamp(int64_t timestamp_ms, int64_t now_ms) const {
  if (timestamp_ms == -1) return timestamp_ms;  // Kafka's NO_TIMESTAMP.
  bool early = timestamp_ms < now_ms && now_ms - timestamp_ms > before_max_ms;
  bool late = timestamp_ms > now_ms && timestamp_ms - now_ms > after_max_ms;
  return early || late ? now_ms : timestamp_ms;
}

TargetLimits target_limits(bus::Admin& admin, std::string_view topic) {
  TargetLimits limits;
  auto info = admin.topic(topic);
  if (!info.ok()) return limits;
  read_number(*info, "message.timestamp.before.max.ms", limits.before_max_ms);
  read_number(*info, "message.timestamp.after.max.ms", limits.after_max_ms);
  auto policy = info->configs.find("cleanup.policy");
  limits.needs_keys = policy != info->configs.end() && policy->second.find("compact") != std::string::npos;
  return limits;
}

}  // namespace headrace::stream
