#include "kafka/client_telemetry.h"

#include <bit>

#include "codec/compression.h"
#include "codec/cursor.h"
#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace std::chrono_literals;
using broker::ResourceKind;

/// A length-delimited protobuf field.
Bytes nested(uint64_t number, const Bytes& content) {
  Bytes out;
  codec::Writer writer(out);
  writer.write_unsigned_varint(number << 3 | 2);
  writer.write_unsigned_varint(content.size());
  writer.write_bytes(content);
  return out;
}
Bytes text(uint64_t number, std::string_view value) { return nested(number, Bytes(value.begin(), value.end())); }
Bytes fixed64(uint64_t number, uint64_t value) {
  Bytes out;
  codec::Writer writer(out);
  writer.write_unsigned_varint(number << 3 | 1);
  writer.write(codec::big_endian(value));
  return out;
}
Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Bytes attribute(uint64_t number, std::string_view key, std::string_view value) {
  return nested(number, text(1, key) + nested(2, text(1, value)));
}
/// MetricsData of one metric: a sum (delta or not) or a gauge.
Bytes gauge(std::string_view name, double value) {
  Bytes point = fixed64(4, std::bit_cast<uint64_t>(value)) + attribute(7, "topic", "t\"1");
  return nested(1, nested(1, attribute(1, "client_rack", "r1")) +
                       nested(2, nested(2, text(1, name) + nested(5, nested(1, point)))));
}
Bytes sum(std::string_view name, int64_t value, uint8_t temporality) {
  Bytes body = nested(1, fixed64(6, static_cast<uint64_t>(value))) + Bytes{2 << 3, temporality};
  return nested(1, nested(2, nested(2, text(1, name) + nested(7, body))));
}

TEST(Otlp, GaugesAndSumsAreRead) {
  auto points = decode_otlp(gauge("a.b", 2.5) + sum("c", -7, 1) + sum("d", 9, 2));
  ASSERT_TRUE(points.ok()) << points.error().message;
  ASSERT_EQ(points->size(), 3u);
  EXPECT_EQ((*points)[0].name, "a.b");
  EXPECT_EQ((*points)[0].value, 2.5);
  EXPECT_EQ((*points)[0].attributes, (std::map<std::string, std::string>{{"client_rack", "r1"}, {"topic", "t\"1"}}));
  EXPECT_EQ((*points)[1].value, -7);
  EXPECT_TRUE((*points)[1].is_sum && (*points)[1].is_delta);
  EXPECT_TRUE((*points)[2].is_sum && !(*points)[2].is_delta);
}

TEST(Otlp, AnyCutIsReadOrRefused) {
  Bytes whole = gauge("a.b", 2.5);
  for (size_t size = 0; size < whole.size(); ++size) (void)decode_otlp(BytesView(whole).subspan(0, size));
  EXPECT_FALSE(decode_otlp(BytesView(whole).subspan(0, whole.size() - 1)).ok());
}

TEST(Otlp, LimitsHold) {
  Bytes many;
  for (int i = 0; i < 3; ++i) many = many + sum("x", i, 1);
  EXPECT_EQ(decode_otlp(many, {.points_max = 2}).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(decode_otlp(sum(std::string(600, 'n'), 1, 1)).error().code, ErrorCode::kTooLarge);
}

class ClientTelemetryTest : public KafkaServerTest {
 protected:
  ClientTelemetryTest() : telemetry_(broker_->settings(), clock_, &own_metrics_) {}
  void subscribe_all(const broker::ConfigMap& configs, const std::string& name = "s") {
    ASSERT_TRUE(check_client_metrics_configs(configs).ok());
    ASSERT_TRUE(broker_->settings().put_configs(ResourceKind::kClientMetrics, name, configs).ok());
  }
  static TelemetryClient who(uint8_t id, std::string client_id = "app") {
    TelemetryClient client;
    client.instance_id.bytes[0] = id;
    client.client_id = std::move(client_id);
    client.software_name = "apache-kafka-java";
    client.source_address = "127.0.0.1";
    return client;
  }
  KafkaError push(const TelemetryClient& client, int32_t subscription, const Bytes& metrics, bool last = false) {
    return telemetry_.push(client, {subscription, last, 0, metrics});
  }
  std::string shown() { return telemetry_.exposition(); }

  flow::MetricsRegistry own_metrics_;
  os::ManualClock clock_;
  ClientTelemetry telemetry_;
};

TEST_F(ClientTelemetryTest, WithoutSubscriptionsNothingIsAskedFor) {
  TelemetryClient unnamed = who(0);
  auto answer = telemetry_.subscribe(unnamed);
  EXPECT_EQ(answer.error, KafkaError::kNone);
  EXPECT_FALSE(answer.instance_id.is_zero()) << "it is given an id";
  EXPECT_TRUE(answer.subscription.metrics.empty());
  EXPECT_EQ(answer.subscription.interval, kPushIntervalDefault);
}

TEST_F(ClientTelemetryTest, MatchingSubscriptionsAreJoined) {
  subscribe_all(
      {{"metrics", "a.,b."}, {"interval.ms", "5000"}, {"match", "client_id=ap+,client_software_name=.*java"}});
  subscribe_all({{"metrics", "b.,c."}, {"interval.ms", "1000"}}, "everybody");
  subscribe_all({{"metrics", "d."}, {"interval.ms", "100"}, {"match", "client_id=other"}}, "others");
  auto answer = telemetry_.subscribe(who(1));
  EXPECT_EQ(answer.subscription.metrics, (std::vector<std::string>{"a.", "b.", "c."}));
  EXPECT_EQ(answer.subscription.interval, 1000ms);
  EXPECT_EQ(telemetry_.subscribe(who(2, "x")).subscription.metrics, (std::vector<std::string>{"b.", "c."}));
}

TEST_F(ClientTelemetryTest, PushedMetricsAreShownAndDeltasAddUp) {
  subscribe_all({{"metrics", "*"}, {"interval.ms", "1000"}});
  auto id = telemetry_.subscribe(who(1)).subscription.id;
  EXPECT_EQ(push(who(1), id, gauge("org.x.rate", 2.5) + sum("org.x.total", 3, 1)), KafkaError::kNone);
  clock_.advance(1000ms);
  EXPECT_EQ(push(who(1), id, gauge("org.x.rate", 0.5) + sum("org.x.total", 4, 1)), KafkaError::kNone);
  std::string page = shown();
  EXPECT_NE(page.find("# TYPE kafka_client_org_x_rate untyped\n"), std::string::npos) << page;
  EXPECT_NE(page.find(R"(client_id="app")"), std::string::npos) << page;
  EXPECT_NE(page.find(R"(topic="t\"1"} 0.5)"), std::string::npos) << page;
  EXPECT_NE(page.find("} 7\n"), std::string::npos) << page;
  clock_.advance(3001ms);
  EXPECT_EQ(shown().find("kafka_client_org_x_rate"), std::string::npos) << "the client has gone";
}

TEST_F(ClientTelemetryTest, PushesBeforeTheirTimeAndAfterTheLastOneAreRefused) {
  subscribe_all({{"metrics", "*"}, {"interval.ms", "1000"}});
  auto id = telemetry_.subscribe(who(1)).subscription.id;
  EXPECT_EQ(telemetry_.subscribe(who(1)).error, KafkaError::kThrottlingQuotaExceeded);
  clock_.advance(1ms);
  EXPECT_EQ(push(who(1), id, sum("x", 1, 1)), KafkaError::kNone) << "the first push may come early";
  EXPECT_EQ(push(who(1), id, sum("x", 1, 1)), KafkaError::kThrottlingQuotaExceeded);
  EXPECT_EQ(push(who(1), id, sum("x", 1, 1), /*last=*/true), KafkaError::kNone);
  clock_.advance(5000ms);
  EXPECT_EQ(push(who(1), id, sum("x", 1, 1)), KafkaError::kInvalidRequest);
  EXPECT_EQ(push(who(0), id, sum("x", 1, 1)), KafkaError::kInvalidRequest);
}

TEST_F(ClientTelemetryTest, ChangedSubscriptionsAreAskedForAnew) {
  subscribe_all({{"metrics", "*"}, {"interval.ms", "1000"}});
  auto id = telemetry_.subscribe(who(1)).subscription.id;
  subscribe_all({{"metrics", "a."}, {"interval.ms", "1000"}});
  EXPECT_EQ(push(who(1), id, sum("x", 1, 1)), KafkaError::kUnknownSubscriptionId);
  auto again = telemetry_.subscribe(who(1));
  EXPECT_EQ(again.error, KafkaError::kNone) << "at once";
  EXPECT_NE(again.subscription.id, id);
  clock_.advance(1ms);
  EXPECT_EQ(push(who(1), again.subscription.id, sum("x", 1, 1)), KafkaError::kNone);
}

TEST_F(ClientTelemetryTest, BadPushesAreRefused) {
  subscribe_all({{"metrics", "*"}, {"interval.ms", "100"}});
  auto id = telemetry_.subscribe(who(1)).subscription.id;
  auto next = [&](int8_t compression, const Bytes& metrics) {
    clock_.advance(100ms);
    return telemetry_.push(who(1), {id, false, compression, metrics});
  };
  Bytes good = sum("x", 1, 1);
  for (auto codec :
       {codec::Compression::kGzip, codec::Compression::kSnappy, codec::Compression::kLz4, codec::Compression::kZstd}) {
    EXPECT_EQ(next(static_cast<int8_t>(codec), *codec::compress(codec, good)), KafkaError::kNone);
  }
  EXPECT_EQ(next(9, good), KafkaError::kUnsupportedCompressionType);
  EXPECT_EQ(next(0, Bytes(kTelemetryBytesMax + 1)), KafkaError::kTelemetryTooLarge);
  EXPECT_EQ(next(1, *codec::compress(codec::Compression::kGzip, Bytes(kTelemetryBytesMax + 1))),
            KafkaError::kTelemetryTooLarge);
  EXPECT_EQ(next(0, Bytes{0xff, 0xff}), KafkaError::kInvalidRecord);
  EXPECT_EQ(next(4, Bytes{1, 2, 3}), KafkaError::kInvalidRecord);
}

TEST_F(ClientTelemetryTest, MistakesInSettingsAreFound) {
  auto wrong = [](const broker::ConfigMap& configs) { return !check_client_metrics_configs(configs).ok(); };
  EXPECT_TRUE(wrong({{"interval.ms", "99"}}));
  EXPECT_TRUE(wrong({{"interval.ms", "soon"}}));
  EXPECT_TRUE(wrong({{"match", "colour=red"}}));
  EXPECT_TRUE(wrong({{"match", "client_id=("}}));
  EXPECT_TRUE(wrong({{"speed", "1"}}));
  EXPECT_FALSE(wrong({{"match", "client_id=a.*, client_source_port=1234"}, {"metrics", ""}}));
}

/// The APIs over sockets.
class ClientMetricsApiTest : public KafkaServerTest {};

TEST_F(ClientMetricsApiTest, SubscriptionsAreSetListedAndServed) {
  auto c = client();
  wire::kafka::IncrementalAlterConfigsRequest alter;
  auto& resource = alter.resources.emplace_back();
  resource.resource_type = 16;
  resource.resource_name = "all";
  resource.configs.push_back({"metrics", 0, "org.apache.kafka.producer."});
  resource.configs.push_back({"interval.ms", 0, "100"});
  ASSERT_EQ(c.call<44>(alter, 1).responses.at(0).error_code, 0);
  resource.configs = {{"metrics", 2, "org.apache.kafka.consumer."}};
  ASSERT_EQ(c.call<44>(alter, 1).responses.at(0).error_code, 0);
  resource.configs = {{"interval.ms", 2, "5"}};
  EXPECT_EQ(c.call<44>(alter, 1).responses.at(0).error_code, wire_code(KafkaError::kInvalidConfig)) << "it is no list";

  EXPECT_EQ(c.call<74>({}, 0).config_resources.at(0).resource_name, "all");
  wire::kafka::DescribeConfigsRequest describe;
  describe.resources.push_back({16, "all", std::nullopt});
  auto described = c.call<32>(describe, 4).results.at(0);
  ASSERT_EQ(described.configs.size(), 3u);
  EXPECT_EQ(described.configs[0].value, "100");
  EXPECT_EQ(described.configs[0].config_source, 7);
  EXPECT_EQ(described.configs[2].value, "org.apache.kafka.producer.,org.apache.kafka.consumer.");

  auto subscribed = c.call<71>({}, 0);
  EXPECT_EQ(subscribed.error_code, 0);
  EXPECT_EQ(subscribed.push_interval_ms, 100);
  EXPECT_EQ(subscribed.requested_metrics.size(), 2u);
  wire::kafka::PushTelemetryRequest push;
  push.client_instance_id = subscribed.client_instance_id;
  push.subscription_id = subscribed.subscription_id;
  push.metrics = gauge("org.apache.kafka.producer.x", 1.5);
  EXPECT_EQ(c.call<72>(push, 0).error_code, 0);
  EXPECT_NE(server_->client_metrics()().find("kafka_client_org_apache_kafka_producer_x"), std::string::npos);

  resource.configs = {{"metrics", 1, {}}, {"interval.ms", 1, {}}};
  ASSERT_EQ(c.call<44>(alter, 1).responses.at(0).error_code, 0);
  EXPECT_TRUE(c.call<74>({}, 0).config_resources.empty()) << "without settings there is no subscription";
}

TEST_F(ClientMetricsApiTest, ANameThatAClientToldOnceStaysKnown) {
  ASSERT_TRUE(broker_->settings()
                  .put_configs(ResourceKind::kClientMetrics, "s",
                               {{"metrics", "a."}, {"match", "client_software_name=mine, client_software_version=1.*"}})
                  .ok());
  auto c = client();
  wire::kafka::ApiVersionsRequest versions;
  versions.client_software_name = "mine";
  versions.client_software_version = "1.2";
  ASSERT_EQ(c.call<18>(versions, 3).error_code, 0);
  ASSERT_EQ(c.call<18>({}, 2).error_code, 0);
  EXPECT_EQ(c.call<71>({}, 0).requested_metrics, std::vector<std::string>{"a."});
}

TEST_F(ClientMetricsApiTest, AlterConfigsReplacesWhatWasSet) {
  create("t");
  auto c = client();
  wire::kafka::AlterConfigsRequest alter;
  auto& resource = alter.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = "t";
  resource.configs = {{"retention.ms", "1000"}, {"segment.bytes", "2048"}};
  ASSERT_EQ(c.call<33>(alter, 2).responses.at(0).error_code, 0);
  resource.configs = {{"retention.ms", "2000"}};
  ASSERT_EQ(c.call<33>(alter, 2).responses.at(0).error_code, 0);
  EXPECT_EQ(broker_->topic("t")->configs, (broker::ConfigMap{{"retention.ms", "2000"}}));
  alter.validate_only = true;
  resource.configs.clear();
  ASSERT_EQ(c.call<33>(alter, 2).responses.at(0).error_code, 0);
  EXPECT_EQ(broker_->topic("t")->configs.size(), 1u);
  resource.resource_type = 4;
  resource.resource_name = "1";
  EXPECT_EQ(c.call<33>(alter, 2).responses.at(0).error_code, wire_code(KafkaError::kInvalidRequest));
}

TEST_F(ClientMetricsApiTest, ResourcesOfEveryKindAreListed) {
  create("t");
  auto c = client();
  wire::kafka::ListConfigResourcesRequest request;
  auto all = c.call<74>(request, 1).config_resources;
  EXPECT_EQ(all.size(), 5u) << "three topics, the broker and its logger";
  request.resource_types = {4};
  EXPECT_EQ(c.call<74>(request, 1).config_resources.at(0).resource_name, "1");
  request.resource_types = {5};
  EXPECT_EQ(c.call<74>(request, 1).error_code, wire_code(KafkaError::kUnsupportedVersion));
}

}  // namespace
}  // namespace headrace::kafka
