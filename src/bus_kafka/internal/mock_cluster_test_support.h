// librdkafka's own mock cluster, for what no healthy cluster answers.
#pragma once

#include <librdkafka/rdkafka.h>
// Not before it:
#include <librdkafka/rdkafka_mock.h>

#include <string>

#include "bus_kafka/internal/handle.h"

namespace headrace::bus_kafka {

/// Two brokers: one coordinates the transactional id "tx", the other the group "g".
class MockCluster {
 public:
  static constexpr int kTransactionBroker = 1, kGroupBroker = 2;

  MockCluster() : owner_(*Handle::make(RD_KAFKA_PRODUCER, {}, {}, {})) {
    cluster_ = rd_kafka_mock_cluster_new(owner_.get(), 2);
    rd_kafka_mock_coordinator_set(cluster_, "transaction", "tx", kTransactionBroker);
    rd_kafka_mock_coordinator_set(cluster_, "group", "g", kGroupBroker);
  }
  ~MockCluster() { rd_kafka_mock_cluster_destroy(cluster_); }

  std::string servers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void stop(int broker) { rd_kafka_mock_broker_set_down(cluster_, broker); }
  void start(int broker) { rd_kafka_mock_broker_set_up(cluster_, broker); }
  /// The next request of an API is answered so.
  void fail_next(int16_t api, rd_kafka_resp_err_t error) { rd_kafka_mock_push_request_errors(cluster_, api, 1, error); }

 private:
  Handle owner_;
  rd_kafka_mock_cluster_t* cluster_;
};

}  // namespace headrace::bus_kafka
