#include "broker/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <mutex>

#include "base/logging.h"
#include "broker/topics.h"

namespace headrace::broker {
namespace {

constexpr std::string_view kQuotaPrefix = "quota/";

std::string_view prefix_of(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::kClientMetrics: return "config/client-metrics/";
    case ResourceKind::kGroup: return "config/group/";
  }
  return "";
}

ConfigMap to_configs(const QuotaValues& values) {
  ConfigMap configs;
  for (const auto& [key, value] : values) configs[key] = fmt::format("{}", value);
  return configs;
}

std::optional<QuotaValues> to_values(const ConfigMap& configs) {
  QuotaValues values;
  for (const auto& [key, text] : configs) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), values[key]);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  }
  return values;
}

}  // namespace

Settings::Settings(Topics& topics) : topics_(topics) {
  auto quotas = std::make_shared<ClientQuotas>();
  for (const auto& [key, configs] : topics.stored_settings()) {
    if (key.starts_with(kQuotaPrefix)) {
      auto entity = ClientQuotas::parse_key(std::string_view(key).substr(kQuotaPrefix.size()));
      auto values = to_values(configs);
      if (!entity || !values) {
        log_warn("the stored {} is not of a known form and is left alone", key);
        continue;
      }
      quotas->put(*entity, *values);
    }
    for (ResourceKind kind : {ResourceKind::kClientMetrics, ResourceKind::kGroup}) {
      if (key.starts_with(prefix_of(kind))) configs_[{kind, key.substr(prefix_of(kind).size())}] = configs;
    }
  }
  if (!quotas->empty()) quotas_version_ = 1;
  quotas_ = std::move(quotas);
}

std::shared_ptr<const ClientQuotas> Settings::quotas() const {
  std::shared_lock lock(mutex_);
  return quotas_;
}

Status Settings::alter_quota(const QuotaEntity& entity, const std::map<std::string, std::optional<double>>& changes,
                             bool validate_only) {
  RETURN_IF_ERROR(check_quota_entity(entity));
  std::lock_guard change(change_mutex_);
  auto changed = std::make_shared<ClientQuotas>(*quotas());
  QuotaValues values = changed->values_of(entity);
  for (const auto& [key, value] : changes) {
    if (value) {
      RETURN_IF_ERROR(check_quota_value(entity, key, *value));
      values[key] = *value;
    } else {
      values.erase(key);
    }
  }
  changed->put(entity, values);
  if (changed->entries().size() > kQuotaEntitiesMax) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("more than {} entities with quotas", kQuotaEntitiesMax)};
  }
  if (validate_only) return {};
  RETURN_IF_ERROR(topics_.put_settings(std::string(kQuotaPrefix) + ClientQuotas::key_of(entity), to_configs(values)));
  std::unique_lock lock(mutex_);
  quotas_ = std::move(changed);
  quotas_version_.fetch_add(1, std::memory_order_release);
  return {};
}

ConfigMap Settings::configs(ResourceKind kind, std::string_view name) const {
  std::shared_lock lock(mutex_);
  auto found = configs_.find({kind, std::string(name)});
  return found == configs_.end() ? ConfigMap() : found->second;
}

GroupTimeouts Settings::group_timeouts(std::string_view group_id, const GroupTimeouts& defaults) const {
  auto timeouts = apply_group_configs(configs(ResourceKind::kGroup, group_id), defaults);
  // What was set was checked then, but beside other defaults perhaps.
  return timeouts.ok() ? *timeouts : defaults;
}

std::vector<std::string> Settings::names(ResourceKind kind) const {
  std::vector<std::string> names;
  std::shared_lock lock(mutex_);
  for (const auto& [key, configs] : configs_) {
    if (key.first == kind) names.push_back(key.second);
  }
  return names;
}

Status Settings::put_configs(ResourceKind kind, std::string_view name, const ConfigMap& configs) {
  std::lock_guard change(change_mutex_);
  bool is_new = this->configs(kind, name).empty();
  if (is_new && !configs.empty() && names(kind).size() >= kResourcesMax) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("more than {} resources of a kind", kResourcesMax)};
  }
  RETURN_IF_ERROR(topics_.put_settings(std::string(prefix_of(kind)) + std::string(name), configs));
  std::unique_lock lock(mutex_);
  Key key{kind, std::string(name)};
  if (configs.empty()) {
    configs_.erase(key);
  } else {
    configs_[key] = configs;
  }
  configs_version_.fetch_add(1, std::memory_order_release);
  return {};
}

}  // namespace headrace::broker
