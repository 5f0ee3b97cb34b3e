// DescribeAcls (29): lists access control entries.
#pragma once

#include "wire/kafka/common_structs.h"

namespace headrace::wire::kafka {

struct DescribeAclsRequest : AclFilter {
  static constexpr Spec kSpec{.name = "DescribeAclsRequest", .api_key = 29, .versions = "1-3", .flexible = "2+"};
};

struct DescribeAclsResponse {
  struct DescribeAclsResource {
    struct AclDescription {
      std::string principal;
      std::string host;
      int8_t operation = 0;
      int8_t permission_type = 0;

      static constexpr auto fields() {
        using S = AclDescription;
        return std::tuple(field("Principal", &S::principal, "0+"),
                          field("Host", &S::host, "0+"),
                          field("Operation", &S::operation, "0+"),
                          field("PermissionType", &S::permission_type, "0+"));
      }
    };

    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 3;
    std::vector<AclDescription> acls;

    static constexpr auto fields() {
      using S = DescribeAclsResource;
      return std::tuple(field("ResourceType", &S::resource_type, "0+"),
                        field("ResourceName", &S::resource_name, "0+"),
                        field("PatternType", &S::pattern_type, "1+"),
                        field("Acls", &S::acls, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  std::vector<DescribeAclsResource> resources;

  static constexpr Spec kSpec{.name = "DescribeAclsResponse", .api_key = 29, .versions = "1-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DescribeAclsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("Resources", &S::resources, "0+"));
  }
};

template <>
struct Messages<29> {
  using Request = DescribeAclsRequest;
  using Response = DescribeAclsResponse;
};

}  // namespace headrace::wire::kafka
