// FindCoordinator (10): tells which broker coordinates a group or transaction.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct FindCoordinatorRequest {
  std::string key;
  int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;

  static constexpr Spec kSpec{.name = "FindCoordinatorRequest", .api_key = 10, .versions = "0-6", .flexible = "3+"};
  static constexpr auto fields() {
    using S = FindCoordinatorRequest;
    return std::tuple(field("Key", &S::key, "0-3"),
                      field("KeyType", &S::key_type, "1+"),
                      field("CoordinatorKeys", &S::coordinator_keys, "4+"));
  }
};

struct FindCoordinatorResponse {
  struct Coordinator {
    std::string key;
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message = "";

    static constexpr auto fields() {
      using S = Coordinator;
      return std::tuple(field("Key", &S::key, "4+"),
                        field("NodeId", &S::node_id, "4+"),
                        field("Host", &S::host, "4+"),
                        field("Port", &S::port, "4+"),
                        field("ErrorCode", &S::error_code, "4+"),
                        field("ErrorMessage", &S::error_message, "4+", {.nullable = "4+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  int32_t node_id = 0;
  std::string host;
  int32_t port = 0;
  std::vector<Coordinator> coordinators;

  static constexpr Spec kSpec{.name = "FindCoordinatorResponse", .api_key = 10, .versions = "0-6", .flexible = "3+"};
  static constexpr auto fields() {
    using S = FindCoordinatorResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("ErrorCode", &S::error_code, "0-3"),
                      field("ErrorMessage", &S::error_message, "1-3", {.nullable = "1-3"}),
                      field("NodeId", &S::node_id, "0-3"),
                      field("Host", &S::host, "0-3"),
                      field("Port", &S::port, "0-3"),
                      field("Coordinators", &S::coordinators, "4+"));
  }
};

template <>
struct Messages<10> {
  using Request = FindCoordinatorRequest;
  using Response = FindCoordinatorResponse;
};

}  // namespace headrace::wire::kafka
