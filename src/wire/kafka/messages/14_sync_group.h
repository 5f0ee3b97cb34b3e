// SyncGroup (14): hands out the assignment that the group leader made.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct SyncGroupRequest {
  struct Assignment {
    std::string member_id;
    Bytes assignment;

    static constexpr auto fields() {
      using S = Assignment;
      return std::tuple(field("MemberId", &S::member_id, "0+"), field("Assignment", &S::assignment, "0+"));
    }
  };

  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;

  static constexpr Spec kSpec{.name = "SyncGroupRequest", .api_key = 14, .versions = "0-5", .flexible = "4+"};
  static constexpr auto fields() {
    using S = SyncGroupRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"),
                      field("GenerationId", &S::generation_id, "0+"),
                      field("MemberId", &S::member_id, "0+"),
                      field("GroupInstanceId", &S::group_instance_id, "3+", {.nullable = "3+"}),
                      field("ProtocolType", &S::protocol_type, "5+", {.nullable = "5+"}),
                      field("ProtocolName", &S::protocol_name, "5+", {.nullable = "5+"}),
                      field("Assignments", &S::assignments, "0+"));
  }
};

struct SyncGroupResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Bytes assignment;

  static constexpr Spec kSpec{.name = "SyncGroupResponse", .api_key = 14, .versions = "0-5", .flexible = "4+"};
  static constexpr auto fields() {
    using S = SyncGroupResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ProtocolType", &S::protocol_type, "5+", {.nullable = "5+"}),
                      field("ProtocolName", &S::protocol_name, "5+", {.nullable = "5+"}),
                      field("Assignment", &S::assignment, "0+"));
  }
};

template <>
struct Messages<14> {
  using Request = SyncGroupRequest;
  using Response = SyncGroupResponse;
};

}  // namespace headrace::wire::kafka
