// GetTelemetrySubscriptions (71): tells a client which metrics it is to push, and how often (KIP-714).
//
// Behavior:
// - What the client-metrics resources ask for whose selectors match the client: their metrics together, at the shortest
//   of their intervals. No metrics: the client asks again after the interval.
// - A client without an instance id gets one. Asking again before the interval is over: THROTTLING_QUOTA_EXCEEDED.
#include "wire/kafka/messages/71_get_telemetry_subscriptions.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/telemetry_client.h"

namespace headrace::kafka {
namespace {

using wire::kafka::GetTelemetrySubscriptionsRequest;
using wire::kafka::GetTelemetrySubscriptionsResponse;

/// Compressions that a push may have, the best first: zstd, lz4, gzip, snappy.
constexpr int8_t kCompressions[] = {4, 3, 1, 2};

void get_telemetry_subscriptions(const Call& call, GetTelemetrySubscriptionsRequest request,
                                 Reply<GetTelemetrySubscriptionsResponse> reply) {
  auto subscribed = call.server.telemetry.subscribe(telemetry_client(call, request.client_instance_id));
  GetTelemetrySubscriptionsResponse response;
  response.error_code = wire_code(subscribed.error);
  if (subscribed.error != KafkaError::kNone) return reply(response);
  response.client_instance_id = subscribed.instance_id;
  response.subscription_id = subscribed.subscription.id;
  response.accepted_compression_types.assign(std::begin(kCompressions), std::end(kCompressions));
  response.push_interval_ms = static_cast<int32_t>(subscribed.subscription.interval.count());
  response.telemetry_max_bytes = kTelemetryBytesMax;
  response.delta_temporality = true;
  response.requested_metrics = subscribed.subscription.metrics;
  reply(response);
}

}  // namespace

const Api& api_71() {
  static const Api api =
      make_api<71, get_telemetry_subscriptions>({.name = "GetTelemetrySubscriptions", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
