// AlterConfigs and IncrementalAlterConfigs over sockets.
#include "kafka/alter_configs.h"

#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using wire::kafka::AlterConfigsRequest;
using wire::kafka::IncrementalAlterConfigsRequest;
using Changes = std::vector<ConfigChange>;

constexpr int8_t kTopic = 2, kBroker = 4, kClientMetrics = 16, kGroup = 32;

class AlterConfigsTest : public KafkaServerTest {
 protected:
  static ConfigChange change(ConfigOperation operation, std::string name, std::string value = "") {
    ConfigChange change{.name = std::move(name), .operation = static_cast<int8_t>(operation)};
    if (operation != ConfigOperation::kDelete) change.value = std::move(value);
    return change;
  }
  static ConfigChange set(std::string name, std::string value) {
    return change(ConfigOperation::kSet, std::move(name), std::move(value));
  }
  static ConfigChange remove(std::string name) { return change(ConfigOperation::kDelete, std::move(name)); }

  static void add(IncrementalAlterConfigsRequest& request, int8_t type, std::string name, const Changes& changes) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = std::move(name);
    for (const auto& one : changes) resource.configs.push_back({one.name, one.operation, one.value});
  }
  KafkaError alter(int8_t type, std::string name, const Changes& changes) {
    IncrementalAlterConfigsRequest request;
    add(request, type, std::move(name), changes);
    return static_cast<KafkaError>(client().call<44>(request, 1).responses.at(0).error_code);
  }
  broker::ConfigMap configs() { return broker_->topic("t")->configs; }
};

TEST_F(AlterConfigsTest, ToDeleteWhatIsNoOptionChangesNothing) {
  create("t");
  auto gone = remove("message.downconversion.enable");
  EXPECT_EQ(alter(kTopic, "t", {gone, set("retention.ms", "5000"), remove("segment.ms")}), KafkaError::kNone);
  EXPECT_EQ(configs(), (broker::ConfigMap{{"retention.ms", "5000"}}));
  EXPECT_EQ(alter(kTopic, "t", {gone}), KafkaError::kNone);
  EXPECT_EQ(alter(kTopic, "none", {gone}), KafkaError::kUnknownTopicOrPartition);
  EXPECT_EQ(alter(kGroup, "g", {gone}), KafkaError::kNone);
  EXPECT_EQ(alter(kClientMetrics, "m", {gone}), KafkaError::kNone);
  EXPECT_EQ(configs().size(), 1u);
  EXPECT_TRUE(broker_->settings().names(broker::ResourceKind::kGroup).empty());
}

TEST_F(AlterConfigsTest, WhatIsNoOptionCannotBeSet) {
  create("t");
  Changes changes = {set("retention.ms", "5000"), set("message.downconversion.enable", "true")};
  EXPECT_EQ(alter(kTopic, "t", changes), KafkaError::kInvalidConfig);
  EXPECT_EQ(configs(), broker::ConfigMap{});
  EXPECT_EQ(alter(kGroup, "g", changes), KafkaError::kInvalidConfig);
  EXPECT_EQ(alter(kClientMetrics, "m", changes), KafkaError::kInvalidConfig);
}

// What kafka-reassign-partitions --verify ends with.
TEST_F(AlterConfigsTest, TheBrokerHasNothingSetThatCouldNotBeDeleted) {
  Changes throttles = {remove("leader.replication.throttled.rate"), remove("follower.replication.throttled.rate")};
  EXPECT_EQ(alter(kBroker, "1", throttles), KafkaError::kNone);
  EXPECT_EQ(alter(kBroker, "", throttles), KafkaError::kNone);
  EXPECT_EQ(alter(kBroker, "2", throttles), KafkaError::kInvalidRequest);
  throttles.push_back(set("leader.replication.throttled.rate", "1"));
  EXPECT_EQ(alter(kBroker, "1", throttles), KafkaError::kInvalidRequest);
}

TEST_F(AlterConfigsTest, AResourceThatIsNamedTwiceStaysAsItIs) {
  create("t");
  create("u");
  IncrementalAlterConfigsRequest request;
  add(request, kTopic, "t", {set("retention.ms", "1000")});
  add(request, kTopic, "u", {set("retention.ms", "1000")});
  add(request, kTopic, "t", {set("retention.ms", "2000")});
  auto responses = client().call<44>(request, 1).responses;
  ASSERT_EQ(responses.size(), 2u);
  EXPECT_EQ(responses[0].error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(responses[1].error_code, 0);
  EXPECT_EQ(configs(), broker::ConfigMap{});
  AlterConfigsRequest replace;
  replace.resources.resize(2);
  for (auto& resource : replace.resources) resource = {.resource_type = kTopic, .resource_name = "u"};
  EXPECT_EQ(client().call<33>(replace, 2).responses.at(0).error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(broker_->topic("u")->configs.size(), 1u);
}

TEST_F(AlterConfigsTest, AnOptionIsChangedOnceAndToAValue) {
  create("t");
  EXPECT_EQ(alter(kTopic, "t", {set("retention.ms", "1"), set("retention.ms", "2")}), KafkaError::kInvalidRequest);
  EXPECT_EQ(alter(kTopic, "t", {{.name = "retention.ms"}}), KafkaError::kInvalidRequest);
  EXPECT_EQ(configs(), broker::ConfigMap{});
}

TEST_F(AlterConfigsTest, ListsGrowAndShrinkByItems) {
  auto changed = [&](ConfigOperation operation, std::string value) {
    EXPECT_EQ(alter(kClientMetrics, "m", {change(operation, "metrics", std::move(value))}), KafkaError::kNone);
    return broker_->settings().configs(broker::ResourceKind::kClientMetrics, "m")["metrics"];
  };
  EXPECT_EQ(changed(ConfigOperation::kAppend, "a., b."), "a.,b.");
  EXPECT_EQ(changed(ConfigOperation::kAppend, " c. ,a.,,c."), "a.,b.,c.");
  EXPECT_EQ(changed(ConfigOperation::kSubtract, "b. , d."), "a.,c.");
}

}  // namespace
}  // namespace headrace::kafka
