// A broker on a simulated disk, for tests of power losses and of calls to the disk that fail.
#pragma once

#include <gtest/gtest.h>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {

class SimulatedDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kError);
    open();
  }
  void TearDown() override {
    close();
    set_log_level(LogLevel::kInfo);
  }

  Status try_open() {
    ASSIGN_OR_RETURN(broker_, Broker::open({.data_directory = "/data", .flush_threads = 1}, metrics_, clock_, disk_));
    return {};
  }
  /// Again, if it is open.
  virtual void open() {
    close();
    Status opened = try_open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
  }
  virtual void close() { broker_.reset(); }
  /// The power goes, and with it what was not synced.
  void lose_power() {
    disk_.crash();
    close();
    disk_.restart(os::CrashMode::kDrop, 1);
    open();
  }
  void create(const std::string& topic, std::map<std::string, std::string> configs = {}) {
    ASSERT_TRUE(broker_->create_topic({.name = topic, .partitions = 1, .configs = std::move(configs)}).ok());
  }
  std::shared_ptr<Partition> partition(const std::string& topic = "t") {
    return broker_->partition({topic, PartitionId(0)});
  }

  os::SimulatedFileSystem disk_;
  JumpingClock clock_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

}  // namespace headrace::broker
