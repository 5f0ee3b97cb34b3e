// ListPartitionReassignments (46): lists partitions that are being given other replicas.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ListPartitionReassignmentsRequest {
  struct ListPartitionReassignmentsTopics {
    std::string name;
    std::vector<int32_t> partition_indexes;

    static constexpr auto fields() {
      using S = ListPartitionReassignmentsTopics;
      return std::tuple(field("Name", &S::name, "0+"), field("PartitionIndexes", &S::partition_indexes, "0+"));
    }
  };

  int32_t timeout_ms = 60000;
  std::optional<std::vector<ListPartitionReassignmentsTopics>> topics;

  static constexpr Spec kSpec{
      .name = "ListPartitionReassignmentsRequest", .api_key = 46, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ListPartitionReassignmentsRequest;
    return std::tuple(field("TimeoutMs", &S::timeout_ms, "0+"), field("Topics", &S::topics, "0+", {.nullable = "0+"}));
  }
};

struct ListPartitionReassignmentsResponse {
  struct OngoingTopicReassignment {
    struct OngoingPartitionReassignment {
      int32_t partition_index = 0;
      std::vector<int32_t> replicas;
      std::vector<int32_t> adding_replicas;
      std::vector<int32_t> removing_replicas;

      static constexpr auto fields() {
        using S = OngoingPartitionReassignment;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("Replicas", &S::replicas, "0+"),
                          field("AddingReplicas", &S::adding_replicas, "0+"),
                          field("RemovingReplicas", &S::removing_replicas, "0+"));
      }
    };

    std::string name;
    std::vector<OngoingPartitionReassignment> partitions;

    static constexpr auto fields() {
      using S = OngoingTopicReassignment;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  std::vector<OngoingTopicReassignment> topics;

  static constexpr Spec kSpec{
      .name = "ListPartitionReassignmentsResponse", .api_key = 46, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ListPartitionReassignmentsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<46> {
  using Request = ListPartitionReassignmentsRequest;
  using Response = ListPartitionReassignmentsResponse;
};

}  // namespace headrace::wire::kafka
