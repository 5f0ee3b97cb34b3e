// ConsumerGroupDescribe (69): tells state and members of consumer groups (KIP-848).
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ConsumerGroupDescribeRequest {
  std::vector<std::string> group_ids;
  bool include_authorized_operations = false;

  static constexpr Spec kSpec{
      .name = "ConsumerGroupDescribeRequest", .api_key = 69, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ConsumerGroupDescribeRequest;
    return std::tuple(field("GroupIds", &S::group_ids, "0+"),
                      field("IncludeAuthorizedOperations", &S::include_authorized_operations, "0+"));
  }
};

struct ConsumerGroupDescribeResponse {
  struct DescribedGroup {
    struct Assignment {
      struct TopicPartitions {
        Uuid topic_id;
        std::string topic_name;
        std::vector<int32_t> partitions;

        static constexpr auto fields() {
          using S = TopicPartitions;
          return std::tuple(field("TopicId", &S::topic_id, "0+"),
                            field("TopicName", &S::topic_name, "0+"),
                            field("Partitions", &S::partitions, "0+"));
        }
      };

      std::vector<TopicPartitions> topic_partitions;

      static constexpr auto fields() {
        using S = Assignment;
        return std::tuple(field("TopicPartitions", &S::topic_partitions, "0+"));
      }
    };

    struct Member {
      std::string member_id;
      std::optional<std::string> instance_id;
      std::optional<std::string> rack_id;
      int32_t member_epoch = 0;
      std::string client_id;
      std::string client_host;
      std::vector<std::string> subscribed_topic_names;
      std::optional<std::string> subscribed_topic_regex;
      Assignment assignment;
      Assignment target_assignment;
      int8_t member_type = -1;

      static constexpr auto fields() {
        using S = Member;
        return std::tuple(field("MemberId", &S::member_id, "0+"),
                          field("InstanceId", &S::instance_id, "0+", {.nullable = "0+"}),
                          field("RackId", &S::rack_id, "0+", {.nullable = "0+"}),
                          field("MemberEpoch", &S::member_epoch, "0+"),
                          field("ClientId", &S::client_id, "0+"),
                          field("ClientHost", &S::client_host, "0+"),
                          field("SubscribedTopicNames", &S::subscribed_topic_names, "0+"),
                          field("SubscribedTopicRegex", &S::subscribed_topic_regex, "0+", {.nullable = "0+"}),
                          field("Assignment", &S::assignment, "0+"),
                          field("TargetAssignment", &S::target_assignment, "0+"),
                          field("MemberType", &S::member_type, "1+"));
      }
    };

    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    int32_t group_epoch = 0;
    int32_t assignment_epoch = 0;
    std::string assignor_name;
    std::vector<Member> members;
    int32_t authorized_operations = INT32_MIN;

    static constexpr auto fields() {
      using S = DescribedGroup;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                        field("GroupId", &S::group_id, "0+"),
                        field("GroupState", &S::group_state, "0+"),
                        field("GroupEpoch", &S::group_epoch, "0+"),
                        field("AssignmentEpoch", &S::assignment_epoch, "0+"),
                        field("AssignorName", &S::assignor_name, "0+"),
                        field("Members", &S::members, "0+"),
                        field("AuthorizedOperations", &S::authorized_operations, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;

  static constexpr Spec kSpec{
      .name = "ConsumerGroupDescribeResponse", .api_key = 69, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ConsumerGroupDescribeResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Groups", &S::groups, "0+"));
  }
};

template <>
struct Messages<69> {
  using Request = ConsumerGroupDescribeRequest;
  using Response = ConsumerGroupDescribeResponse;
};

}  // namespace headrace::wire::kafka
