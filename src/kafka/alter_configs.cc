#include "kafka/alter_configs.h"

#include <algorithm>
#include <map>

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

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  for (size_t from = 0; from < text.size();) {
    size_t comma = std::min(text.find(',', from), text.size());
    if (comma > from) items.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return items;
}

std::string changed_list(const std::string& before, const std::string& change, bool append) {
  std::vector<std::string> items = split_list(before);
  for (const auto& item : split_list(change)) {
    items.erase(std::remove(items.begin(), items.end(), item), items.end());
    if (append) items.push_back(item);
  }
  std::string joined;
  for (const auto& item : items) joined += (joined.empty() ? "" : ",") + item;
  return joined;
}

/// The new value of one option; nothing: back to the default.
Result<std::optional<std::string>> changed_value(const broker::ConfigEntry& entry, const ConfigChange& change) {
  auto operation = static_cast<ConfigOperation>(change.operation);
  if (operation == ConfigOperation::kDelete) return std::optional<std::string>();
  if (!change.value) return invalid(change.name + ": null is no value");
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
    if (entry == resource.effective.end()) return invalid("unknown config " + change.name);
    if (values.count(change.name)) return invalid(change.name + " is changed twice");
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
  if (broker_id != std::to_string(kNodeId)) {
    return {KafkaError::kInvalidRequest, "the only broker is " + std::to_string(kNodeId)};
  }
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

}  // namespace

AlteredConfigs alter_configs(broker::Broker& broker, int8_t resource_type, const std::string& resource_name,
                             const std::vector<ConfigChange>& changes, const AlterConfigsOptions& options) {
  switch (static_cast<ResourceType>(resource_type)) {
    case ResourceType::kTopic: {
      auto topic = broker.topic(resource_name);
      if (!topic) return {KafkaError::kUnknownTopicOrPartition, "no topic " + resource_name};
      Settable resource{topic->configs, broker::describe_topic_configs(topic->configs)};
      auto values = values_of(resource, changes, options.replace);
      if (!values.ok()) return answer(values.error());
      return answer(broker.alter_configs(resource_name, *values, options.validate_only));
    }
    case ResourceType::kClientMetrics:
      return alter_settings(broker, broker::ResourceKind::kClientMetrics, resource_name, changes, options);
    case ResourceType::kGroup:
      return alter_settings(broker, broker::ResourceKind::kGroup, resource_name, changes, options);
    case ResourceType::kBroker:
      return {KafkaError::kInvalidRequest, "the broker's settings come from its configuration file"};
    case ResourceType::kBrokerLogger: return alter_loggers(resource_name, changes, options);
  }
  return {KafkaError::kInvalidRequest, "there is no such kind of resource"};
}

}  // namespace headrace::kafka
