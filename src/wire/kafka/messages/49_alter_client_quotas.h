// AlterClientQuotas (49): sets and removes quotas of users and clients.
#pragma once

#include "wire/kafka/common_structs.h"

namespace headrace::wire::kafka {

struct AlterClientQuotasRequest {
  struct EntryData {
    struct OpData {
      std::string key;
      double value = 0;
      bool remove = false;

      static constexpr auto fields() {
        using S = OpData;
        return std::tuple(
            field("Key", &S::key, "0+"), field("Value", &S::value, "0+"), field("Remove", &S::remove, "0+"));
      }
    };

    std::vector<QuotaEntity> entity;
    std::vector<OpData> ops;

    static constexpr auto fields() {
      using S = EntryData;
      return std::tuple(field("Entity", &S::entity, "0+"), field("Ops", &S::ops, "0+"));
    }
  };

  std::vector<EntryData> entries;
  bool validate_only = false;

  static constexpr Spec kSpec{.name = "AlterClientQuotasRequest", .api_key = 49, .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() {
    using S = AlterClientQuotasRequest;
    return std::tuple(field("Entries", &S::entries, "0+"), field("ValidateOnly", &S::validate_only, "0+"));
  }
};

struct AlterClientQuotasResponse {
  struct EntryData {
    int16_t error_code = 0;
    std::optional<std::string> error_message = "";
    std::vector<QuotaEntity> entity;

    static constexpr auto fields() {
      using S = EntryData;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                        field("Entity", &S::entity, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<EntryData> entries;

  static constexpr Spec kSpec{.name = "AlterClientQuotasResponse", .api_key = 49, .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() {
    using S = AlterClientQuotasResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Entries", &S::entries, "0+"));
  }
};

template <>
struct Messages<49> {
  using Request = AlterClientQuotasRequest;
  using Response = AlterClientQuotasResponse;
};

}  // namespace headrace::wire::kafka
