// PushTelemetry (72): takes metrics of a client (KIP-714).
//
// Behavior:
// - The metrics are OTLP, possibly compressed, 1 MiB at the most before and after. They are shown at /metrics/clients
//   with the client's id and instance id, as long as the client goes on pushing.
// - UNKNOWN_SUBSCRIPTION_ID makes the client ask for its subscription anew. THROTTLING_QUOTA_EXCEEDED: too early.
#include "wire/kafka/messages/72_push_telemetry.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/telemetry_client.h"

namespace headrace::kafka {
namespace {

using wire::kafka::PushTelemetryRequest;
using wire::kafka::PushTelemetryResponse;

void push_telemetry(const Call& call, PushTelemetryRequest request, Reply<PushTelemetryResponse> reply) {
  PushTelemetryResponse response;
  ClientTelemetry::Push push{request.subscription_id, request.terminating, request.compression_type, request.metrics};
  response.error_code = wire_code(call.server.telemetry.push(telemetry_client(call, request.client_instance_id), push));
  reply(response);
}

}  // namespace

const Api& api_72() {
  static const Api api = make_api<72, push_telemetry>({.name = "PushTelemetry", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
