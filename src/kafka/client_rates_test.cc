#include "kafka/client_rates.h"

#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace std::chrono_literals;
using broker::QuotaEntity;
using std::chrono::milliseconds;

constexpr auto kStart = std::chrono::nanoseconds(1h);

TEST(WindowedRate, TenSecondsOfAQuotaAreFreeAtOnce) {
  WindowedRate rate;
  EXPECT_EQ(rate.wait(100, kStart), 0ms);
  rate.record(1000, kStart);
  EXPECT_EQ(rate.wait(100, kStart), 0ms);
  rate.record(500, kStart);
  EXPECT_EQ(rate.wait(100, kStart), 5000ms) << "what it takes until 1500 are 100 a second";
}

TEST(WindowedRate, AmountsAreForgottenAfterElevenWindows) {
  WindowedRate rate;
  rate.record(1e6, kStart);
  EXPECT_GT(rate.wait(100, kStart + 10'999ms), 0ms);
  EXPECT_EQ(rate.wait(100, kStart + 11s), 0ms);
}

TEST(WindowedRate, ASteadyRateAtTheQuotaNeedsNoWait) {
  WindowedRate rate;
  auto now = kStart;
  for (int i = 0; i < 1000; ++i, now += 100ms) {
    rate.record(10, now);
    ASSERT_LE(rate.wait(100, now), 101ms) << i;
  }
  EXPECT_GT(rate.wait(90, now), 500ms);
}

TEST(TokenBucket, CreditsFillUpAndMayBeOverdrawnOnce) {
  TokenBucket bucket;
  EXPECT_EQ(bucket.wait(2, kStart), 0ms);
  bucket.take(30, 2, kStart);  // Of 22.
  EXPECT_EQ(bucket.wait(2, kStart), 4000ms);
  EXPECT_EQ(bucket.wait(2, kStart + 4s), 0ms);
  EXPECT_EQ(bucket.wait(2, kStart + 1h), 0ms);
  bucket.take(22, 2, kStart + 1h);
  EXPECT_EQ(bucket.wait(2, kStart + 1h), 0ms) << "credits do not fill up beyond the windows";
}

class ClientRatesTest : public KafkaServerTest {
 protected:
  void set(const QuotaEntity& entity, const std::string& key, std::optional<double> value) {
    ASSERT_TRUE(broker_->settings().alter_quota(entity, {{key, value}}, false).ok());
  }
  static QuotaEntity client_named(const std::string& name) { return {{"client-id", name}}; }
  static inline const QuotaEntity kAnyClient{{"client-id", std::nullopt}};

  os::ManualClock clock_;
};

TEST_F(ClientRatesTest, WithoutQuotasNobodyWaits) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  EXPECT_FALSE(rates.active());
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "c", 1e12), 0ms);
  EXPECT_FALSE(rates.fetch_bytes_max("u", "c"));
}

TEST_F(ClientRatesTest, ClientsOfADefaultQuotaHaveARateEachAndAUserOneForAll) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(kAnyClient, "producer_byte_rate", 100);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "a", 1100), 1000ms);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "b", 900), 0ms);
  set({{"user", "u"}}, "producer_byte_rate", 100);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "a", 600), 0ms);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "b", 600), 2000ms) << "the user's clients share its quota";
  EXPECT_EQ(rates.record(RateKind::kFetch, "u", "b", 1e9), 0ms);
}

TEST_F(ClientRatesTest, ChangesHoldAtOnce) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(client_named("a"), "producer_byte_rate", 100);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "a", 2000), 10'000ms);
  set(client_named("a"), "producer_byte_rate", 1000);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "a", 0), 0ms);
  set(client_named("a"), "producer_byte_rate", std::nullopt);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "a", 1e9), 0ms);
}

TEST_F(ClientRatesTest, WhatIsNotSentDoesNotCount) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(client_named("a"), "consumer_byte_rate", 100);
  EXPECT_EQ(rates.fetch_bytes_max("u", "a"), 1000);
  EXPECT_EQ(rates.record_unless_over(RateKind::kFetch, "u", "a", 900), 0ms);
  EXPECT_EQ(rates.record_unless_over(RateKind::kFetch, "u", "a", 200), 1000ms);
  EXPECT_EQ(rates.record_unless_over(RateKind::kFetch, "u", "a", 100), 0ms);
}

TEST_F(ClientRatesTest, ABatchThatIsTooLargeForTheQuotaIsSentInTheEnd) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(client_named("a"), "consumer_byte_rate", 100);
  EXPECT_EQ(rates.record_unless_over(RateKind::kFetch, "u", "a", 5000), 0ms);
  EXPECT_GT(rates.record_unless_over(RateKind::kFetch, "u", "a", 5000), 0ms);
  clock_.advance(11s);
  EXPECT_EQ(rates.record_unless_over(RateKind::kFetch, "u", "a", 5000), 0ms);
}

TEST_F(ClientRatesTest, RequestTimeIsCappedAndInPercentOfAThread) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(client_named("a"), "request_percentage", 50);
  EXPECT_EQ(rates.record(RateKind::kRequest, "u", "a", 5), 0ms) << "half of ten seconds";
  EXPECT_EQ(rates.record(RateKind::kRequest, "u", "a", 0.25), 500ms);
  EXPECT_EQ(rates.record(RateKind::kRequest, "u", "a", 100), kRequestThrottleMax);
  EXPECT_EQ(rates.wait(RateKind::kRequest, "u", "a"), kRequestThrottleMax);
}

TEST_F(ClientRatesTest, MutationsOverTheQuotaAreRefusedWhenStrict) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(client_named("a"), "controller_mutation_rate", 1);
  EXPECT_EQ(rates.mutate("u", "a", 12, true), 0ms);
  EXPECT_EQ(rates.mutate("u", "a", 5, true), 1000ms);
  EXPECT_EQ(rates.mutate("u", "a", 5, false), 1000ms) << "done all the same";
  EXPECT_EQ(rates.mutate("u", "a", 1, true), 6000ms);
}

TEST_F(ClientRatesTest, ConnectionsOfAnAddressHaveTheirOwnQuota) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set({{"ip", std::nullopt}}, "connection_creation_rate", 1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rates.connect("10.0.0.1"), 0ms);
  EXPECT_EQ(rates.connect("10.0.0.1"), 1000ms);
  EXPECT_EQ(rates.connect("10.0.0.2"), 0ms);
}

TEST_F(ClientRatesTest, ManyClientsShareRatesWhenThereIsNoRoom) {
  ClientRates rates(broker_->settings(), clock_, nullptr);
  set(kAnyClient, "producer_byte_rate", 100);
  for (size_t i = 0; i < kRatedClientsMax; ++i) rates.record(RateKind::kProduce, "u", std::to_string(i), 1);
  rates.record(RateKind::kProduce, "u", "one more", 600);
  EXPECT_GT(rates.record(RateKind::kProduce, "u", "and another", 600), 0ms);
  clock_.advance(12s);
  EXPECT_EQ(rates.record(RateKind::kProduce, "u", "later", 900), 0ms) << "idle clients were forgotten";
}

/// Over sockets: quotas of the client that tests are, "test".
class ThrottlingTest : public ClientRatesTest {};

TEST_F(ThrottlingTest, AProducerHearsHowLongToWaitAndIsLeftAloneForThatLong) {
  create("t");
  set(client_named("test"), "producer_byte_rate", 1000);
  auto c = client();
  auto batch = batch_of({std::string(10'200, 'x')});
  auto response = c.call<0>(produce_request("t", 0, batch.bytes()), 9);
  EXPECT_EQ(produce_error(response), 0) << "the records are taken";
  EXPECT_GT(response.throttle_time_ms, 0);
  auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(c.call<18>({}, 0).error_code, 0);
  EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(response.throttle_time_ms / 2));
}

TEST_F(ThrottlingTest, AConsumerOverItsQuotaGetsAnEmptyAnswer) {
  create("t");
  auto c = client();
  ASSERT_EQ(produce_error(c.call<0>(produce_request("t", 0, batch_of({std::string(900, 'x')}).bytes()), 9)), 0);
  set(client_named("test"), "consumer_byte_rate", 95);
  auto request = fetch_request("t", 0);
  request.session_epoch = 0;
  auto first = c.call<1>(request, 12);
  EXPECT_EQ(first.throttle_time_ms, 0);
  ASSERT_NE(first.session_id, 0);
  wire::kafka::FetchRequest again;
  again.session_id = first.session_id;
  again.session_epoch = 1;
  auto second = c.call<1>(again, 12);
  EXPECT_GT(second.throttle_time_ms, 0);
  EXPECT_TRUE(second.responses.empty());
  EXPECT_EQ(second.session_id, first.session_id);
}

TEST_F(ThrottlingTest, QuotasAreSetAndListedByClients) {
  auto c = client();
  wire::kafka::AlterClientQuotasRequest alter;
  auto& entry = alter.entries.emplace_back();
  entry.entity.push_back({"user", "ann"});
  entry.entity.push_back({"client-id", std::nullopt});
  entry.ops.push_back({"producer_byte_rate", 1e6, false});
  entry.ops.push_back({"request_percentage", 12.5, false});
  auto& wrong = alter.entries.emplace_back();
  wrong.entity.push_back({"planet", "x"});
  auto altered = c.call<49>(alter, 1);
  ASSERT_EQ(altered.entries.size(), 2u);
  EXPECT_EQ(altered.entries[0].error_code, 0);
  EXPECT_EQ(altered.entries[1].error_code, wire_code(KafkaError::kInvalidRequest));

  using Component = wire::kafka::DescribeClientQuotasRequest::ComponentData;
  auto found = [&](std::vector<Component> components, bool strict) {
    wire::kafka::DescribeClientQuotasRequest request;
    request.components = std::move(components);
    request.strict = strict;
    return c.call<48>(request, 1);
  };
  auto all = found({}, false);
  ASSERT_EQ(all.entries->size(), 1u);
  EXPECT_EQ((*all.entries)[0].values.at(0).value, 1e6);
  EXPECT_EQ(found({{"user", 0, "ann"}}, false).entries->size(), 1u);
  EXPECT_EQ(found({{"user", 0, "ann"}}, true).entries->size(), 0u) << "it also has a client-id";
  EXPECT_EQ(found({{"user", 2, {}}, {"client-id", 1, {}}}, true).entries->size(), 1u);
  EXPECT_EQ(found({{"client-id", 0, "x"}}, false).entries->size(), 0u);
  auto refused = [&](std::vector<Component> components) { return found(std::move(components), false).error_code; };
  EXPECT_EQ(refused({{"user", 5, {}}}), wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(refused({{"", 2, {}}}), wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(refused({{"user", 2, {}}, {"user", 1, {}}}), wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(refused({{"user", 2, {}}, {"ip", 2, {}}}), wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(refused({{"team", 2, {}}}), wire_code(KafkaError::kUnsupportedVersion));
}

TEST_F(ThrottlingTest, TopicsOverTheMutationRateAreRefused) {
  set(client_named("test"), "controller_mutation_rate", 1);
  auto c = client();
  wire::kafka::CreateTopicsRequest request;
  for (int i = 0; i < 3; ++i) {
    auto& topic = request.topics.emplace_back();
    topic.name = "t" + std::to_string(i);
    topic.num_partitions = 8;
    topic.replication_factor = 1;
  }
  auto response = c.call<19>(request, 7);
  EXPECT_EQ(response.topics.at(0).error_code, 0);
  EXPECT_EQ(response.topics.at(1).error_code, 0) << "the credits are overdrawn once";
  EXPECT_EQ(response.topics.at(2).error_code, wire_code(KafkaError::kThrottlingQuotaExceeded));
  EXPECT_GT(response.throttle_time_ms, 0);
}

TEST_F(ThrottlingTest, WhatIsRefusedAnywayDoesNotCount) {
  set(client_named("test"), "controller_mutation_rate", 1);
  auto c = client();
  wire::kafka::CreateTopicsRequest request;
  request.topics.push_back({.name = "huge", .num_partitions = 2'000'000'000, .replication_factor = 1});
  auto refused = c.call<19>(request, 7);
  EXPECT_EQ(refused.topics.at(0).error_code, wire_code(KafkaError::kInvalidPartitions));
  EXPECT_EQ(refused.throttle_time_ms, 0);
  request.topics[0].num_partitions = 1;
  EXPECT_EQ(c.call<19>(request, 7).topics.at(0).error_code, 0);
  wire::kafka::CreatePartitionsRequest grow;
  grow.topics.push_back({.name = "huge", .count = 2'000'000'000, .assignments = std::nullopt});
  EXPECT_EQ(c.call<37>(grow, 3).throttle_time_ms, 0);
}

TEST_F(ThrottlingTest, TopicsThatMetadataCreatesCountToo) {
  set(client_named("test"), "controller_mutation_rate", 0.1);
  auto c = client();
  wire::kafka::MetadataRequest request;
  request.topics.emplace().resize(4);
  for (size_t i = 0; i < 4; ++i) (*request.topics)[i].name = "t" + std::to_string(i);
  auto response = c.call<3>(request, 9);
  EXPECT_EQ(response.topics.at(0).error_code, 0);
  EXPECT_EQ(response.topics.at(3).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_GT(response.throttle_time_ms, 0);
  EXPECT_EQ(broker_->topic("t3"), nullptr);
}

TEST_F(ThrottlingTest, FeaturesStayAtTheirLevels) {
  auto c = client();
  wire::kafka::UpdateFeaturesRequest request;
  auto& update = request.feature_updates.emplace_back();
  update.feature = "transaction.version";
  update.max_version_level = 2;
  EXPECT_EQ(c.call<57>(request, 2).error_code, 0);
  update.max_version_level = 1;
  EXPECT_EQ(c.call<57>(request, 2).error_code, wire_code(KafkaError::kInvalidUpdateVersion));
  EXPECT_EQ(c.call<57>(request, 1).results.at(0).error_code, wire_code(KafkaError::kInvalidUpdateVersion));
}

}  // namespace
}  // namespace headrace::kafka
