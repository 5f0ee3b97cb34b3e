// PushTelemetry (72): takes metrics of a client.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct PushTelemetryRequest {
  Uuid client_instance_id;
  int32_t subscription_id = 0;
  bool terminating = false;
  int8_t compression_type = 0;
  Bytes metrics;

  static constexpr Spec kSpec{.name = "PushTelemetryRequest", .api_key = 72, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = PushTelemetryRequest;
    return std::tuple(field("ClientInstanceId", &S::client_instance_id, "0+"),
                      field("SubscriptionId", &S::subscription_id, "0+"),
                      field("Terminating", &S::terminating, "0+"),
                      field("CompressionType", &S::compression_type, "0+"),
                      field("Metrics", &S::metrics, "0+"));
  }
};

struct PushTelemetryResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;

  static constexpr Spec kSpec{.name = "PushTelemetryResponse", .api_key = 72, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = PushTelemetryResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("ErrorCode", &S::error_code, "0+"));
  }
};

template <>
struct Messages<72> {
  using Request = PushTelemetryRequest;
  using Response = PushTelemetryResponse;
};

}  // namespace headrace::wire::kafka
