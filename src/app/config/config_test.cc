#include "app/config/config.h"

#include <gtest/gtest.h>

#include "app/bus_factory.h"
#include "base/temp_directory.h"

namespace headrace::app {
namespace {

using namespace std::chrono_literals;

Config load(const std::string& text) {
  Problems problems;
  Config config = load_config(text, {}, problems);
  EXPECT_TRUE(problems.empty()) << problems.render("test");
  return config;
}

TEST(BrokerSection, HasKafkasIntervalsByDefault) {
  Config config = load("data: /data\n");
  EXPECT_EQ(config.broker.options.retention_check_interval, 5min);
  EXPECT_EQ(config.broker.options.compaction.interval, 15s);
}

TEST(BrokerSection, RefusesIntervalsThatNeverPause) {
  Problems problems;
  load_config("broker: {compaction_interval: 99ms}\n", {}, problems);
  EXPECT_NE(problems.render("test").find("compaction_interval"), std::string::npos) << problems.render("test");
}

TEST(BrokerSection, RefusesHeartbeatsThatComeTooLate) {
  Problems problems;
  load_config("broker:\n  consumer_group_session_timeout: 1s\n  consumer_group_heartbeat_interval: 5s\n", {}, problems);
  EXPECT_NE(problems.render("test").find("test:3:38: broker: consumer_group_heartbeat_interval"), std::string::npos)
      << problems.render("test");
}

std::string problems_of(const std::string& text) {
  Problems problems;
  load_config(text, {}, problems);
  return problems.render("test");
}

TEST(BrokerSection, TopicDefaultsAreTopicPropertiesWithUnits) {
  Config config = load("broker:\n  topic_defaults: {retention.ms: 1d, segment.bytes: 64MiB, flush: os}\n");
  EXPECT_EQ(config.broker.options.topic_defaults,
            (std::map<std::string, std::string, std::less<>>{
                {"flush", "os"}, {"retention.ms", "86400000"}, {"segment.bytes", "67108864"}}));
}

TEST(BrokerSection, TellsWrongTopicDefaultsWithTheirPlaces) {
  std::string told = problems_of(
      "broker:\n  topic_defaults:\n    retention.ms: soon\n    log.retention.ms: 7d\n    cleanup.policy: [compact]\n"
      "    min.compaction.lag.ms: 2h\n    max.compaction.lag.ms: 1h\n");
  for (const char* one : {"test:3:19: broker: topic_defaults: config retention.ms: 'soon' is not allowed",
                          "test:4:23: broker: topic_defaults: unknown topic config 'log.retention.ms'",
                          "test:5:5: broker: 'cleanup.policy' must be a single value",
                          "test:6:28: broker: topic_defaults: config min.compaction.lag.ms: 7200000 is more than"}) {
    EXPECT_NE(told.find(one), std::string::npos) << one << " is not in " << told;
  }
  EXPECT_NE(problems_of("broker: {topic_defaults: compact}\n").find("test:1:26: broker: 'topic_defaults' must be"),
            std::string::npos);
}

TEST(BrokerSection, TopicsAreHeldAgainstTheDefaultsOfTheEmbeddedBroker) {
  std::string file =
      "broker: {topic_defaults: {max.compaction.lag.ms: 1h}}\ntopics:\n  a: {}\n  t: {min.compaction.lag.ms: 2h}\n";
  EXPECT_EQ(problems_of(file),
            "test:4:30: topic t: config min.compaction.lag.ms: 7200000 is more than max.compaction.lag.ms, which is "
            "3600000\n");
  EXPECT_EQ(problems_of("bus: {kafka: {bootstrap.servers: 'h:1'}}\n" + file), "");
}

TEST(BrokerSection, RefusesSessionTimeoutsThatNobodyCanHave) {
  EXPECT_NE(problems_of("broker: {group_session_timeout_min: 2s, group_session_timeout_max: 1s}\n")
                .find("test:1:37: broker: group_session_timeout_min"),
            std::string::npos);
}

TEST(BrokerSection, ReachesTheEmbeddedBroker) {
  TempDirectory folder;
  flow::MetricsRegistry metrics;
  auto open = open_bus(
      load("data: " + folder.path() + "\nbroker: {compaction_interval: 100ms, retention_check_interval: 200ms}\n"),
      metrics);
  ASSERT_TRUE(open.ok()) << open.error().message;
  EXPECT_EQ(open->broker->options().compaction.interval, 100ms);
  EXPECT_EQ(open->broker->options().retention_check_interval, 200ms);
  open->bus.reset();
  open->broker.reset();
}

TEST(BrokerSection, LimitsReachTheEmbeddedBroker) {
  TempDirectory folder;
  flow::MetricsRegistry metrics;
  Config config = load(
      "data: " + folder.path() +
      "\nbroker:\n  topic_defaults: {retention.ms: 1d}\n  group_session_timeout_min: 1s\n"
      "  group_session_timeout_max: 2s\n  group_members_max: 3\n  groups_max: 4\n  group_metadata_bytes_max: 19MiB\n"
      "  offsets_retention: 5m\n  transaction_timeout_max: 6m\n  transactional_id_expiration: 7s\n"
      "  transactional_id_cleanup_interval: 8s\n  transactional_ids_max: 9\n"
      "  producer_id_expiration: 10s\n  connection_idle_max: 11s\n  request_bytes_max: 12MiB\n"
      "  fetch_bytes_max: 13MiB\n  compaction_memory_max: 14MiB\n"
      "  compaction_bytes_per_second_max: 15MiB\n  flush_threads: 16\n"
      "  offset_metadata_bytes_max: 17\n  fetch_sessions_max: 18\n");
  EXPECT_EQ(config.broker.connection_idle_max, 11s);
  EXPECT_EQ(config.broker.request_bytes_max, 12u << 20);
  EXPECT_EQ(config.broker.fetch_bytes_max, 13 << 20);
  EXPECT_EQ(config.broker.fetch_sessions_max, 18u);
  auto open = open_bus(config, metrics);
  ASSERT_TRUE(open.ok()) << open.error().message;
  const broker::BrokerOptions& options = open->broker->options();
  EXPECT_EQ(options.topic_defaults, config.broker.options.topic_defaults);
  EXPECT_EQ(options.group_session_timeout_min, 1s);
  EXPECT_EQ(options.group_session_timeout_max, 2s);
  EXPECT_EQ(options.group_members_max, 3u);
  EXPECT_EQ(options.groups_max, 4u);
  EXPECT_EQ(options.group_metadata_bytes_max, 19u << 20);
  EXPECT_EQ(options.offsets_retention, 5min);
  EXPECT_EQ(options.transaction_timeout_max, 6min);
  EXPECT_EQ(options.transactional_id_expiration, 7s);
  EXPECT_EQ(options.transactional_id_cleanup_interval, 8s);
  EXPECT_EQ(options.transactional_ids_max, 9u);
  EXPECT_EQ(options.producer_id_expiration, 10s);
  EXPECT_EQ(options.compaction.offset_map_bytes_max, 14u << 20);
  EXPECT_EQ(options.compaction.bytes_per_second_max, 15 << 20);
  EXPECT_EQ(options.flush_threads, 16);
  EXPECT_EQ(options.offset_metadata_bytes_max, 17u);
  open->bus.reset();
  open->broker.reset();
}

TEST(BrokerSection, SaysWhatTheBrokerDoesByItself) {
  TempDirectory folder;
  flow::MetricsRegistry metrics;
  auto open = open_bus(load("data: " + folder.path() + "\n"), metrics);
  ASSERT_TRUE(open.ok()) << open.error().message;
  const broker::BrokerOptions& options = open->broker->options();
  broker::BrokerOptions own;
  EXPECT_EQ(options.group_session_timeout_min, own.group_session_timeout_min);
  EXPECT_EQ(options.group_session_timeout_max, own.group_session_timeout_max);
  EXPECT_EQ(options.group_members_max, own.group_members_max);
  EXPECT_EQ(options.group_metadata_bytes_max, own.group_metadata_bytes_max);
  EXPECT_EQ(options.groups_max, own.groups_max);
  EXPECT_EQ(options.offsets_retention, own.offsets_retention);
  EXPECT_EQ(options.transaction_timeout_max, own.transaction_timeout_max);
  EXPECT_EQ(options.transactional_id_expiration, own.transactional_id_expiration);
  EXPECT_EQ(options.transactional_id_cleanup_interval, own.transactional_id_cleanup_interval);
  EXPECT_EQ(options.transactional_ids_max, own.transactional_ids_max);
  EXPECT_EQ(options.producer_id_expiration, own.producer_id_expiration);
  EXPECT_EQ(options.compaction.offset_map_bytes_max, own.compaction.offset_map_bytes_max);
  EXPECT_EQ(options.compaction.bytes_per_second_max, own.compaction.bytes_per_second_max);
  EXPECT_GE(options.flush_threads, own.flush_threads);
  EXPECT_EQ(options.offset_metadata_bytes_max, own.offset_metadata_bytes_max);
  open->bus.reset();
  open->broker.reset();
}

}  // namespace
}  // namespace headrace::app
