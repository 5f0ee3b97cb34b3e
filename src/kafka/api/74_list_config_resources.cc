// ListConfigResources (74): lists resources that have settings (KIP-1142).
//
// Behavior:
// - Kinds: topics, brokers and their loggers, subscriptions to client metrics, and groups with settings of their own.
//   An unknown kind: UNSUPPORTED_VERSION.
//
// Version notes:
// - 0 was ListClientMetricsResources and lists those only. 1 takes kinds; none means all.
#include <algorithm>

#include "kafka/api.h"
#include "kafka/config_entries.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"
#include "wire/kafka/messages/74_list_config_resources.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ListConfigResourcesRequest;
using wire::kafka::ListConfigResourcesResponse;

constexpr int16_t kKindsSince = 1;
constexpr int8_t kAllTypes[] = {2, 4, 8, 16, 32};

std::vector<std::string> names_of(const broker::Broker& broker, broker::Settings& settings, ResourceType type) {
  switch (type) {
    case ResourceType::kTopic: {
      std::vector<std::string> names;
      for (const auto& topic : broker.topics()) names.push_back(topic->name);
      return names;
    }
    case ResourceType::kBroker:
    case ResourceType::kBrokerLogger: return {std::to_string(kNodeId)};
    case ResourceType::kClientMetrics: return settings.names(broker::ResourceKind::kClientMetrics);
    case ResourceType::kGroup: return settings.names(broker::ResourceKind::kGroup);
  }
  return {};
}

void list_config_resources(const Call& call, ListConfigResourcesRequest request,
                           Reply<ListConfigResourcesResponse> reply) {
  ListConfigResourcesResponse response;
  std::vector<int8_t> types = std::move(request.resource_types);
  if (call.version < kKindsSince) types = {static_cast<int8_t>(ResourceType::kClientMetrics)};
  if (types.empty()) types.assign(std::begin(kAllTypes), std::end(kAllTypes));
  drop_repeated(types);
  for (int8_t type : types) {
    if (std::find(std::begin(kAllTypes), std::end(kAllTypes), type) == std::end(kAllTypes)) {
      response.config_resources.clear();
      response.error_code = wire_code(KafkaError::kUnsupportedVersion);
      return reply(response);
    }
    auto names = names_of(call.server.broker, call.server.broker.settings(), static_cast<ResourceType>(type));
    for (auto& name : names) response.config_resources.push_back({std::move(name), type});
  }
  reply(response);
}

}  // namespace

const Api& api_74() {
  static const Api api = make_api<74, list_config_resources>({.name = "ListConfigResources", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
