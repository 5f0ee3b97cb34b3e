// DescribeConfigs (32): tells the settings of resources.
//
// Behavior:
// - Topics (2): every topic option with its value, whether it was set on the topic, comes from the broker's defaults
//   for topics (STATIC_BROKER_CONFIG) or is the default, and with include_synonyms all of these.
// - Brokers (4): this broker's settings, read-only; they come from the configuration file.
// - The broker's logger (8): there is one, "root", with its level.
// - Subscriptions to client metrics (16): their three settings. Groups (32): the timeouts of consumer groups (KIP-848).
// - No list of names means all.
//
// Version notes:
// - 1 replaces is_default by sources and adds synonyms, 3 adds types and documentation, 4 is flexible.
#include <algorithm>

#include "kafka/api.h"
#include "kafka/config_entries.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"
#include "wire/kafka/messages/32_describe_configs.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeConfigsRequest;
using wire::kafka::DescribeConfigsResponse;
using Resource = DescribeConfigsRequest::Resource;
using broker::ResourceKind;
using ResourceResponse = DescribeConfigsResponse::DescribeConfigsResult;

bool wanted(const Resource& resource, const std::string& name) {
  if (!resource.configuration_keys || resource.configuration_keys->empty()) return true;
  const auto& keys = *resource.configuration_keys;
  return std::find(keys.begin(), keys.end(), name) != keys.end();
}

ResourceResponse::ResourceResult entry_of(const broker::ConfigEntry& entry, bool read_only, ConfigSource source,
                                          const DescribeConfigsRequest& request) {
  ResourceResponse::ResourceResult out;
  out.name = entry.name;
  out.value = entry.value;
  out.read_only = read_only;
  out.config_source = static_cast<int8_t>(source);
  out.config_type = wire_type(entry.type);
  out.documentation.reset();
  if (request.include_documentation) out.documentation = std::string(entry.help);
  return out;
}

void add_topic_configs(const broker::Topic& topic, const Resource& resource, const DescribeConfigsRequest& request,
                       ResourceResponse& out) {
  const broker::ConfigMap& defaults = topic.broker_defaults();
  for (const auto& entry : topic.describe_configs()) {
    if (!wanted(resource, entry.name)) continue;
    auto source = static_cast<ConfigSource>(wire_source(entry));
    auto& described = out.configs.emplace_back(entry_of(entry, false, source, request));
    if (!request.include_synonyms) continue;
    if (source == ConfigSource::kTopic) described.synonyms.push_back({entry.name, entry.value, wire_source(entry)});
    std::string name(broker_default_of(entry.name).value_or(entry.name));
    if (auto found = defaults.find(entry.name); found != defaults.end()) {
      described.synonyms.push_back({name, found->second, static_cast<int8_t>(ConfigSource::kStaticBroker)});
    }
    described.synonyms.push_back({name, entry.fallback, static_cast<int8_t>(ConfigSource::kDefault)});
  }
}

/// How a kind of resource tells its settings.
struct Telling {
  ConfigSource set;  ///< The source of values that are not the default.
  bool read_only = false;
};

void add_configs(const std::vector<broker::ConfigEntry>& entries, const Telling& telling, const Resource& resource,
                 const DescribeConfigsRequest& request, ResourceResponse& out) {
  for (const auto& entry : entries) {
    if (!wanted(resource, entry.name)) continue;
    auto source = entry.is_default ? ConfigSource::kDefault : telling.set;
    auto& described = out.configs.emplace_back(entry_of(entry, telling.read_only, source, request));
    if (!request.include_synonyms) continue;
    described.synonyms.push_back({entry.name, entry.value, static_cast<int8_t>(source)});
    if (entry.is_default || entry.fallback.empty()) continue;
    described.synonyms.push_back({entry.name, entry.fallback, static_cast<int8_t>(ConfigSource::kDefault)});
  }
}

void add_loggers(const Resource& resource, const DescribeConfigsRequest& request, ResourceResponse& out) {
  broker::ConfigEntry root{std::string(kRootLogger), std::string(root_level()), broker::ConfigType::kString, false,
                           "What the program logs."};
  add_configs({root}, {.set = ConfigSource::kBrokerLogger}, resource, request, out);
}

void refuse(ResourceResponse& out, KafkaError error, std::string message) {
  out.error_code = wire_code(error);
  out.error_message = std::move(message);
}

ResourceResponse describe(const Call& call, const Resource& resource, const DescribeConfigsRequest& request) {
  ResourceResponse out;
  out.error_message.reset();
  out.resource_type = resource.resource_type;
  out.resource_name = resource.resource_name;
  switch (static_cast<ResourceType>(resource.resource_type)) {
    case ResourceType::kTopic: {
      auto topic = call.server.broker.topic(resource.resource_name);
      if (topic) {
        add_topic_configs(*topic, resource, request, out);
      } else {
        refuse(out, KafkaError::kUnknownTopicOrPartition, broker::no_such_topic(resource.resource_name).message);
      }
      return out;
    }
    case ResourceType::kBroker:
      if (is_this_broker(resource.resource_name)) {
        add_configs(broker_configs(call.server, call.peer), {.set = ConfigSource::kStaticBroker, .read_only = true},
                    resource, request, out);
      } else if (!resource.resource_name.empty()) {  // The cluster-wide default: nothing was set there.
        refuse(out, KafkaError::kInvalidRequest, only_broker());
      }
      return out;
    case ResourceType::kBrokerLogger:
      if (!is_this_broker(resource.resource_name)) {
        refuse(out, KafkaError::kInvalidRequest, only_broker());
      } else {
        add_loggers(resource, request, out);
      }
      return out;
    case ResourceType::kClientMetrics:
      add_configs(describe_settings(call.server.broker, ResourceKind::kClientMetrics, resource.resource_name),
                  {.set = ConfigSource::kClientMetrics}, resource, request, out);
      return out;
    case ResourceType::kGroup:
      if (resource.resource_name.empty()) {
        refuse(out, KafkaError::kInvalidRequest, "a group has a name");
      } else {
        add_configs(describe_settings(call.server.broker, ResourceKind::kGroup, resource.resource_name),
                    {.set = ConfigSource::kGroup}, resource, request, out);
      }
      return out;
  }
  refuse(out, KafkaError::kInvalidRequest, "no such kind of resource");
  return out;
}

void describe_configs(const Call& call, DescribeConfigsRequest request, Reply<DescribeConfigsResponse> reply) {
  DescribeConfigsResponse response;
  drop_repeated(request.resources, [](const Resource& one) { return std::pair(one.resource_type, one.resource_name); });
  for (const auto& resource : request.resources) response.results.push_back(describe(call, resource, request));
  reply(response);
}

}  // namespace

const Api& api_32() {
  static const Api api = make_api<32, describe_configs>({.name = "DescribeConfigs", .versions = "1-4"});
  return api;
}

}  // namespace headrace::kafka
