// IncrementalAlterConfigs (44): changes single settings of topics.
//
// Behavior:
// - Per topic all changes or none, on the disk before the answer. Operations: set (0), delete (1) back to the default;
//   append (2) and subtract (3) for lists. The broker's own settings come from its configuration file: INVALID_REQUEST.
//
// Version notes:
// - 1 is flexible.
#include <algorithm>
#include <map>

#include "kafka/api.h"
#include "kafka/config_entries.h"
#include "kafka/topics.h"
#include "wire/kafka/messages/44_incremental_alter_configs.h"

namespace headrace::kafka {
namespace {

using wire::kafka::IncrementalAlterConfigsRequest;
using wire::kafka::IncrementalAlterConfigsResponse;
using Resource = IncrementalAlterConfigsRequest::AlterConfigsResource;
using Change = Resource::AlterableConfig;
using Changes = std::map<std::string, std::optional<std::string>>;

enum class Operation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  for (size_t from = 0; from < text.size();) {
    size_t comma = std::min(text.find(',', from), text.size());
    if (comma > from) items.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return items;
}

std::string changed_list(const broker::Topic& topic, const Change& change, bool append) {
  std::vector<std::string> items;
  for (const auto& entry : broker::describe_topic_configs(topic.configs)) {
    if (entry.name == change.name) items = split_list(entry.value);
  }
  for (const auto& item : split_list(*change.value)) {
    items.erase(std::remove(items.begin(), items.end(), item), items.end());
    if (append) items.push_back(item);
  }
  std::string joined;
  for (const auto& item : items) joined += (joined.empty() ? "" : ",") + item;
  return joined;
}

/// What the broker is to set, or an error.
Result<Changes> changes_of(const broker::Topic& topic, const Resource& resource) {
  Changes changes;
  for (const auto& change : resource.configs) {
    const auto* spec = broker::find_topic_config(change.name);
    if (!spec) return Error{ErrorCode::kInvalidArgument, "no topic option " + change.name};
    if (changes.count(change.name)) return Error{ErrorCode::kInvalidArgument, change.name + " is changed twice"};
    auto operation = static_cast<Operation>(change.config_operation);
    if (operation == Operation::kDelete) {
      changes[change.name] = std::nullopt;
      continue;
    }
    if (!change.value) return Error{ErrorCode::kInvalidArgument, change.name + ": null is no value"};
    bool list_operation = operation == Operation::kAppend || operation == Operation::kSubtract;
    if (operation != Operation::kSet && !list_operation) {
      return Error{ErrorCode::kInvalidArgument, change.name + ": no such operation"};
    }
    if (list_operation && spec->type != broker::ConfigType::kList) {
      return Error{ErrorCode::kInvalidArgument, change.name + " is no list"};
    }
    changes[change.name] =
        list_operation ? changed_list(topic, change, operation == Operation::kAppend) : *change.value;
  }
  return changes;
}

IncrementalAlterConfigsResponse::AlterConfigsResourceResponse alter(broker::Broker& broker, const Resource& resource,
                                                                    bool validate_only) {
  IncrementalAlterConfigsResponse::AlterConfigsResourceResponse out;
  out.error_message.reset();
  out.resource_type = resource.resource_type;
  out.resource_name = resource.resource_name;
  auto refuse = [&](KafkaError error, std::string message) {
    out.error_code = wire_code(error);
    out.error_message = std::move(message);
    return out;
  };
  if (static_cast<ResourceType>(resource.resource_type) != ResourceType::kTopic) {
    return refuse(KafkaError::kInvalidRequest, "only topics have settings that can be changed here");
  }
  auto topic = broker.topic(resource.resource_name);
  if (!topic) return refuse(KafkaError::kUnknownTopicOrPartition, "no topic " + resource.resource_name);
  auto changes = changes_of(*topic, resource);
  Status altered =
      changes.ok() ? broker.alter_configs(resource.resource_name, *changes, validate_only) : Status(changes.error());
  if (altered.ok()) return out;
  bool invalid = altered.error().code == ErrorCode::kInvalidArgument;
  return refuse(invalid ? KafkaError::kInvalidConfig : to_kafka(altered.error().code), altered.error().message);
}

void incremental_alter_configs(const Call& call, IncrementalAlterConfigsRequest request,
                               Reply<IncrementalAlterConfigsResponse> reply) {
  call.server.blocking.run(
      [&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
        IncrementalAlterConfigsResponse response;
        for (const auto& resource : request.resources) {
          response.responses.push_back(alter(broker, resource, request.validate_only));
        }
        reply(response);
      });
}

}  // namespace

const Api& api_44() {
  static const Api api =
      make_api<44, incremental_alter_configs>({.name = "IncrementalAlterConfigs", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
