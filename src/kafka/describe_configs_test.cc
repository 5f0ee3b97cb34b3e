// DescribeConfigs and CreateTopics of a broker that sets options for all topics.
#include <map>
#include <string>
#include <vector>

#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using Described = wire::kafka::DescribeConfigsResponse::DescribeConfigsResult::ResourceResult;
using wire::kafka::CreateTopicsRequest;

constexpr int8_t kTopic = 2, kBroker = 4;
constexpr int8_t kFromTopic = 1, kFromBroker = 4, kFromDefault = 5;

class TopicDefaultsApiTest : public KafkaServerTest {
 protected:
  TopicDefaultsApiTest() {
    server_.reset();
    broker_.reset();
    broker::BrokerOptions options;
    options.data_directory = directory_.path();
    options.topic_defaults = {
        {"flush", "os"}, {"max.compaction.lag.ms", "9000"}, {"retention.ms", "60000"}, {"segment.bytes", "1073741824"}};
    options.offsets_retention = std::chrono::hours(1);
    auto opened = broker::Broker::open(options, metrics_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
    start({.port = 0, .request_bytes_max = 1 << 20, .metrics = &metrics_});
  }
  std::map<std::string, Described> describe(int8_t type, const std::string& name) {
    wire::kafka::DescribeConfigsRequest request;
    request.resources.push_back({.resource_type = type, .resource_name = name, .configuration_keys = std::nullopt});
    request.include_synonyms = true;
    std::map<std::string, Described> entries;
    auto response = client().call<32>(request, 4);
    for (auto& entry : response.results.at(0).configs) entries[entry.name] = std::move(entry);
    return entries;
  }
  /// "name=value:source" of each.
  static std::vector<std::string> synonyms(const Described& entry) {
    std::vector<std::string> out;
    for (const auto& one : entry.synonyms) {
      out.push_back(one.name + "=" + one.value.value_or("") + ":" + std::to_string(one.source));
    }
    return out;
  }
};

TEST_F(TopicDefaultsApiTest, TopicsTellWhereValuesComeFrom) {
  ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 1, .configs = {{"segment.bytes", "2048"}}}).ok());
  auto configs = describe(kTopic, "t");
  EXPECT_EQ(configs["retention.ms"].value, "60000");
  EXPECT_EQ(configs["retention.ms"].config_source, kFromBroker);
  EXPECT_EQ(synonyms(configs["retention.ms"]),
            (std::vector<std::string>{"log.retention.ms=60000:4", "log.retention.ms=604800000:5"}));
  EXPECT_EQ(configs["segment.bytes"].value, "2048");
  EXPECT_EQ(configs["segment.bytes"].config_source, kFromTopic);
  EXPECT_EQ(synonyms(configs["segment.bytes"]),
            (std::vector<std::string>{"segment.bytes=2048:1", "log.segment.bytes=1073741824:4",
                                      "log.segment.bytes=1073741824:5"}));
  EXPECT_EQ(configs["flush"].value, "os");
  EXPECT_EQ(configs["flush"].config_source, kFromBroker);
  EXPECT_EQ(configs["cleanup.policy"].config_source, kFromDefault);
  EXPECT_EQ(synonyms(configs["cleanup.policy"]), std::vector<std::string>{"log.cleanup.policy=delete:5"});
}

TEST_F(TopicDefaultsApiTest, TheBrokersOwnTopicsHaveNone) {
  auto configs = describe(kTopic, "__consumer_offsets");
  EXPECT_EQ(configs["retention.ms"].config_source, kFromDefault);
  EXPECT_EQ(configs["flush"].value, "commit");
  EXPECT_EQ(configs["segment.bytes"].config_source, kFromTopic);
}

TEST_F(TopicDefaultsApiTest, TheBrokerTellsThemUnderKafkasNames) {
  auto configs = describe(kBroker, "1");
  EXPECT_EQ(configs["log.retention.ms"].value, "60000");
  EXPECT_EQ(configs["log.retention.ms"].config_source, kFromBroker);
  EXPECT_TRUE(configs["log.retention.ms"].read_only);
  EXPECT_EQ(synonyms(configs["log.retention.ms"]),
            (std::vector<std::string>{"log.retention.ms=60000:4", "log.retention.ms=604800000:5"}));
  EXPECT_EQ(configs["log.segment.bytes"].config_source, kFromBroker);  // Set, though to Kafka's default.
  EXPECT_EQ(configs["log.cleanup.policy"].config_source, kFromDefault);
  EXPECT_FALSE(configs.contains("flush"));
  EXPECT_EQ(synonyms(configs["offsets.retention.minutes"]),
            (std::vector<std::string>{"offsets.retention.minutes=60:4", "offsets.retention.minutes=10080:5"}));
  EXPECT_EQ(configs["socket.request.max.bytes"].value, "1048576");
  EXPECT_EQ(configs["producer.id.expiration.ms"].value, "86400000");
}

TEST_F(TopicDefaultsApiTest, CreateTopicsAnswersWithThem) {
  CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "made";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  topic.configs.push_back({"max.message.bytes", "5000"});
  auto& wrong = request.topics.emplace_back(topic);
  wrong.name = "wrong";
  wrong.configs.push_back({"min.compaction.lag.ms", "9001"});
  auto response = client().call<19>(request, 7);
  ASSERT_EQ(response.topics.size(), 2u);
  EXPECT_EQ(response.topics[1].error_code, wire_code(KafkaError::kInvalidConfig));
  EXPECT_EQ(broker_->topic("wrong"), nullptr);
  std::map<std::string, std::pair<std::string, int8_t>> configs;
  for (const auto& one : *response.topics[0].configs) configs[one.name] = {one.value.value_or(""), one.config_source};
  EXPECT_EQ(configs["retention.ms"], std::pair(std::string("60000"), kFromBroker));
  EXPECT_EQ(configs["max.message.bytes"], std::pair(std::string("5000"), kFromTopic));
  EXPECT_EQ(configs["cleanup.policy"], std::pair(std::string("delete"), kFromDefault));
}

}  // namespace
}  // namespace headrace::kafka
