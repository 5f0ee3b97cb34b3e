// ElectLeaders (43): elects leaders of partitions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ElectLeadersRequest {
  struct TopicPartitions {
    std::string topic;
    std::vector<int32_t> partitions;

    static constexpr auto fields() {
      using S = TopicPartitions;
      return std::tuple(field("Topic", &S::topic, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int8_t election_type = 0;
  std::optional<std::vector<TopicPartitions>> topic_partitions = std::vector<TopicPartitions>();
  int32_t timeout_ms = 60000;

  static constexpr Spec kSpec{.name = "ElectLeadersRequest", .api_key = 43, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = ElectLeadersRequest;
    return std::tuple(field("ElectionType", &S::election_type, "1+"),
                      field("TopicPartitions", &S::topic_partitions, "0+", {.nullable = "0+"}),
                      field("TimeoutMs", &S::timeout_ms, "0+"));
  }
};

struct ElectLeadersResponse {
  struct ReplicaElectionResult {
    struct PartitionResult {
      int32_t partition_id = 0;
      int16_t error_code = 0;
      std::optional<std::string> error_message = "";

      static constexpr auto fields() {
        using S = PartitionResult;
        return std::tuple(field("PartitionId", &S::partition_id, "0+"),
                          field("ErrorCode", &S::error_code, "0+"),
                          field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}));
      }
    };

    std::string topic;
    std::vector<PartitionResult> partition_result;

    static constexpr auto fields() {
      using S = ReplicaElectionResult;
      return std::tuple(field("Topic", &S::topic, "0+"), field("PartitionResult", &S::partition_result, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ReplicaElectionResult> replica_election_results;

  static constexpr Spec kSpec{.name = "ElectLeadersResponse", .api_key = 43, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = ElectLeadersResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "1+"),
                      field("ReplicaElectionResults", &S::replica_election_results, "0+"));
  }
};

template <>
struct Messages<43> {
  using Request = ElectLeadersRequest;
  using Response = ElectLeadersResponse;
};

}  // namespace headrace::wire::kafka
