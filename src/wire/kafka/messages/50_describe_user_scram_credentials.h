// DescribeUserScramCredentials (50): lists users with SCRAM credentials.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeUserScramCredentialsRequest {
  struct UserName {
    std::string name;

    static constexpr auto fields() {
      using S = UserName;
      return std::tuple(field("Name", &S::name, "0+"));
    }
  };

  std::optional<std::vector<UserName>> users = std::vector<UserName>();

  static constexpr Spec kSpec{
      .name = "DescribeUserScramCredentialsRequest", .api_key = 50, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeUserScramCredentialsRequest;
    return std::tuple(field("Users", &S::users, "0+", {.nullable = "0+"}));
  }
};

struct DescribeUserScramCredentialsResponse {
  struct DescribeUserScramCredentialsResult {
    struct CredentialInfo {
      int8_t mechanism = 0;
      int32_t iterations = 0;

      static constexpr auto fields() {
        using S = CredentialInfo;
        return std::tuple(field("Mechanism", &S::mechanism, "0+"), field("Iterations", &S::iterations, "0+"));
      }
    };

    std::string user;
    int16_t error_code = 0;
    std::optional<std::string> error_message = "";
    std::vector<CredentialInfo> credential_infos;

    static constexpr auto fields() {
      using S = DescribeUserScramCredentialsResult;
      return std::tuple(field("User", &S::user, "0+"),
                        field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                        field("CredentialInfos", &S::credential_infos, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  std::vector<DescribeUserScramCredentialsResult> results;

  static constexpr Spec kSpec{
      .name = "DescribeUserScramCredentialsResponse", .api_key = 50, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeUserScramCredentialsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<50> {
  using Request = DescribeUserScramCredentialsRequest;
  using Response = DescribeUserScramCredentialsResponse;
};

}  // namespace headrace::wire::kafka
