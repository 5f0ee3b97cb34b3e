// Topic options that the broker sets for all topics.
#include "broker/broker_test_support.h"
#include "broker/embedded_bus.h"

namespace headrace::broker {
namespace {

class TopicDefaultsTest : public ::testing::Test {
 protected:
  void open(ConfigMap defaults) {
    broker_.reset();
    BrokerOptions options = options_in(directory_.path());
    options.topic_defaults = std::move(defaults);
    options.producer_id_expiration = std::chrono::hours(2);
    auto opened = Broker::open(options, metrics_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  Result<std::shared_ptr<const Topic>> create(const std::string& name,
                                              const std::map<std::string, std::string>& configs = {}) {
    return broker_->create_topic({.name = name, .partitions = 1, .configs = configs});
  }
  TopicConfig config_of(std::string_view topic) { return broker_->topic(topic)->partitions.at(0)->config(); }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  JumpingClock clock_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(TopicDefaultsTest, HoldForNewTopicsAndForThoseThatAreThereAlready) {
  open({});
  ASSERT_TRUE(create("old").ok());
  ASSERT_TRUE(create("own", {{"retention.ms", "5000"}}).ok());
  open({{"retention.ms", "7000"}, {"max.message.bytes", "2000"}});
  ASSERT_TRUE(create("new").ok());
  for (const char* topic : {"old", "new", "own"}) EXPECT_EQ(config_of(topic).max_message_bytes, 2000) << topic;
  for (const char* topic : {"old", "new"}) EXPECT_EQ(config_of(topic).log.retention_ms, 7000) << topic;
  EXPECT_EQ(config_of("own").log.retention_ms, 5000);

  // Nothing of them is stored with the topics.
  EXPECT_TRUE(broker_->topic("new")->configs.empty());
  open({{"retention.ms", "8000"}});
  for (const char* topic : {"old", "new"}) {
    EXPECT_EQ(config_of(topic).log.retention_ms, 8000) << topic;
    EXPECT_EQ(config_of(topic).max_message_bytes, 1048588) << topic;
  }
  auto bus = make_embedded_bus(*broker_);
  EXPECT_EQ(bus->admin().topic("old")->configs["retention.ms"], "8000");
}

TEST_F(TopicDefaultsTest, HoldForPartitionsThatAreAddedAndAgainAfterAnOptionIsReset) {
  open({{"retention.ms", "7000"}});
  ASSERT_TRUE(create("t", {{"retention.ms", "5000"}}).ok());
  ASSERT_TRUE(broker_->alter_configs("t", {{"retention.ms", std::nullopt}}).ok());
  EXPECT_EQ(config_of("t").log.retention_ms, 7000);
  EXPECT_EQ(config_of("t").log.producer_id_expiration_ms, 2 * 3600 * 1000);
  ASSERT_TRUE(broker_->create_partitions("t", 2).ok());
  EXPECT_EQ(broker_->topic("t")->partitions.at(1)->config().log.retention_ms, 7000);
}

TEST_F(TopicDefaultsTest, LeaveTheBrokersOwnTopicsAlone) {
  ConfigMap defaults{{"cleanup.policy", "delete"},
                     {"flush", "os"},
                     {"max.message.bytes", "1"},
                     {"on_disk_pressure", "drop_oldest"},
                     {"retention.ms", "1"}};
  open({});
  open(defaults);
  for (std::string_view topic : {kOffsetsTopic, kTransactionsTopic}) {
    TopicConfig config = config_of(topic);
    EXPECT_FALSE(config.log.delete_enabled);
    EXPECT_TRUE(config.log.compact_enabled);
    EXPECT_EQ(config.log.flush_policy, log::FlushPolicy::kBeforeAck);
    EXPECT_EQ(config.log.retention_ms, 604800000);
    EXPECT_EQ(config.max_message_bytes, 104857600);
    EXPECT_FALSE(config.drops_oldest);
    for (const ConfigEntry& entry : broker_->topic(topic)->describe_configs()) EXPECT_FALSE(entry.broker_wide);
  }
}

TEST_F(TopicDefaultsTest, AreHeldAgainstWhatIsSetOnATopic) {
  open({{"max.compaction.lag.ms", "5"}});
  EXPECT_EQ(create("t", {{"min.compaction.lag.ms", "6"}}).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(create("t").ok());
  for (bool validate_only : {true, false}) {
    Status altered = broker_->alter_configs("t", {{"min.compaction.lag.ms", "6"}}, validate_only);
    ASSERT_FALSE(altered.ok());
    EXPECT_EQ(altered.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(broker_->topic("t")->configs.empty());
  ASSERT_TRUE(broker_->alter_configs("t", {{"min.compaction.lag.ms", "6"}, {"max.compaction.lag.ms", "7"}}).ok());
  // A file that contradicts a topic keeps no broker from starting.
  open({{"max.compaction.lag.ms", "4"}, {"min.compaction.lag.ms", "1"}});
  EXPECT_EQ(config_of("t").log.max_compaction_lag_ms, 7);
}

TEST_F(TopicDefaultsTest, RetentionRemovesSegmentsByThem) {
  open({});
  ASSERT_TRUE(create("by-default").ok());
  ASSERT_TRUE(create("own", {{"retention.ms", "-1"}, {"segment.bytes", "1024"}}).ok());
  open({{"segment.bytes", "1024"}, {"retention.ms", "60000"}});
  for (const char* name : {"by-default", "own"}) {
    Partition& partition = *broker_->partition({name, PartitionId(0)});
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(produce(partition, batch_of({std::string(500, 'x')}, clock_.wall_ms())).ok());
    }
  }
  EXPECT_EQ(broker_->apply_retention(), 0);
  clock_.advance(std::chrono::minutes(2));
  EXPECT_GT(broker_->apply_retention(), 0);
  EXPECT_GT(broker_->partition({"by-default", PartitionId(0)})->log_start(), Offset(0));
  EXPECT_EQ(broker_->partition({"own", PartitionId(0)})->log_start(), Offset(0));
}

TEST_F(TopicDefaultsTest, LazyFlushingByThemStillReachesTheDisk) {
  open({{"flush", "interval"}, {"flush.ms", "1"}});
  ASSERT_TRUE(create("t").ok());
  Partition& partition = *broker_->partition({"t", PartitionId(0)});
  ASSERT_TRUE(produce(partition, batch_of({"a"})).ok());
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (partition.log().durable_end() < Offset(1) && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(partition.log().durable_end(), Offset(1));
}

}  // namespace
}  // namespace headrace::broker
