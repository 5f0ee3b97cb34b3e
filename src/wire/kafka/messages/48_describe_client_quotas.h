// DescribeClientQuotas (48): lists quotas of users and clients.
#pragma once

#include "wire/kafka/common_structs.h"

namespace headrace::wire::kafka {

struct DescribeClientQuotasRequest {
  struct ComponentData {
    std::string entity_type;
    int8_t match_type = 0;
    std::optional<std::string> match = "";

    static constexpr auto fields() {
      using S = ComponentData;
      return std::tuple(field("EntityType", &S::entity_type, "0+"),
                        field("MatchType", &S::match_type, "0+"),
                        field("Match", &S::match, "0+", {.nullable = "0+"}));
    }
  };

  std::vector<ComponentData> components;
  bool strict = false;

  static constexpr Spec kSpec{
      .name = "DescribeClientQuotasRequest", .api_key = 48, .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() {
    using S = DescribeClientQuotasRequest;
    return std::tuple(field("Components", &S::components, "0+"), field("Strict", &S::strict, "0+"));
  }
};

struct DescribeClientQuotasResponse {
  struct EntryData {
    struct ValueData {
      std::string key;
      double value = 0;

      static constexpr auto fields() {
        using S = ValueData;
        return std::tuple(field("Key", &S::key, "0+"), field("Value", &S::value, "0+"));
      }
    };

    std::vector<QuotaEntity> entity;
    std::vector<ValueData> values;

    static constexpr auto fields() {
      using S = EntryData;
      return std::tuple(field("Entity", &S::entity, "0+"), field("Values", &S::values, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  std::optional<std::vector<EntryData>> entries = std::vector<EntryData>();

  static constexpr Spec kSpec{
      .name = "DescribeClientQuotasResponse", .api_key = 48, .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() {
    using S = DescribeClientQuotasResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("Entries", &S::entries, "0+", {.nullable = "0+"}));
  }
};

template <>
struct Messages<48> {
  using Request = DescribeClientQuotasRequest;
  using Response = DescribeClientQuotasResponse;
};

}  // namespace headrace::wire::kafka
