// GetTelemetrySubscriptions (71): tells a client which metrics it is to push.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct GetTelemetrySubscriptionsRequest {
  Uuid client_instance_id;

  static constexpr Spec kSpec{
      .name = "GetTelemetrySubscriptionsRequest", .api_key = 71, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = GetTelemetrySubscriptionsRequest;
    return std::tuple(field("ClientInstanceId", &S::client_instance_id, "0+"));
  }
};

struct GetTelemetrySubscriptionsResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  Uuid client_instance_id;
  int32_t subscription_id = 0;
  std::vector<int8_t> accepted_compression_types;
  int32_t push_interval_ms = 0;
  int32_t telemetry_max_bytes = 0;
  bool delta_temporality = false;
  std::vector<std::string> requested_metrics;

  static constexpr Spec kSpec{
      .name = "GetTelemetrySubscriptionsResponse", .api_key = 71, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = GetTelemetrySubscriptionsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ClientInstanceId", &S::client_instance_id, "0+"),
                      field("SubscriptionId", &S::subscription_id, "0+"),
                      field("AcceptedCompressionTypes", &S::accepted_compression_types, "0+"),
                      field("PushIntervalMs", &S::push_interval_ms, "0+"),
                      field("TelemetryMaxBytes", &S::telemetry_max_bytes, "0+"),
                      field("DeltaTemporality", &S::delta_temporality, "0+"),
                      field("RequestedMetrics", &S::requested_metrics, "0+"));
  }
};

template <>
struct Messages<71> {
  using Request = GetTelemetrySubscriptionsRequest;
  using Response = GetTelemetrySubscriptionsResponse;
};

}  // namespace headrace::wire::kafka
