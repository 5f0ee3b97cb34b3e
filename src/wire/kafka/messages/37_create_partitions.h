// CreatePartitions (37): adds partitions to topics.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct CreatePartitionsRequest {
  struct Topic {
    struct Assignment {
      std::vector<int32_t> broker_ids;

      static constexpr auto fields() {
        using S = Assignment;
        return std::tuple(field("BrokerIds", &S::broker_ids, "0+"));
      }
    };

    std::string name;
    int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments = std::vector<Assignment>();

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"),
                        field("Count", &S::count, "0+"),
                        field("Assignments", &S::assignments, "0+", {.nullable = "0+"}));
    }
  };

  std::vector<Topic> topics;
  int32_t timeout_ms = 0;
  bool validate_only = false;

  static constexpr Spec kSpec{.name = "CreatePartitionsRequest", .api_key = 37, .versions = "0-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = CreatePartitionsRequest;
    return std::tuple(field("Topics", &S::topics, "0+"),
                      field("TimeoutMs", &S::timeout_ms, "0+"),
                      field("ValidateOnly", &S::validate_only, "0+"));
  }
};

struct CreatePartitionsResponse {
  struct TopicResult {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    static constexpr auto fields() {
      using S = TopicResult;
      return std::tuple(field("Name", &S::name, "0+"),
                        field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TopicResult> results;

  static constexpr Spec kSpec{.name = "CreatePartitionsResponse", .api_key = 37, .versions = "0-3", .flexible = "2+"};
  static constexpr auto fields() {
    using S = CreatePartitionsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<37> {
  using Request = CreatePartitionsRequest;
  using Response = CreatePartitionsResponse;
};

}  // namespace headrace::wire::kafka
