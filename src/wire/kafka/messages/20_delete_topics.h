// DeleteTopics (20): deletes topics.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DeleteTopicsRequest {
  struct DeleteTopicState {
    std::optional<std::string> name;
    Uuid topic_id;

    static constexpr auto fields() {
      using S = DeleteTopicState;
      return std::tuple(field("Name", &S::name, "6+", {.nullable = "6+"}), field("TopicId", &S::topic_id, "6+"));
    }
  };

  std::vector<DeleteTopicState> topics;
  std::vector<std::string> topic_names;
  int32_t timeout_ms = 0;

  static constexpr Spec kSpec{.name = "DeleteTopicsRequest", .api_key = 20, .versions = "1-6", .flexible = "4+"};
  static constexpr auto fields() {
    using S = DeleteTopicsRequest;
    return std::tuple(field("Topics", &S::topics, "6+"),
                      field("TopicNames", &S::topic_names, "0-5"),
                      field("TimeoutMs", &S::timeout_ms, "0+"));
  }
};

struct DeleteTopicsResponse {
  struct DeletableTopicResult {
    std::optional<std::string> name = "";
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    static constexpr auto fields() {
      using S = DeletableTopicResult;
      return std::tuple(field("Name", &S::name, "0+", {.nullable = "6+"}),
                        field("TopicId", &S::topic_id, "6+"),
                        field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "5+", {.nullable = "5+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeletableTopicResult> responses;

  static constexpr Spec kSpec{.name = "DeleteTopicsResponse", .api_key = 20, .versions = "1-6", .flexible = "4+"};
  static constexpr auto fields() {
    using S = DeleteTopicsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"), field("Responses", &S::responses, "0+"));
  }
};

template <>
struct Messages<20> {
  using Request = DeleteTopicsRequest;
  using Response = DeleteTopicsResponse;
};

}  // namespace headrace::wire::kafka
