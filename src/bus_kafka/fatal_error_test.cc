// Which of librdkafka's fatal errors say that another producer has the transactional id, on librdkafka's mock cluster.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "bus_kafka/internal/mock_cluster_test_support.h"
#include "bus_kafka/internal/parts.h"
#include "record/batch_builder.h"

namespace headrace::bus_kafka {
namespace {

using std::chrono_literals::operator""ms;

constexpr int16_t kProduce = 0, kAddPartitions = 24, kAddOffsets = 25, kEndTxn = 26, kTxnOffsetCommit = 28;
constexpr std::chrono::milliseconds kShortTimeout{1000};  // The least that librdkafka takes.

std::unique_ptr<bus::TransactionalProducer> make_producer(const MockCluster& cluster, Properties properties = {}) {
  properties["bootstrap.servers"] = cluster.servers();
  auto producer = make_transactional_producer(properties, "tx", {.step = 10'000ms});
  if (!producer.ok()) ADD_FAILURE() << producer.error().message;
  return producer.ok() ? std::move(*producer) : nullptr;
}

record::Batch one_record() {
  record::BatchBuilder builder;
  builder.add(1'700'000'000'000, std::nullopt, "v");
  return builder.finish();
}

Status run_transaction(bus::TransactionalProducer& producer) {
  RETURN_IF_ERROR(producer.begin());
  RETURN_IF_ERROR(producer.produce({"t", PartitionId(0)}, one_record()));
  RETURN_IF_ERROR(producer.commit_positions("g", {{{"s", PartitionId(0)}, Offset(7)}}));
  return producer.commit();
}

std::string code_of(const Status& status) {
  return status.ok() ? "no error" : std::string(to_string(status.error().code));
}
std::string message_of(const Status& status) { return status.ok() ? "" : status.error().message; }

struct Case {
  std::string name;
  int16_t api;
  rd_kafka_resp_err_t answer;
  std::string code;
};

class FatalError : public testing::TestWithParam<Case> {};

TEST_P(FatalError, IsFencingOnlyWhereANewerProducerHasTheId) {
  MockCluster cluster;
  auto producer = make_producer(cluster);
  ASSERT_TRUE(producer);
  Status first = run_transaction(*producer);
  ASSERT_TRUE(first.ok()) << message_of(first);
  cluster.fail_next(GetParam().api, GetParam().answer);
  Status failed = run_transaction(*producer);
  EXPECT_EQ(code_of(failed), GetParam().code) << message_of(failed);
  for (const Status& status : {producer->abort(), producer->begin()}) {
    EXPECT_EQ(code_of(status), GetParam().code) << message_of(status);
  }
  producer = make_producer(cluster);
  ASSERT_TRUE(producer);
  Status again = run_transaction(*producer);
  EXPECT_TRUE(again.ok()) << message_of(again);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, FatalError,
    testing::Values(
        Case{"EndFenced", kEndTxn, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, "fenced"},
        Case{"EndOldEpoch", kEndTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, "fenced"},
        Case{"AddFenced", kAddPartitions, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, "fenced"},
        Case{"ProduceOldEpoch", kProduce, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, "fenced"},
        Case{"PositionsOldEpoch", kTxnOffsetCommit, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, "fenced"},
        Case{"EndInWrongState", kEndTxn, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, "unavailable"},
        Case{"AddInWrongState", kAddPartitions, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, "unavailable"},
        Case{"GroupInWrongState", kAddOffsets, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, "unavailable"},
        Case{"PositionsOfForgottenId", kTxnOffsetCommit, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, "unavailable"},
        Case{"ProduceOutOfOrder", kProduce, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "unavailable"},
        Case{"EndDenied", kEndTxn, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "permission_denied"}),
    [](const auto& info) { return info.param.name; });

TEST(FatalErrors, AnIdThatTheClusterForgotIsTakenAnew) {
  for (int16_t api : {kAddPartitions, kEndTxn}) {
    MockCluster cluster;
    auto producer = make_producer(cluster);
    ASSERT_TRUE(producer);
    cluster.fail_next(api, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING);
    Status failed = run_transaction(*producer);
    EXPECT_EQ(code_of(failed), "unavailable") << message_of(failed);
    producer = make_producer(cluster);
    ASSERT_TRUE(producer);
    Status again = run_transaction(*producer);
    EXPECT_TRUE(again.ok()) << message_of(again);
  }
}

TEST(FatalErrors, FencingForATransactionsAgeSaysNothingOfANewerProducer) {
  MockCluster cluster;
  std::string timeout = std::to_string(kShortTimeout.count());
  auto producer = make_producer(cluster, {{"transaction.timeout.ms", timeout}, {"message.timeout.ms", timeout}});
  ASSERT_TRUE(producer);
  ASSERT_TRUE(producer->begin().ok());
  auto began = std::chrono::steady_clock::now();
  Status added = producer->commit_positions("g", {{{"s", PartitionId(0)}, Offset(7)}});
  ASSERT_TRUE(added.ok()) << message_of(added);
  std::this_thread::sleep_until(began + kShortTimeout);
  cluster.fail_next(kEndTxn, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
  Status late = producer->commit();
  EXPECT_EQ(code_of(late), "unavailable") << message_of(late);
  EXPECT_EQ(code_of(producer->abort()), "unavailable");
  producer = make_producer(cluster);
  ASSERT_TRUE(producer);
  Status again = run_transaction(*producer);
  EXPECT_TRUE(again.ok()) << message_of(again);
}

}  // namespace
}  // namespace headrace::bus_kafka
