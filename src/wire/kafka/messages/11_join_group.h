// JoinGroup (11): makes a consumer a member of a group.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct JoinGroupRequest {
  struct Protocol {
    std::string name;
    Bytes metadata;

    static constexpr auto fields() {
      using S = Protocol;
      return std::tuple(field("Name", &S::name, "0+"), field("Metadata", &S::metadata, "0+"));
    }
  };

  std::string group_id;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;

  static constexpr Spec kSpec{.name = "JoinGroupRequest", .api_key = 11, .versions = "0-9", .flexible = "6+"};
  static constexpr auto fields() {
    using S = JoinGroupRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"),
                      field("SessionTimeoutMs", &S::session_timeout_ms, "0+"),
                      field("RebalanceTimeoutMs", &S::rebalance_timeout_ms, "1+"),
                      field("MemberId", &S::member_id, "0+"),
                      field("GroupInstanceId", &S::group_instance_id, "5+", {.nullable = "5+"}),
                      field("ProtocolType", &S::protocol_type, "0+"),
                      field("Protocols", &S::protocols, "0+"),
                      field("Reason", &S::reason, "8+", {.nullable = "8+"}));
  }
};

struct JoinGroupResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;

    static constexpr auto fields() {
      using S = Member;
      return std::tuple(field("MemberId", &S::member_id, "0+"),
                        field("GroupInstanceId", &S::group_instance_id, "5+", {.nullable = "5+"}),
                        field("Metadata", &S::metadata, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name = "";
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;

  static constexpr Spec kSpec{.name = "JoinGroupResponse", .api_key = 11, .versions = "0-9", .flexible = "6+"};
  static constexpr auto fields() {
    using S = JoinGroupResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "2+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("GenerationId", &S::generation_id, "0+"),
                      field("ProtocolType", &S::protocol_type, "7+", {.nullable = "7+"}),
                      field("ProtocolName", &S::protocol_name, "0+", {.nullable = "7+"}),
                      field("Leader", &S::leader, "0+"),
                      field("SkipAssignment", &S::skip_assignment, "9+"),
                      field("MemberId", &S::member_id, "0+"),
                      field("Members", &S::members, "0+"));
  }
};

template <>
struct Messages<11> {
  using Request = JoinGroupRequest;
  using Response = JoinGroupResponse;
};

}  // namespace headrace::wire::kafka
