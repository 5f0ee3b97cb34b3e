// DescribeClientQuotas (48): lists quotas of users and clients (KIP-546).
//
// Behavior:
// - A filter has a part for each type that it asks for: a name (match type 0), the default (1), or any of both (2). An
//   entity passes that has all of these parts, and, when strict, no others.
// - UNSUPPORTED_VERSION: a type other than user, client-id and ip.
//
// Version notes:
// - 1 is flexible.
#include "wire/kafka/messages/48_describe_client_quotas.h"

#include <algorithm>
#include <set>

#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeClientQuotasRequest;
using wire::kafka::DescribeClientQuotasResponse;
using Component = DescribeClientQuotasRequest::ComponentData;

constexpr std::string_view kTypes[] = {"user", "client-id", "ip"};
constexpr int8_t kExact = 0, kDefault = 1, kSpecified = 2;

bool passes(const Component& component, const broker::QuotaEntity& entity) {
  auto part = entity.find(component.entity_type);
  if (part == entity.end()) return false;
  if (component.match_type == kSpecified) return true;
  return component.match_type == kDefault ? !part->second : part->second == component.match;
}

struct Mistake {
  KafkaError error = KafkaError::kInvalidRequest;
  std::string message;
};

/// What is wrong with the filter, if anything.
std::optional<Mistake> mistake_in(const std::vector<Component>& components) {
  std::set<std::string_view> types;
  for (const Component& component : components) {
    const std::string& type = component.entity_type;
    if (type.empty()) return Mistake{.message = "an entity type is empty"};
    if (std::count(std::begin(kTypes), std::end(kTypes), type) == 0) {
      return Mistake{KafkaError::kUnsupportedVersion, "there is no entity type " + type};
    }
    if (!types.insert(type).second) return Mistake{.message = "entity type " + type + " appears twice"};
    if (component.match_type < kExact || component.match_type > kSpecified) {
      return Mistake{.message = "there is no match type " + std::to_string(component.match_type)};
    }
    if ((component.match_type == kExact) != component.match.has_value()) {
      return Mistake{.message = "a name goes with an exact match only"};
    }
  }
  if (types.count("ip") && types.size() > 1) return Mistake{.message = "addresses have no users or clients"};
  return std::nullopt;
}

DescribeClientQuotasResponse::EntryData entry_of(const broker::QuotaEntity& entity, const broker::QuotaValues& values) {
  DescribeClientQuotasResponse::EntryData out;
  for (const auto& [type, name] : entity) out.entity.push_back({type, name});
  for (const auto& [key, value] : values) out.values.push_back({key, value});
  return out;
}

void describe_client_quotas(const Call& call, DescribeClientQuotasRequest request,
                            Reply<DescribeClientQuotasResponse> reply) {
  DescribeClientQuotasResponse response;
  response.error_message.reset();
  if (auto mistake = mistake_in(request.components)) {
    response.error_code = wire_code(mistake->error);
    response.error_message = std::move(mistake->message);
    response.entries.reset();
    return reply(response);
  }
  auto quotas = call.server.broker.settings().quotas();
  for (const auto& [entity, values] : quotas->entries()) {
    bool wanted = !request.strict || entity.size() == request.components.size();
    for (const auto& component : request.components) wanted = wanted && passes(component, entity);
    if (wanted) response.entries->push_back(entry_of(entity, values));
  }
  reply(response);
}

}  // namespace

const Api& api_48() {
  static const Api api = make_api<48, describe_client_quotas>({.name = "DescribeClientQuotas", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
