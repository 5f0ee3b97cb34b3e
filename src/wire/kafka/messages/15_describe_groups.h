// DescribeGroups (15): tells state and members of groups.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeGroupsRequest {
  std::vector<std::string> groups;
  bool include_authorized_operations = false;

  static constexpr Spec kSpec{.name = "DescribeGroupsRequest", .api_key = 15, .versions = "0-6", .flexible = "5+"};
  static constexpr auto fields() {
    using S = DescribeGroupsRequest;
    return std::tuple(field("Groups", &S::groups, "0+"),
                      field("IncludeAuthorizedOperations", &S::include_authorized_operations, "3+"));
  }
};

struct DescribeGroupsResponse {
  struct DescribedGroup {
    struct DescribedGroupMember {
      std::string member_id;
      std::optional<std::string> group_instance_id;
      std::string client_id;
      std::string client_host;
      Bytes member_metadata;
      Bytes member_assignment;

      static constexpr auto fields() {
        using S = DescribedGroupMember;
        return std::tuple(field("MemberId", &S::member_id, "0+"),
                          field("GroupInstanceId", &S::group_instance_id, "4+", {.nullable = "4+"}),
                          field("ClientId", &S::client_id, "0+"),
                          field("ClientHost", &S::client_host, "0+"),
                          field("MemberMetadata", &S::member_metadata, "0+"),
                          field("MemberAssignment", &S::member_assignment, "0+"));
      }
    };

    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<DescribedGroupMember> members;
    int32_t authorized_operations = INT32_MIN;

    static constexpr auto fields() {
      using S = DescribedGroup;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "6+", {.nullable = "6+"}),
                        field("GroupId", &S::group_id, "0+"),
                        field("GroupState", &S::group_state, "0+"),
                        field("ProtocolType", &S::protocol_type, "0+"),
                        field("ProtocolData", &S::protocol_data, "0+"),
                        field("Members", &S::members, "0+"),
                        field("AuthorizedOperations", &S::authorized_operations, "3+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;

  static constexpr Spec kSpec{.name = "DescribeGroupsResponse", .api_key = 15, .versions = "0-6", .flexible = "5+"};
  static constexpr auto fields() {
    using S = DescribeGroupsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"), field("Groups", &S::groups, "0+"));
  }
};

template <>
struct Messages<15> {
  using Request = DescribeGroupsRequest;
  using Response = DescribeGroupsResponse;
};

}  // namespace headrace::wire::kafka
