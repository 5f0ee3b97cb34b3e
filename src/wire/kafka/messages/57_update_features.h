// UpdateFeatures (57): changes the finalized levels of features.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct UpdateFeaturesRequest {
  struct FeatureUpdateKey {
    std::string feature;
    int16_t max_version_level = 0;
    bool allow_downgrade = false;
    int8_t upgrade_type = 1;

    static constexpr auto fields() {
      using S = FeatureUpdateKey;
      return std::tuple(field("Feature", &S::feature, "0+"),
                        field("MaxVersionLevel", &S::max_version_level, "0+"),
                        field("AllowDowngrade", &S::allow_downgrade, "0"),
                        field("UpgradeType", &S::upgrade_type, "1+"));
    }
  };

  int32_t timeout_ms = 60000;
  std::vector<FeatureUpdateKey> feature_updates;
  bool validate_only = false;

  static constexpr Spec kSpec{.name = "UpdateFeaturesRequest", .api_key = 57, .versions = "0-2", .flexible = "0+"};
  static constexpr auto fields() {
    using S = UpdateFeaturesRequest;
    return std::tuple(field("timeoutMs", &S::timeout_ms, "0+"),
                      field("FeatureUpdates", &S::feature_updates, "0+"),
                      field("ValidateOnly", &S::validate_only, "1+"));
  }
};

struct UpdateFeaturesResponse {
  struct UpdatableFeatureResult {
    std::string feature;
    int16_t error_code = 0;
    std::optional<std::string> error_message = "";

    static constexpr auto fields() {
      using S = UpdatableFeatureResult;
      return std::tuple(field("Feature", &S::feature, "0+"),
                        field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  std::vector<UpdatableFeatureResult> results;

  static constexpr Spec kSpec{.name = "UpdateFeaturesResponse", .api_key = 57, .versions = "0-2", .flexible = "0+"};
  static constexpr auto fields() {
    using S = UpdateFeaturesResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("Results", &S::results, "0-1"));
  }
};

template <>
struct Messages<57> {
  using Request = UpdateFeaturesRequest;
  using Response = UpdateFeaturesResponse;
};

}  // namespace headrace::wire::kafka
