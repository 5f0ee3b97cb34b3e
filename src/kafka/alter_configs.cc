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

Status alter_client_metrics(broker::Broker& broker, const std::string& name, const Values& values, bool validate_only) {
  ConfigMap configs = broker.settings().configs(broker::ResourceKind::kClientMetrics, name);
  for (const auto& [option, value] : values) {
    if (value) {
      configs[option] = *value;
    } else {
      configs.erase(option);
    }
  }
  RETURN_IF_ERROR(check_client_metrics_configs(configs));
  if (validate_only) return {};
  return broker.settings().put_configs(broker::ResourceKind::kClientMetrics, name, configs);
}

AlteredConfigs answer(const Status& status) {
  if (status.ok()) return {};
  bool invalid = status.error().code == ErrorCode::kInvalidArgument;
  return {invalid ? KafkaError::kInvalidConfig : to_kafka(status.error().code), status.error().message};
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
    case ResourceType::kClientMetrics: {
      if (resource_name.empty()) return {KafkaError::kInvalidRequest, "a subscription to client metrics has a name"};
      ConfigMap set = broker.settings().configs(broker::ResourceKind::kClientMetrics, resource_name);
      auto values = values_of({set, describe_client_metrics(set)}, changes, options.replace);
      if (!values.ok()) return answer(values.error());
      return answer(alter_client_metrics(broker, resource_name, *values, options.validate_only));
    }
    case ResourceType::kBroker:
      return {KafkaError::kInvalidRequest, "the broker's settings come from its configuration file"};
    case ResourceType::kBrokerLogger:
    case ResourceType::kGroup: break;
  }
  return {KafkaError::kInvalidRequest, "settings of such a resource can't be changed here"};
}

}  // namespace headrace::kafka
