// AddPartitionsToTxn (24): adds partitions to a transaction.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct AddPartitionsToTxnRequest {
  struct Topic {
    std::string name;
    std::vector<int32_t> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  struct Transaction {
    std::string transactional_id;
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    bool verify_only = false;
    std::vector<Topic> topics;

    static constexpr auto fields() {
      using S = Transaction;
      return std::tuple(field("TransactionalId", &S::transactional_id, "4+"),
                        field("ProducerId", &S::producer_id, "4+"),
                        field("ProducerEpoch", &S::producer_epoch, "4+"),
                        field("VerifyOnly", &S::verify_only, "4+"),
                        field("Topics", &S::topics, "4+"));
    }
  };

  std::vector<Transaction> transactions;
  std::string v3_and_below_transactional_id;
  int64_t v3_and_below_producer_id = 0;
  int16_t v3_and_below_producer_epoch = 0;
  std::vector<Topic> v3_and_below_topics;

  static constexpr Spec kSpec{.name = "AddPartitionsToTxnRequest", .api_key = 24, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = AddPartitionsToTxnRequest;
    return std::tuple(field("Transactions", &S::transactions, "4+"),
                      field("V3AndBelowTransactionalId", &S::v3_and_below_transactional_id, "0-3"),
                      field("V3AndBelowProducerId", &S::v3_and_below_producer_id, "0-3"),
                      field("V3AndBelowProducerEpoch", &S::v3_and_below_producer_epoch, "0-3"),
                      field("V3AndBelowTopics", &S::v3_and_below_topics, "0-3"));
  }
};

struct AddPartitionsToTxnResponse {
  struct PartitionResult {
    int32_t partition_index = 0;
    int16_t partition_error_code = 0;

    static constexpr auto fields() {
      using S = PartitionResult;
      return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                        field("PartitionErrorCode", &S::partition_error_code, "0+"));
    }
  };

  struct TopicResult {
    std::string name;
    std::vector<PartitionResult> results_by_partition;

    static constexpr auto fields() {
      using S = TopicResult;
      return std::tuple(field("Name", &S::name, "0+"), field("ResultsByPartition", &S::results_by_partition, "0+"));
    }
  };

  struct AddPartitionsToTxnResult {
    std::string transactional_id;
    std::vector<TopicResult> topic_results;

    static constexpr auto fields() {
      using S = AddPartitionsToTxnResult;
      return std::tuple(field("TransactionalId", &S::transactional_id, "4+"),
                        field("TopicResults", &S::topic_results, "4+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<AddPartitionsToTxnResult> results_by_transaction;
  std::vector<TopicResult> results_by_topic_v3_and_below;

  static constexpr Spec kSpec{.name = "AddPartitionsToTxnResponse", .api_key = 24, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = AddPartitionsToTxnResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "4+"),
                      field("ResultsByTransaction", &S::results_by_transaction, "4+"),
                      field("ResultsByTopicV3AndBelow", &S::results_by_topic_v3_and_below, "0-3"));
  }
};

template <>
struct Messages<24> {
  using Request = AddPartitionsToTxnRequest;
  using Response = AddPartitionsToTxnResponse;
};

}  // namespace headrace::wire::kafka
