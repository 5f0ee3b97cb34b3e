// CreateAcls (30): adds access control entries.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct CreateAclsRequest {
  struct AclCreation {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t resource_pattern_type = 3;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    static constexpr auto fields() {
      using S = AclCreation;
      return std::tuple(field("ResourceType", &S::resource_type, "0+"),
                        field("ResourceName", &S::resource_name, "0+"),
                        field("ResourcePatternType", &S::resource_pattern_type, "1+"),
                        field("Principal", &S::principal, "0+"),
                        field("Host", &S::host, "0+"),
                        field("Operation", &S::operation, "0+"),
                        field("PermissionType", &S::permission_type, "0+"));
    }
  };

  std::vector<AclCreation> creations;

  static constexpr Spec kSpec{.name = "CreateAclsRequest", .api_key = 30, .versions = "1-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = CreateAclsRequest;
    return std::tuple(field("Creations", &S::creations, "0+"));
  }
};

struct CreateAclsResponse {
  struct AclCreationResult {
    int16_t error_code = 0;
    std::optional<std::string> error_message = "";

    static constexpr auto fields() {
      using S = AclCreationResult;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AclCreationResult> results;

  static constexpr Spec kSpec{.name = "CreateAclsResponse", .api_key = 30, .versions = "1-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = CreateAclsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<30> {
  using Request = CreateAclsRequest;
  using Response = CreateAclsResponse;
};

}  // namespace headrace::wire::kafka
