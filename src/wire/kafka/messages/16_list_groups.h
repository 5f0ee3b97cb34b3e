// ListGroups (16): lists the groups of a broker.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ListGroupsRequest {
  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;

  static constexpr Spec kSpec{.name = "ListGroupsRequest", .api_key = 16, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = ListGroupsRequest;
    return std::tuple(field("StatesFilter", &S::states_filter, "4+"), field("TypesFilter", &S::types_filter, "5+"));
  }
};

struct ListGroupsResponse {
  struct ListedGroup {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    static constexpr auto fields() {
      using S = ListedGroup;
      return std::tuple(field("GroupId", &S::group_id, "0+"),
                        field("ProtocolType", &S::protocol_type, "0+"),
                        field("GroupState", &S::group_state, "4+"),
                        field("GroupType", &S::group_type, "5+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ListedGroup> groups;

  static constexpr Spec kSpec{.name = "ListGroupsResponse", .api_key = 16, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = ListGroupsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("Groups", &S::groups, "0+"));
  }
};

template <>
struct Messages<16> {
  using Request = ListGroupsRequest;
  using Response = ListGroupsResponse;
};

}  // namespace headrace::wire::kafka
