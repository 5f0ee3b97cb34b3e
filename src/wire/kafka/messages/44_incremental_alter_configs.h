// IncrementalAlterConfigs (44): changes single settings of resources.
#pragma once

#include "wire/kafka/common_structs.h"

namespace headrace::wire::kafka {

struct IncrementalAlterConfigsRequest {
  struct AlterConfigsResource {
    struct AlterableConfig {
      std::string name;
      int8_t config_operation = 0;
      std::optional<std::string> value = "";

      static constexpr auto fields() {
        using S = AlterableConfig;
        return std::tuple(field("Name", &S::name, "0+"),
                          field("ConfigOperation", &S::config_operation, "0+"),
                          field("Value", &S::value, "0+", {.nullable = "0+"}));
      }
    };

    int8_t resource_type = 0;
    std::string resource_name;
    std::vector<AlterableConfig> configs;

    static constexpr auto fields() {
      using S = AlterConfigsResource;
      return std::tuple(field("ResourceType", &S::resource_type, "0+"),
                        field("ResourceName", &S::resource_name, "0+"),
                        field("Configs", &S::configs, "0+"));
    }
  };

  std::vector<AlterConfigsResource> resources;
  bool validate_only = false;

  static constexpr Spec kSpec{
      .name = "IncrementalAlterConfigsRequest", .api_key = 44, .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() {
    using S = IncrementalAlterConfigsRequest;
    return std::tuple(field("Resources", &S::resources, "0+"), field("ValidateOnly", &S::validate_only, "0+"));
  }
};

struct IncrementalAlterConfigsResponse {
  int32_t throttle_time_ms = 0;
  std::vector<AlteredResource> responses;

  static constexpr Spec kSpec{
      .name = "IncrementalAlterConfigsResponse", .api_key = 44, .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() {
    using S = IncrementalAlterConfigsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Responses", &S::responses, "0+"));
  }
};

template <>
struct Messages<44> {
  using Request = IncrementalAlterConfigsRequest;
  using Response = IncrementalAlterConfigsResponse;
};

}  // namespace headrace::wire::kafka
