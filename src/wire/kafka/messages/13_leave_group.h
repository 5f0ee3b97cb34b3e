// LeaveGroup (13): takes members out of a group.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct LeaveGroupRequest {
  struct MemberIdentity {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;

    static constexpr auto fields() {
      using S = MemberIdentity;
      return std::tuple(field("MemberId", &S::member_id, "3+"),
                        field("GroupInstanceId", &S::group_instance_id, "3+", {.nullable = "3+"}),
                        field("Reason", &S::reason, "5+", {.nullable = "5+"}));
    }
  };

  std::string group_id;
  std::string member_id;
  std::vector<MemberIdentity> members;

  static constexpr Spec kSpec{.name = "LeaveGroupRequest", .api_key = 13, .versions = "0-5", .flexible = "4+"};
  static constexpr auto fields() {
    using S = LeaveGroupRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"),
                      field("MemberId", &S::member_id, "0-2"),
                      field("Members", &S::members, "3+"));
  }
};

struct LeaveGroupResponse {
  struct MemberResponse {
    std::string member_id;
    std::optional<std::string> group_instance_id = "";
    int16_t error_code = 0;

    static constexpr auto fields() {
      using S = MemberResponse;
      return std::tuple(field("MemberId", &S::member_id, "3+"),
                        field("GroupInstanceId", &S::group_instance_id, "3+", {.nullable = "3+"}),
                        field("ErrorCode", &S::error_code, "3+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<MemberResponse> members;

  static constexpr Spec kSpec{.name = "LeaveGroupResponse", .api_key = 13, .versions = "0-5", .flexible = "4+"};
  static constexpr auto fields() {
    using S = LeaveGroupResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("Members", &S::members, "3+"));
  }
};

template <>
struct Messages<13> {
  using Request = LeaveGroupRequest;
  using Response = LeaveGroupResponse;
};

}  // namespace headrace::wire::kafka
