// ListConfigResources (74): lists resources that have settings.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ListConfigResourcesRequest {
  std::vector<int8_t> resource_types;

  static constexpr Spec kSpec{.name = "ListConfigResourcesRequest", .api_key = 74, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ListConfigResourcesRequest;
    return std::tuple(field("ResourceTypes", &S::resource_types, "1+"));
  }
};

struct ListConfigResourcesResponse {
  struct ConfigResource {
    std::string resource_name;
    int8_t resource_type = 16;

    static constexpr auto fields() {
      using S = ConfigResource;
      return std::tuple(field("ResourceName", &S::resource_name, "0+"), field("ResourceType", &S::resource_type, "1+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ConfigResource> config_resources;

  static constexpr Spec kSpec{
      .name = "ListConfigResourcesResponse", .api_key = 74, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ListConfigResourcesResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ConfigResources", &S::config_resources, "0+"));
  }
};

template <>
struct Messages<74> {
  using Request = ListConfigResourcesRequest;
  using Response = ListConfigResourcesResponse;
};

}  // namespace headrace::wire::kafka
