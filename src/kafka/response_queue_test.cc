// Which requests of a connection are answered when its client ends it, or sends what is no request.
#include <chrono>
#include <string>
#include <thread>

#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/messages/11_join_group.h"
#include "wire/kafka/messages/12_heartbeat.h"

namespace headrace::kafka {
namespace {

using wire::kafka::HeartbeatRequest;
using wire::kafka::JoinGroupRequest;
using wire::kafka::ProduceResponse;

class ResponseQueueTest : public KafkaServerTest {};

TEST_F(ResponseQueueTest, HalfClosedClientsStillGetTheirAnswers) {
  create("t");
  auto c = client();
  for (int i = 0; i < 10; ++i) c.send(produce_request("t", 0, batch_of({"v"}).bytes()), 9, i);
  c.socket().shutdown_send();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(produce_error(c.receive<ProduceResponse>(9, i)), 0);
  EXPECT_EQ(c.receive_frame(), "");
}

TEST_F(ResponseQueueTest, WhatCameBeforeABrokenRequestIsAnswered) {
  create("t");
  std::string unknown_key = KafkaTestClient::frame(HeartbeatRequest(), 4);
  unknown_key[5] = 99;
  std::string cut = KafkaTestClient::frame(JoinGroupRequest{.group_id = "group"}, 5);
  cut.resize(cut.size() - 3);
  cut[3] = static_cast<char>(cut.size() - 4);
  std::string good;
  for (int i = 0; i < 10; ++i) good += KafkaTestClient::frame(produce_request("t", 0, batch_of({"v"}).bytes()), 9, i);
  for (const auto& broken : {unknown_key, cut}) {
    auto c = client();
    c.socket().send(good + broken + good);
    c.socket().shutdown_send();
    for (int i = 0; i < 10; ++i) ASSERT_EQ(produce_error(c.receive<ProduceResponse>(9, i)), 0);
    EXPECT_EQ(c.receive_frame(), "");
  }
}

// More than may be in flight, so that most of them wait while the client's side is closed.
TEST_F(ResponseQueueTest, AllThatAClientSentBeforeItsEndIsServed) {
  constexpr int kRequests = 2000;
  create("t");
  std::string answered, silent;
  for (int i = 0; i < kRequests; ++i) {
    answered += KafkaTestClient::frame(produce_request("t", 0, batch_of({"v"}).bytes()), 9, i);
    silent += KafkaTestClient::frame(produce_request("t", 0, batch_of({"v"}).bytes(), 0), 9, i);
  }
  auto half_closed = client();
  half_closed.socket().send(answered);
  half_closed.socket().shutdown_send();
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(produce_error(half_closed.receive<ProduceResponse>(9, i)), 0);
  EXPECT_EQ(half_closed.receive_frame(), "");
  {
    auto gone = client();
    gone.socket().send(silent);
  }
  auto partition = broker_->partition({"t", PartitionId(0)});
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (partition->high_watermark() < Offset(2 * kRequests) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(partition->high_watermark(), Offset(2 * kRequests));
}

}  // namespace
}  // namespace headrace::kafka
