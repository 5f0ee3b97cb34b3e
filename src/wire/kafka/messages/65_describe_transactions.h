// DescribeTransactions (65): tells the state of transactions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeTransactionsRequest {
  std::vector<std::string> transactional_ids;

  static constexpr Spec kSpec{.name = "DescribeTransactionsRequest", .api_key = 65, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeTransactionsRequest;
    return std::tuple(field("TransactionalIds", &S::transactional_ids, "0+"));
  }
};

struct DescribeTransactionsResponse {
  struct TransactionState {
    struct TopicData {
      std::string topic;
      std::vector<int32_t> partitions;

      static constexpr auto fields() {
        using S = TopicData;
        return std::tuple(field("Topic", &S::topic, "0+"), field("Partitions", &S::partitions, "0+"));
      }
    };

    int16_t error_code = 0;
    std::string transactional_id;
    std::string transaction_state;
    int32_t transaction_timeout_ms = 0;
    int64_t transaction_start_time_ms = 0;
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    std::vector<TopicData> topics;

    static constexpr auto fields() {
      using S = TransactionState;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("TransactionalId", &S::transactional_id, "0+"),
                        field("TransactionState", &S::transaction_state, "0+"),
                        field("TransactionTimeoutMs", &S::transaction_timeout_ms, "0+"),
                        field("TransactionStartTimeMs", &S::transaction_start_time_ms, "0+"),
                        field("ProducerId", &S::producer_id, "0+"),
                        field("ProducerEpoch", &S::producer_epoch, "0+"),
                        field("Topics", &S::topics, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TransactionState> transaction_states;

  static constexpr Spec kSpec{.name = "DescribeTransactionsResponse", .api_key = 65, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeTransactionsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("TransactionStates", &S::transaction_states, "0+"));
  }
};

template <>
struct Messages<65> {
  using Request = DescribeTransactionsRequest;
  using Response = DescribeTransactionsResponse;
};

}  // namespace headrace::wire::kafka
