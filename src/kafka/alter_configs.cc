#include "kafka/alter_configs.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/split_list.h"
#include "kafka/config_entries.h"

namespace headrace::kafka {
namespace {

using broker::ConfigMap;
using broker::ConfigType;
using Values = std::map<std::string, std::optional<std::string>>;

Error invalid(std::string what) { return {ErrorCode::kInvalidArgument, std::move(what)}; }

/// What alter_configs needs to know of a kind of resource.
struct Settable {
  ConfigMap set;  ///< What is set now.
  std::vector<broker::ConfigEntry> effective;
};

std::string changed_list(std::string_view before, std::string_view change, bool append) {
  std::vector<std::string_view> items = split_list(before), changed = split_list(change);
  if (append) {
    items.insert(items.end(), changed.begin(), changed.end());
    drop_repeated(items);
  } else {
    std::set<std::string_view> gone(changed.begin(), changed.end());
    std::erase_if(items, [&](std::string_view item) { return gone.contains(item); });
  }
  std::string joined;
  for (std::string_view item : items) (joined += joined.empty() ? "" : ",") += item;
  return joined;
}

bool is_delete(const ConfigChange& change) { return change.operation == static_cast<int8_t>(ConfigOperation::kDelete); }

/// What is wrong with changes, whatever they are of; empty: nothing.
std::string mistake_in(const std::vector<ConfigChange>& changes) {
  std::set<std::string_view> names;
  for (const ConfigChange& change : changes) {
    if (!names.insert(change.name).second) return change.name + " is changed twice";
    if (!change.value && !is_delete(change)) return change.name + ": null is no value";
  }
  return "";
}

/// The new value of one option; nothing: back to the default.
Result<std::optional<std::string>> changed_value(const broker::ConfigEntry& entry, const ConfigChange& change) {
  if (is_delete(change)) return std::optional<std::string>();
  auto operation = static_cast<ConfigOperation>(change.operation);
  if (operation == ConfigOperation::kSet) return change.value;
  if (operation != ConfigOperation::kAppend && operation != ConfigOperation::kSubtract) {
    return invalid(change.name + ": no such operation");
  }
  if (entry.type != ConfigType::kList) return invalid(change.name + " is no list");
  return std::optional(changed_list(entry.value, *change.value, operation == ConfigOperation::kAppend));
}

Result<Values> values_of(const Settable& resource, const std::vector<ConfigChange>& changes, bool replace) {
  Values values;
  for (const auto& change : changes) {
    auto entry = std::find_if(resource.effective.begin(), resource.effective.end(),
                              [&](const auto& one) { return one.name == change.name; });
    if (entry == resource.effective.end()) {
      // What can't be set is not set: MirrorMaker 2 deletes options that are gone since Kafka 4.
      if (is_delete(change)) continue;
      return invalid("unknown config " + change.name);
    }
    ASSIGN_OR_RETURN(values[change.name], changed_value(*entry, change));
  }
  if (!replace) return values;
  for (const auto& [name, value] : resource.set) values.try_emplace(name, std::nullopt);
  return values;
}

AlteredConfigs answer(const Status& status) {
  if (status.ok()) return {};
  bool invalid = status.error().code == ErrorCode::kInvalidArgument;
  return {invalid ? KafkaError::kInvalidConfig : to_kafka(status.error().code), status.error().message};
}

/// A resource whose settings are nothing but settings.
AlteredConfigs alter_settings(broker::Broker& broker, broker::ResourceKind kind, const std::string& name,
                              const std::vector<ConfigChange>& changes, const AlterConfigsOptions& options) {
  if (name.empty()) return {KafkaError::kInvalidRequest, "such a resource has a name"};
  ConfigMap configs = broker.settings().configs(kind, name);
  auto values = values_of({configs, describe_settings(broker, kind, name)}, changes, options.replace);
  if (!values.ok()) return answer(values.error());
  if (values->empty()) return {};
  for (const auto& [option, value] : *values) {
    if (value) {
      configs[option] = *value;
    } else {
      configs.erase(option);
    }
  }
  Status checked = check_settings(broker, kind, configs);
  if (!checked.ok() || options.validate_only) return answer(checked);
  return answer(broker.settings().put_configs(kind, name, configs));
}

AlteredConfigs alter_loggers(const std::string& broker_id, const std::vector<ConfigChange>& changes,
                             const AlterConfigsOptions& options) {
  if (options.replace) return {KafkaError::kInvalidRequest, "loggers are changed by IncrementalAlterConfigs only"};
  if (!is_this_broker(broker_id)) return {KafkaError::kInvalidRequest, only_broker()};
  for (bool validate_only : {true, options.validate_only}) {
    for (const ConfigChange& change : changes) {
      if (change.name != kRootLogger) return {KafkaError::kInvalidConfig, "there is no logger " + change.name};
      if (change.operation != static_cast<int8_t>(ConfigOperation::kSet)) {
        return {KafkaError::kInvalidRequest, "the level of the root logger can only be set"};
      }
      Status set = set_root_level(change.value.value_or(""), validate_only);
      if (!set.ok()) return answer(set);
    }
  }
  return {};
}

AlteredConfigs alter_broker(const std::string& broker_id, const std::vector<ConfigChange>& changes,
                            const AlterConfigsOptions& options) {
  if (!broker_id.empty() && !is_this_broker(broker_id)) return {KafkaError::kInvalidRequest, only_broker()};
  // Nothing can be set, so what is deleted is gone: kafka-reassign-partitions ends with taking its throttles back.
  if (!options.replace && std::all_of(changes.begin(), changes.end(), is_delete)) return {};
  return {KafkaError::kInvalidRequest, "the broker's settings come from its configuration file"};
}

AlteredConfigs alter_topic(broker::Broker& broker, const std::string& name, const std::vector<ConfigChange>& changes,
                           const AlterConfigsOptions& options) {
  auto topic = broker.topic(name);
  if (!topic) return {KafkaError::kUnknownTopicOrPartition, broker::no_such_topic(name).message};
  auto values = values_of({topic->configs, topic->describe_configs()}, changes, options.replace);
  if (!values.ok()) return answer(values.error());
  if (values->empty()) return {};
  return answer(broker.alter_configs(name, *values, options.validate_only));
}

}  // namespace

AlteredConfigs alter_configs(broker::Broker& broker, int8_t resource_type, const std::string& resource_name,
                             const std::vector<ConfigChange>& changes, const AlterConfigsOptions& options) {
  if (std::string mistake = mistake_in(changes); !mistake.empty()) return {KafkaError::kInvalidRequest, mistake};
  switch (static_cast<ResourceType>(resource_type)) {
    case ResourceType::kTopic: return alter_topic(broker, resource_name, changes, options);
    case ResourceType::kClientMetrics:
      return alter_settings(broker, broker::ResourceKind::kClientMetrics, resource_name, changes, options);
    case ResourceType::kGroup:
      return alter_settings(broker, broker::ResourceKind::kGroup, resource_name, changes, options);
    case ResourceType::kBroker: return alter_broker(resource_name, changes, options);
    case ResourceType::kBrokerLogger: return alter_loggers(resource_name, changes, options);
  }
  return {KafkaError::kInvalidRequest, "there is no such kind of resource"};
}

}  // namespace headrace::kafka
