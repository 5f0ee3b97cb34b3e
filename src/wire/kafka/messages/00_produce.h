// Produce (0): appends record batches to partitions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ProduceRequest {
  struct TopicProduceData {
    struct PartitionProduceData {
      int32_t index = 0;
      Records records;

      static constexpr auto fields() {
        using S = PartitionProduceData;
        return std::tuple(field("Index", &S::index, "0+"), field("Records", &S::records, "0+", {.nullable = "0+"}));
      }
    };

    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceData> partition_data;

    static constexpr auto fields() {
      using S = TopicProduceData;
      return std::tuple(field("Name", &S::name, "0-12"),
                        field("TopicId", &S::topic_id, "13+"),
                        field("PartitionData", &S::partition_data, "0+"));
    }
  };

  std::optional<std::string> transactional_id;
  int16_t acks = 0;
  int32_t timeout_ms = 0;
  std::vector<TopicProduceData> topic_data;

  static constexpr Spec kSpec{.name = "ProduceRequest", .api_key = 0, .versions = "3-13", .flexible = "9+"};
  static constexpr auto fields() {
    using S = ProduceRequest;
    return std::tuple(field("TransactionalId", &S::transactional_id, "3+", {.nullable = "3+"}),
                      field("Acks", &S::acks, "0+"),
                      field("TimeoutMs", &S::timeout_ms, "0+"),
                      field("TopicData", &S::topic_data, "0+"));
  }
};

struct ProduceResponse {
  struct TopicProduceResponse {
    struct PartitionProduceResponse {
      struct BatchIndexAndErrorMessage {
        int32_t batch_index = 0;
        std::optional<std::string> batch_index_error_message;

        static constexpr auto fields() {
          using S = BatchIndexAndErrorMessage;
          return std::tuple(field("BatchIndex", &S::batch_index, "8+"),
                            field("BatchIndexErrorMessage", &S::batch_index_error_message, "8+", {.nullable = "8+"}));
        }
      };

      struct LeaderIdAndEpoch {
        int32_t leader_id = -1;
        int32_t leader_epoch = -1;

        static constexpr auto fields() {
          using S = LeaderIdAndEpoch;
          return std::tuple(field("LeaderId", &S::leader_id, "10+"), field("LeaderEpoch", &S::leader_epoch, "10+"));
        }
      };

      int32_t index = 0;
      int16_t error_code = 0;
      int64_t base_offset = 0;
      int64_t log_append_time_ms = -1;
      int64_t log_start_offset = -1;
      std::vector<BatchIndexAndErrorMessage> record_errors;
      std::optional<std::string> error_message;
      LeaderIdAndEpoch current_leader;

      static constexpr auto fields() {
        using S = PartitionProduceResponse;
        return std::tuple(field("Index", &S::index, "0+"),
                          field("ErrorCode", &S::error_code, "0+"),
                          field("BaseOffset", &S::base_offset, "0+"),
                          field("LogAppendTimeMs", &S::log_append_time_ms, "2+"),
                          field("LogStartOffset", &S::log_start_offset, "5+"),
                          field("RecordErrors", &S::record_errors, "8+"),
                          field("ErrorMessage", &S::error_message, "8+", {.nullable = "8+"}),
                          field("CurrentLeader", &S::current_leader, "10+", {.tagged = "10+", .tag = 0}));
      }
    };

    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceResponse> partition_responses;

    static constexpr auto fields() {
      using S = TopicProduceResponse;
      return std::tuple(field("Name", &S::name, "0-12"),
                        field("TopicId", &S::topic_id, "13+"),
                        field("PartitionResponses", &S::partition_responses, "0+"));
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    static constexpr auto fields() {
      using S = NodeEndpoint;
      return std::tuple(field("NodeId", &S::node_id, "10+"),
                        field("Host", &S::host, "10+"),
                        field("Port", &S::port, "10+"),
                        field("Rack", &S::rack, "10+", {.nullable = "10+"}));
    }
  };

  std::vector<TopicProduceResponse> responses;
  int32_t throttle_time_ms = 0;
  std::vector<NodeEndpoint> node_endpoints;

  static constexpr Spec kSpec{.name = "ProduceResponse", .api_key = 0, .versions = "3-13", .flexible = "9+"};
  static constexpr auto fields() {
    using S = ProduceResponse;
    return std::tuple(field("Responses", &S::responses, "0+"),
                      field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("NodeEndpoints", &S::node_endpoints, "10+", {.tagged = "10+", .tag = 0}));
  }
};

template <>
struct Messages<0> {
  using Request = ProduceRequest;
  using Response = ProduceResponse;
};

}  // namespace headrace::wire::kafka
