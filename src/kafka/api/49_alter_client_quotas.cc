// AlterClientQuotas (49): sets and removes quotas of users and clients (KIP-546).
//
// Behavior:
// - Each entity is answered for itself, all of its changes or none, once they are on the disk. They hold from the next
//   request of a client on.
// - An entity that is named more than once is told once, with the first error if there was one.
// - Keys: producer_byte_rate, consumer_byte_rate, request_percentage and controller_mutation_rate of users and clients;
//   connection_creation_rate of addresses.
//
// Version notes:
// - 1 is flexible.
#include "wire/kafka/messages/49_alter_client_quotas.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::AlterClientQuotasRequest;
using wire::kafka::AlterClientQuotasResponse;
using EntryRequest = AlterClientQuotasRequest::EntryData;
using EntryResponse = AlterClientQuotasResponse::EntryData;

using Entity = std::vector<std::pair<std::string, std::optional<std::string>>>;

Entity entity_of(const EntryRequest& entry) {
  Entity entity;
  for (const auto& part : entry.entity) entity.emplace_back(part.entity_type, part.entity_name);
  return entity;
}

Status alter(broker::Settings& settings, const EntryRequest& entry, bool validate_only) {
  broker::QuotaEntity entity;
  for (const auto& part : entry.entity) {
    if (!entity.emplace(part.entity_type, part.entity_name).second) {
      return Error{ErrorCode::kInvalidArgument, "entity type " + part.entity_type + " appears twice"};
    }
  }
  std::map<std::string, std::optional<double>> changes;
  for (const auto& op : entry.ops) {
    auto value = op.remove ? std::nullopt : std::optional(op.value);
    if (!changes.emplace(op.key, value).second) {
      return Error{ErrorCode::kInvalidArgument, "quota " + op.key + " is changed twice"};
    }
  }
  return settings.alter_quota(entity, changes, validate_only);
}

EntryResponse answer(broker::Settings& settings, const EntryRequest& entry, bool validate_only) {
  EntryResponse out;
  for (const auto& part : entry.entity) out.entity.push_back({part.entity_type, part.entity_name});
  Status altered = alter(settings, entry, validate_only);
  out.error_code = wire_code(altered);
  out.error_message.reset();
  if (!altered.ok()) out.error_message = altered.error().message;
  return out;
}

void alter_client_quotas(const Call& call, AlterClientQuotasRequest request, Reply<AlterClientQuotasResponse> reply) {
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
    AlterClientQuotasResponse response;
    std::map<Entity, size_t> places;
    for (const auto& entry : request.entries) {
      auto altered = answer(broker.settings(), entry, request.validate_only);
      auto [place, first] = places.try_emplace(entity_of(entry), response.entries.size());
      if (first) {
        response.entries.push_back(std::move(altered));
      } else if (response.entries[place->second].error_code == 0) {
        response.entries[place->second] = std::move(altered);
      }
    }
    reply(response);
  });
}

}  // namespace

const Api& api_49() {
  static const Api api = make_api<49, alter_client_quotas>({.name = "AlterClientQuotas", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
