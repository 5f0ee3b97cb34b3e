// ConsumerGroupHeartbeat (68): the life of a member of a consumer group (KIP-848).
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ConsumerGroupHeartbeatRequest {
  struct TopicPartitions {
    Uuid topic_id;
    std::vector<int32_t> partitions;

    static constexpr auto fields() {
      using S = TopicPartitions;
      return std::tuple(field("TopicId", &S::topic_id, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  std::string group_id;
  std::string member_id;
  int32_t member_epoch = 0;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> subscribed_topic_names;
  std::optional<std::string> subscribed_topic_regex;
  std::optional<std::string> server_assignor;
  std::optional<std::vector<TopicPartitions>> topic_partitions;

  static constexpr Spec kSpec{
      .name = "ConsumerGroupHeartbeatRequest", .api_key = 68, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ConsumerGroupHeartbeatRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"),
                      field("MemberId", &S::member_id, "0+"),
                      field("MemberEpoch", &S::member_epoch, "0+"),
                      field("InstanceId", &S::instance_id, "0+", {.nullable = "0+"}),
                      field("RackId", &S::rack_id, "0+", {.nullable = "0+"}),
                      field("RebalanceTimeoutMs", &S::rebalance_timeout_ms, "0+"),
                      field("SubscribedTopicNames", &S::subscribed_topic_names, "0+", {.nullable = "0+"}),
                      field("SubscribedTopicRegex", &S::subscribed_topic_regex, "1+", {.nullable = "1+"}),
                      field("ServerAssignor", &S::server_assignor, "0+", {.nullable = "0+"}),
                      field("TopicPartitions", &S::topic_partitions, "0+", {.nullable = "0+"}));
  }
};

struct ConsumerGroupHeartbeatResponse {
  struct Assignment {
    using TopicPartitions = ConsumerGroupHeartbeatRequest::TopicPartitions;

    std::vector<TopicPartitions> topic_partitions;

    static constexpr auto fields() {
      using S = Assignment;
      return std::tuple(field("TopicPartitions", &S::topic_partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::optional<std::string> member_id;
  int32_t member_epoch = 0;
  int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;

  static constexpr Spec kSpec{
      .name = "ConsumerGroupHeartbeatResponse", .api_key = 68, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ConsumerGroupHeartbeatResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("MemberId", &S::member_id, "0+", {.nullable = "0+"}),
                      field("MemberEpoch", &S::member_epoch, "0+"),
                      field("HeartbeatIntervalMs", &S::heartbeat_interval_ms, "0+"),
                      field("Assignment", &S::assignment, "0+", {.nullable = "0+"}));
  }
};

template <>
struct Messages<68> {
  using Request = ConsumerGroupHeartbeatRequest;
  using Response = ConsumerGroupHeartbeatResponse;
};

}  // namespace headrace::wire::kafka
