// FindCoordinator (10): tells which broker coordinates a group or transaction: always this one.
//
// Behavior:
// - Key types other than groups (0) and transactions (1) are refused with INVALID_REQUEST.
//
// Version notes:
// - 1 adds the key type, 4 asks for several keys at once, 6 adds share groups, which are not served.
#include "wire/kafka/messages/10_find_coordinator.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::FindCoordinatorRequest;
using wire::kafka::FindCoordinatorResponse;

constexpr int16_t kSeveralKeysSince = 4;
constexpr int8_t kKeyTypeMax = 1;

void find_coordinator(const Call& call, FindCoordinatorRequest request, Reply<FindCoordinatorResponse> reply) {
  FindCoordinatorResponse::Coordinator self;
  if (request.key_type < 0 || request.key_type > kKeyTypeMax) {
    self.error_code = wire_code(KafkaError::kInvalidRequest);
    self.error_message = "only groups and transactions have coordinators here";
    self.node_id = -1;
    self.port = -1;
  } else {
    self.node_id = kNodeId;
    self.host = call.server.advertised_host(call.peer);
    self.port = call.server.advertised_port(call.peer);
  }

  FindCoordinatorResponse response;
  if (call.version < kSeveralKeysSince) {
    response.error_code = self.error_code;
    response.error_message = self.error_message;
    response.node_id = self.node_id;
    response.host = self.host;
    response.port = self.port;
  } else {
    drop_repeated(request.coordinator_keys);
    for (auto& key : request.coordinator_keys) {
      self.key = std::move(key);
      response.coordinators.push_back(self);
    }
  }
  reply(response);
}

}  // namespace

const Api& api_10() {
  static const Api api = make_api<10, find_coordinator>({.name = "FindCoordinator", .versions = "0-6"});
  return api;
}

}  // namespace headrace::kafka
