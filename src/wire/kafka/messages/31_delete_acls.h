// DeleteAcls (31): removes access control entries.
#pragma once

#include "wire/kafka/common_structs.h"

namespace headrace::wire::kafka {

struct DeleteAclsRequest {
  std::vector<AclFilter> filters;

  static constexpr Spec kSpec{.name = "DeleteAclsRequest", .api_key = 31, .versions = "1-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DeleteAclsRequest;
    return std::tuple(field("Filters", &S::filters, "0+"));
  }
};

struct DeleteAclsResponse {
  struct DeleteAclsFilterResult {
    struct DeleteAclsMatchingAcl {
      int16_t error_code = 0;
      std::optional<std::string> error_message = "";
      int8_t resource_type = 0;
      std::string resource_name;
      int8_t pattern_type = 3;
      std::string principal;
      std::string host;
      int8_t operation = 0;
      int8_t permission_type = 0;

      static constexpr auto fields() {
        using S = DeleteAclsMatchingAcl;
        return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                          field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                          field("ResourceType", &S::resource_type, "0+"),
                          field("ResourceName", &S::resource_name, "0+"),
                          field("PatternType", &S::pattern_type, "1+"),
                          field("Principal", &S::principal, "0+"),
                          field("Host", &S::host, "0+"),
                          field("Operation", &S::operation, "0+"),
                          field("PermissionType", &S::permission_type, "0+"));
      }
    };

    int16_t error_code = 0;
    std::optional<std::string> error_message = "";
    std::vector<DeleteAclsMatchingAcl> matching_acls;

    static constexpr auto fields() {
      using S = DeleteAclsFilterResult;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                        field("MatchingAcls", &S::matching_acls, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeleteAclsFilterResult> filter_results;

  static constexpr Spec kSpec{.name = "DeleteAclsResponse", .api_key = 31, .versions = "1-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DeleteAclsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("FilterResults", &S::filter_results, "0+"));
  }
};

template <>
struct Messages<31> {
  using Request = DeleteAclsRequest;
  using Response = DeleteAclsResponse;
};

}  // namespace headrace::wire::kafka
