// AlterConfigs (33): replaces all settings of resources.
#pragma once

#include "wire/kafka/common_structs.h"

namespace headrace::wire::kafka {

struct AlterConfigsRequest {
  struct AlterConfigsResource {
    struct AlterableConfig {
      std::string name;
      std::optional<std::string> value = "";

      static constexpr auto fields() {
        using S = AlterableConfig;
        return std::tuple(field("Name", &S::name, "0+"), field("Value", &S::value, "0+", {.nullable = "0+"}));
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

  static constexpr Spec kSpec{.name = "AlterConfigsRequest", .api_key = 33, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = AlterConfigsRequest;
    return std::tuple(field("Resources", &S::resources, "0+"), field("ValidateOnly", &S::validate_only, "0+"));
  }
};

struct AlterConfigsResponse {
  int32_t throttle_time_ms = 0;
  std::vector<AlteredResource> responses;

  static constexpr Spec kSpec{.name = "AlterConfigsResponse", .api_key = 33, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = AlterConfigsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Responses", &S::responses, "0+"));
  }
};

template <>
struct Messages<33> {
  using Request = AlterConfigsRequest;
  using Response = AlterConfigsResponse;
};

}  // namespace headrace::wire::kafka
