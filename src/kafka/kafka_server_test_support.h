// A Kafka server over real sockets, with a broker on a folder of its own, for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/temp_directory.h"
#include "broker/broker.h"
#include "kafka/errors.h"
#include "kafka/kafka_server.h"
#include "kafka/testing.h"
#include "net/event_loops.h"
#include "wire/kafka/messages/00_produce.h"
#include "wire/kafka/messages/01_fetch.h"

namespace headrace::kafka {

class KafkaServerTest : public ::testing::Test {
 protected:
  KafkaServerTest() {
    loops_ = net::EventLoops::start(2);
    auto opened = broker::Broker::open({.data_directory = directory_.path()}, metrics_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
    start({.port = 0, .metrics = &metrics_});
  }
  ~KafkaServerTest() override {
    server_.reset();
    broker_.reset();
    loops_.reset();
  }

  void start(KafkaServerOptions options) {
    server_.reset();
    auto started = KafkaServer::start(*broker_, *loops_, options);
    CHECK(started.ok());
    server_ = *std::move(started);
  }
  KafkaTestClient client() { return KafkaTestClient(server_->port()); }
  void create(const std::string& topic, int32_t partitions = 1) {
    ASSERT_TRUE(broker_->create_topic({.name = topic, .partitions = partitions}).ok());
  }
  int64_t metric(std::string_view name, std::string_view api = "") {
    int64_t total = 0;
    for (const auto& sample : metrics_.samples()) {
      auto label = sample.labels.find("api");
      if (sample.name == name && (api.empty() || (label != sample.labels.end() && label->second == api))) {
        total += sample.value;
      }
    }
    return total;
  }

  static wire::kafka::ProduceRequest produce_request(const std::string& topic, int32_t partition, SharedBytes records,
                                                     int16_t acks = -1) {
    wire::kafka::ProduceRequest request;
    request.acks = acks;
    auto& data = request.topic_data.emplace_back();
    data.name = topic;
    data.partition_data.push_back({partition, wire::kafka::Records(std::move(records))});
    return request;
  }
  static wire::kafka::FetchRequest fetch_request(const std::string& topic, int64_t offset, int32_t max_wait_ms = 0) {
    wire::kafka::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = topic;
    wanted.partitions.push_back({.fetch_offset = offset, .partition_max_bytes = 1 << 20});
    return request;
  }
  static int16_t produce_error(const wire::kafka::ProduceResponse& response) {
    return response.responses.at(0).partition_responses.at(0).error_code;
  }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<net::EventLoops> loops_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<KafkaServer> server_;
};

}  // namespace headrace::kafka
