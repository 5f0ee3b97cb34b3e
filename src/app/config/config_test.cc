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
  EXPECT_EQ(config.broker.retention_check_interval, 5min);
  EXPECT_EQ(config.broker.compaction_interval, 15s);
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

}  // namespace
}  // namespace headrace::app
