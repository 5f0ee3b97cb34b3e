// DescribeProducers (61): lists the producers that are known to partitions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeProducersRequest {
  struct TopicRequest {
    std::string name;
    std::vector<int32_t> partition_indexes;

    static constexpr auto fields() {
      using S = TopicRequest;
      return std::tuple(field("Name", &S::name, "0+"), field("PartitionIndexes", &S::partition_indexes, "0+"));
    }
  };

  std::vector<TopicRequest> topics;

  static constexpr Spec kSpec{.name = "DescribeProducersRequest", .api_key = 61, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeProducersRequest;
    return std::tuple(field("Topics", &S::topics, "0+"));
  }
};

struct DescribeProducersResponse {
  struct TopicResponse {
    struct PartitionResponse {
      struct ProducerState {
        int64_t producer_id = 0;
        int32_t producer_epoch = 0;
        int32_t last_sequence = -1;
        int64_t last_timestamp = -1;
        int32_t coordinator_epoch = 0;
        int64_t current_txn_start_offset = -1;

        static constexpr auto fields() {
          using S = ProducerState;
          return std::tuple(field("ProducerId", &S::producer_id, "0+"),
                            field("ProducerEpoch", &S::producer_epoch, "0+"),
                            field("LastSequence", &S::last_sequence, "0+"),
                            field("LastTimestamp", &S::last_timestamp, "0+"),
                            field("CoordinatorEpoch", &S::coordinator_epoch, "0+"),
                            field("CurrentTxnStartOffset", &S::current_txn_start_offset, "0+"));
        }
      };

      int32_t partition_index = 0;
      int16_t error_code = 0;
      std::optional<std::string> error_message;
      std::vector<ProducerState> active_producers;

      static constexpr auto fields() {
        using S = PartitionResponse;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("ErrorCode", &S::error_code, "0+"),
                          field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                          field("ActiveProducers", &S::active_producers, "0+"));
      }
    };

    std::string name;
    std::vector<PartitionResponse> partitions;

    static constexpr auto fields() {
      using S = TopicResponse;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TopicResponse> topics;

  static constexpr Spec kSpec{.name = "DescribeProducersResponse", .api_key = 61, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeProducersResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<61> {
  using Request = DescribeProducersRequest;
  using Response = DescribeProducersResponse;
};

}  // namespace headrace::wire::kafka
