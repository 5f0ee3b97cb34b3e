// What becomes of changes that were answered with an error, since the disk failed under the metadata log: until the
// next start what was before acts, and no other change is taken.
#include <gtest/gtest.h>

#include <functional>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

const QuotaEntity kClient{{"client-id", "app"}};

class FailedChange : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kError);
    open();
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 1, .configs = {{"retention.ms", "1000"}}}).ok());
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
  void open() {
    broker_.reset();
    auto opened = Broker::open({.data_directory = "/data", .flush_threads = 1}, metrics_, os::system_clock(), disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  void lose_power() {
    disk_.crash();
    broker_.reset();
    disk_.restart(os::CrashMode::kDrop, 1);
    open();
  }
  Status alter(const std::string& retention_ms) {
    return broker_->alter_configs("t", {{"retention.ms", retention_ms}});
  }
  Status set_quota() {
    return broker_->settings().alter_quota(kClient, {{"producer_byte_rate", 1000.0}}, /*validate_only=*/false);
  }
  /// The changes of topics and settings of which the first one fails at its fsync.
  void change_on_a_failing_disk(const std::vector<std::function<Status()>>& changes) {
    disk_.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
    for (const auto& change : changes) {
      Status failed = change();
      ASSERT_FALSE(failed.ok());
      EXPECT_EQ(failed.error().code, ErrorCode::kIo) << failed.error().message;
    }
  }
  std::string retention() { return broker_->topic("t")->configs.at("retention.ms"); }
  size_t partitions() { return broker_->topic("t")->partitions.size(); }
  bool has_quota() { return !broker_->settings().quotas()->entries().empty(); }

  flow::MetricsRegistry metrics_;
  os::SimulatedFileSystem disk_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(FailedChange, OfAConfigMayActAfterTheNextStartAndNotBefore) {
  change_on_a_failing_disk({[&] { return alter("2000"); }, [&] { return alter("3000"); }, [&] { return set_quota(); }});
  EXPECT_EQ(retention(), "1000");
  EXPECT_FALSE(has_quota());
  open();
  EXPECT_EQ(retention(), "2000") << "what was written of it is found; the ones behind it were refused";
  EXPECT_FALSE(has_quota());
  ASSERT_TRUE(alter("4000").ok());
  lose_power();
  EXPECT_EQ(retention(), "4000");
}

TEST_F(FailedChange, OfAConfigIsGoneWithThePower) {
  change_on_a_failing_disk({[&] { return alter("2000"); }});
  lose_power();
  EXPECT_EQ(retention(), "1000");
  ASSERT_TRUE(alter("2000").ok());
}

TEST_F(FailedChange, OfAQuotaIsTheSame) {
  change_on_a_failing_disk({[&] { return set_quota(); }});
  EXPECT_FALSE(has_quota());
  open();
  EXPECT_TRUE(has_quota());
}

/// The folders of new partitions and topics are made before: each fsync fails once.
TEST_F(FailedChange, OfTheTopicsThatThereAreIsDoneOrNotAfterTheNextStart) {
  bool happened = true;
  for (uint64_t nth = 1; happened; ++nth) {
    SCOPED_TRACE("fsync " + std::to_string(nth));
    size_t before = partitions();
    std::string name = "n" + std::to_string(nth);
    disk_.fail(os::DiskCall::kSync, nth, os::DiskFault::kIoError);
    bool grown = broker_->create_partitions("t", static_cast<int32_t>(before) + 1).ok();
    bool created = broker_->create_topic({.name = name, .partitions = 1, .configs = {}}).ok();
    happened = disk_.fault_happened();
    EXPECT_EQ(partitions(), before + grown);
    EXPECT_EQ(broker_->topic(name) != nullptr, created);
    disk_.fail(os::DiskCall::kSync, UINT64_MAX, os::DiskFault::kIoError);
    open();
    EXPECT_TRUE(partitions() == before + 1 || (partitions() == before && !grown));
    EXPECT_TRUE(broker_->topic(name) || !created);
    for (const std::string& topic : {std::string("t"), name}) {
      auto found = broker_->topic(topic);
      if (!found) continue;
      for (const auto& partition : found->partitions) EXPECT_TRUE(produce(*partition, batch_of({"v"})).ok());
    }
  }
}

}  // namespace
}  // namespace headrace::broker
