// Heartbeat (12): keeps a group member alive.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct HeartbeatRequest {
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;

  static constexpr Spec kSpec{.name = "HeartbeatRequest", .api_key = 12, .versions = "0-4", .flexible = "4+"};
  static constexpr auto fields() {
    using S = HeartbeatRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"),
                      field("GenerationId", &S::generation_id, "0+"),
                      field("MemberId", &S::member_id, "0+"),
                      field("GroupInstanceId", &S::group_instance_id, "3+", {.nullable = "3+"}));
  }
};

struct HeartbeatResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;

  static constexpr Spec kSpec{.name = "HeartbeatResponse", .api_key = 12, .versions = "0-4", .flexible = "4+"};
  static constexpr auto fields() {
    using S = HeartbeatResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"), field("ErrorCode", &S::error_code, "0+"));
  }
};

template <>
struct Messages<12> {
  using Request = HeartbeatRequest;
  using Response = HeartbeatResponse;
};

}  // namespace headrace::wire::kafka
