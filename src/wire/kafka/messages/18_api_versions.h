// ApiVersions (18): tells which APIs and versions a broker speaks.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ApiVersionsRequest {
  std::string client_software_name;
  std::string client_software_version;

  static constexpr Spec kSpec{.name = "ApiVersionsRequest", .api_key = 18, .versions = "0-4", .flexible = "3+"};
  static constexpr auto fields() {
    using S = ApiVersionsRequest;
    return std::tuple(field("ClientSoftwareName", &S::client_software_name, "3+"),
                      field("ClientSoftwareVersion", &S::client_software_version, "3+"));
  }
};

struct ApiVersionsResponse {
  struct ApiVersion {
    int16_t api_key = 0;
    int16_t min_version = 0;
    int16_t max_version = 0;

    static constexpr auto fields() {
      using S = ApiVersion;
      return std::tuple(field("ApiKey", &S::api_key, "0+"),
                        field("MinVersion", &S::min_version, "0+"),
                        field("MaxVersion", &S::max_version, "0+"));
    }
  };

  struct SupportedFeatureKey {
    std::string name;
    int16_t min_version = 0;
    int16_t max_version = 0;

    static constexpr auto fields() {
      using S = SupportedFeatureKey;
      return std::tuple(field("Name", &S::name, "3+"),
                        field("MinVersion", &S::min_version, "3+"),
                        field("MaxVersion", &S::max_version, "3+"));
    }
  };

  struct FinalizedFeatureKey {
    std::string name;
    int16_t max_version_level = 0;
    int16_t min_version_level = 0;

    static constexpr auto fields() {
      using S = FinalizedFeatureKey;
      return std::tuple(field("Name", &S::name, "3+"),
                        field("MaxVersionLevel", &S::max_version_level, "3+"),
                        field("MinVersionLevel", &S::min_version_level, "3+"));
    }
  };

  int16_t error_code = 0;
  std::vector<ApiVersion> api_keys;
  int32_t throttle_time_ms = 0;
  std::vector<SupportedFeatureKey> supported_features;
  int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeatureKey> finalized_features;
  bool zk_migration_ready = false;

  static constexpr Spec kSpec{.name = "ApiVersionsResponse", .api_key = 18, .versions = "0-4", .flexible = "3+"};
  static constexpr auto fields() {
    using S = ApiVersionsResponse;
    return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                      field("ApiKeys", &S::api_keys, "0+"),
                      field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("SupportedFeatures", &S::supported_features, "3+", {.tagged = "3+", .tag = 0}),
                      field("FinalizedFeaturesEpoch", &S::finalized_features_epoch, "3+", {.tagged = "3+", .tag = 1}),
                      field("FinalizedFeatures", &S::finalized_features, "3+", {.tagged = "3+", .tag = 2}),
                      field("ZkMigrationReady", &S::zk_migration_ready, "3+", {.tagged = "3+", .tag = 3}));
  }
};

template <>
struct Messages<18> {
  using Request = ApiVersionsRequest;
  using Response = ApiVersionsResponse;
};

}  // namespace headrace::wire::kafka
