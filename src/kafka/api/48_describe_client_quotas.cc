// DescribeClientQuotas (48): lists quotas of users and clients (KIP-546).
//
// Behavior:
// - A filter has a part for each type that it asks for: a name (match type 0), the default (1), or any of both (2). An
//   entity passes that has all of these parts, and, when strict, no others.
//
// Version notes:
// - 1 is flexible.
#include "wire/kafka/messages/48_describe_client_quotas.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeClientQuotasRequest;
using wire::kafka::DescribeClientQuotasResponse;
using Component = DescribeClientQuotasRequest::ComponentData;

constexpr int8_t kExact = 0, kDefault = 1, kSpecified = 2;

bool passes(const Component& component, const broker::QuotaEntity& entity) {
  auto part = entity.find(component.entity_type);
  if (part == entity.end()) return false;
  if (component.match_type == kSpecified) return true;
  return component.match_type == kDefault ? !part->second : part->second == component.match;
}

/// Empty, or what is wrong with the filter.
std::string mistake_in(const DescribeClientQuotasRequest& request) {
  for (size_t i = 0; i < request.components.size(); ++i) {
    const Component& component = request.components[i];
    if (component.match_type < kExact || component.match_type > kSpecified) return "no such match type";
    if ((component.match_type == kExact) != component.match.has_value()) return "a name goes with an exact match only";
    for (size_t k = 0; k < i; ++k) {
      if (request.components[k].entity_type == component.entity_type) {
        return "entity type " + component.entity_type + " appears twice";
      }
    }
  }
  return "";
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
  if (std::string mistake = mistake_in(request); !mistake.empty()) {
    response.error_code = wire_code(KafkaError::kInvalidRequest);
    response.error_message = mistake;
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
