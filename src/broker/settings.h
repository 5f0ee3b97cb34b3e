// Settings of what is no topic, durable beside the topics: quotas of clients, and the configs of resources such as
// subscriptions to client metrics.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/client_quotas.h"
#include "broker/group_config.h"
#include "broker/topic_config.h"

namespace headrace::broker {

class Topics;

/// What has settings of its own beside topics.
enum class ResourceKind { kClientMetrics, kGroup };

/// Thread-safe. What changes something blocks until it is on the disk; all or nothing of a call is done.
class Settings {
 public:
  /// Entities with quotas, at most: each takes part in every lookup's cost and in the memory of rates.
  static constexpr size_t kQuotaEntitiesMax = 10'000;
  /// Resources of one kind that have settings.
  static constexpr size_t kResourcesMax = 1'000;

  /// Takes over what `topics` has stored.
  explicit Settings(Topics& topics);

  /// Never null. Cheap.
  std::shared_ptr<const ClientQuotas> quotas() const;
  /// Grows whenever quotas change; 0 as long as there never were any.
  uint64_t quotas_version() const { return quotas_version_.load(std::memory_order_acquire); }
  /// Sets (a value) or removes limits. kInvalidArgument.
  Status alter_quota(const QuotaEntity& entity, const std::map<std::string, std::optional<double>>& changes,
                     bool validate_only);

  /// What was set on a resource; empty: nothing. Its meaning is checked by those who set it.
  ConfigMap configs(ResourceKind kind, std::string_view name) const;
  /// The timeouts of a consumer group. Cheap where groups have no settings.
  GroupTimeouts group_timeouts(std::string_view group_id, const GroupTimeouts& defaults) const;
  /// The resources of a kind that have settings.
  std::vector<std::string> names(ResourceKind kind) const;
  /// Grows whenever configs of resources change.
  uint64_t configs_version() const { return configs_version_.load(std::memory_order_acquire); }
  /// Replaces what is set on a resource.
  Status put_configs(ResourceKind kind, std::string_view name, const ConfigMap& configs);

 private:
  using Key = std::pair<ResourceKind, std::string>;

  Topics& topics_;
  std::mutex change_mutex_;  ///< One change at a time. Taken before mutex_.
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const ClientQuotas> quotas_;
  std::map<Key, ConfigMap> configs_;
  std::atomic<uint64_t> quotas_version_{0};
  std::atomic<uint64_t> configs_version_{0};
};

}  // namespace headrace::broker
