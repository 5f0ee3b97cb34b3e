// DeleteGroups (42): deletes empty groups.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DeleteGroupsRequest {
  std::vector<std::string> groups_names;

  static constexpr Spec kSpec{.name = "DeleteGroupsRequest", .api_key = 42, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DeleteGroupsRequest;
    return std::tuple(field("GroupsNames", &S::groups_names, "0+"));
  }
};

struct DeleteGroupsResponse {
  struct DeletableGroupResult {
    std::string group_id;
    int16_t error_code = 0;

    static constexpr auto fields() {
      using S = DeletableGroupResult;
      return std::tuple(field("GroupId", &S::group_id, "0+"), field("ErrorCode", &S::error_code, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeletableGroupResult> results;

  static constexpr Spec kSpec{.name = "DeleteGroupsResponse", .api_key = 42, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DeleteGroupsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<42> {
  using Request = DeleteGroupsRequest;
  using Response = DeleteGroupsResponse;
};

}  // namespace headrace::wire::kafka
