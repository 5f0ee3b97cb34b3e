// Structs that several messages have in common: Kafka means the same by them, and they have the same fields in the same
// versions. What is only alike today stays with its message.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

/// Which access control entries are meant; null is any name (DescribeAcls, DeleteAcls).
struct AclFilter {
  int8_t resource_type_filter = 0;
  std::optional<std::string> resource_name_filter = "";
  int8_t pattern_type_filter = 3;
  std::optional<std::string> principal_filter = "";
  std::optional<std::string> host_filter = "";
  int8_t operation = 0;
  int8_t permission_type = 0;

  static constexpr auto fields() {
    using S = AclFilter;
    return std::tuple(field("ResourceTypeFilter", &S::resource_type_filter, "0+"),
                      field("ResourceNameFilter", &S::resource_name_filter, "0+", {.nullable = "0+"}),
                      field("PatternTypeFilter", &S::pattern_type_filter, "1+"),
                      field("PrincipalFilter", &S::principal_filter, "0+", {.nullable = "0+"}),
                      field("HostFilter", &S::host_filter, "0+", {.nullable = "0+"}),
                      field("Operation", &S::operation, "0+"), field("PermissionType", &S::permission_type, "0+"));
  }
};

/// What became of a resource whose settings were changed (AlterConfigs, IncrementalAlterConfigs).
struct AlteredResource {
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  int8_t resource_type = 0;
  std::string resource_name;

  static constexpr auto fields() {
    using S = AlteredResource;
    return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("ResourceType", &S::resource_type, "0+"), field("ResourceName", &S::resource_name, "0+"));
  }
};

/// One part of whom a quota is for: a user, a client id, an address; null is the default of its type
/// (DescribeClientQuotas, AlterClientQuotas).
struct QuotaEntity {
  std::string entity_type;
  std::optional<std::string> entity_name = "";

  static constexpr auto fields() {
    using S = QuotaEntity;
    return std::tuple(field("EntityType", &S::entity_type, "0+"),
                      field("EntityName", &S::entity_name, "0+", {.nullable = "0+"}));
  }
};

}  // namespace headrace::wire::kafka
