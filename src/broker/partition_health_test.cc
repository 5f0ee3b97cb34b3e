// Who watches the metrics or the states of components sees which partitions take no more records, and why.
#include "broker/partition_health.h"

#include <gmock/gmock.h>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class PartitionHealthTest : public testing::Test {
 protected:
  PartitionHealthTest() { set_log_level(LogLevel::kError); }
  ~PartitionHealthTest() override { set_log_level(LogLevel::kInfo); }

  int64_t metric(std::string_view name) const {
    for (const auto& sample : metrics_.samples()) {
      if (sample.name == name) return sample.value;
    }
    return -1;
  }
  int64_t out_of_service() const { return metric("headrace_partitions_out_of_service"); }
  int64_t damaged_ranges() const { return metric("headrace_damaged_ranges"); }
  /// What is told of the partitions; nothing as long as all of them were well.
  flow::MetricsRegistry::State state() const {
    for (const auto& state : metrics_.states()) {
      if (state.component == "partitions") return state;
    }
    return {};
  }

  flow::MetricsRegistry metrics_;
};

log::LogHealth failed() { return {.out_of_service = Error{ErrorCode::kIo, "no disk"}, .damaged = {}}; }
log::LogHealth damaged(int ranges) {
  log::LogHealth health;
  for (int i = 0; i < ranges; ++i) health.damaged.push_back({Offset(i), Offset(i + 10), "0.log", 7});
  return health;
}

TEST_F(PartitionHealthTest, CountsWhatIsSoNow) {
  PartitionHealth health(metrics_);
  EXPECT_EQ(out_of_service(), 0);
  EXPECT_EQ(damaged_ranges(), 0);
  health.health_changed("/data/a-0", damaged(1));
  health.health_changed("/data/a-0", damaged(2));
  EXPECT_EQ(damaged_ranges(), 2);
  EXPECT_EQ(state().state, "damaged");
  EXPECT_THAT(state().detail,
              HasSubstr("a-0 can't give offsets 0 to 9: 0.log is damaged at byte 7, and 1 more range."));
  health.health_changed("/data/b-1", failed());
  EXPECT_EQ(out_of_service(), 1);
  EXPECT_EQ(state().state, "failed");
  EXPECT_THAT(state().detail,
              AllOf(testing::StartsWith("b-1 takes no more records: no disk.\n"), HasSubstr("restart")));
  health.health_changed("/data/b-1", {});
  EXPECT_EQ(out_of_service(), 0);
  EXPECT_THAT(state().detail, Not(HasSubstr("restart")));
  health.health_changed("/data/a-0", {});
  EXPECT_EQ(damaged_ranges(), 0);
  EXPECT_EQ(state().state, "running");
  EXPECT_EQ(state().detail, "");
}

TEST_F(PartitionHealthTest, NamesAFewOfManyAndThoseThatTakeNoRecordsFirst) {
  PartitionHealth health(metrics_);
  for (int i = 0; i < 100; ++i) health.health_changed("/data/a-" + std::to_string(i), damaged(1));
  for (int i = 0; i < 3; ++i) health.health_changed("/data/b-" + std::to_string(i), failed());
  EXPECT_EQ(out_of_service(), 3);
  EXPECT_EQ(damaged_ranges(), 100);
  EXPECT_THAT(state().detail, AllOf(HasSubstr("b-2 takes no more"), HasSubstr("a-0 can't"), HasSubstr("And 95 more.")));
}

class BrokerHealthTest : public PartitionHealthTest {
 protected:
  BrokerHealthTest() { open(); }

  void open() {
    broker_.reset();
    auto opened = Broker::open({.data_directory = "/data", .flush_threads = 1}, metrics_, os::system_clock(), disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  std::shared_ptr<Partition> create(const std::string& name) {
    auto created = broker_->create_topic({.name = name, .partitions = 1, .configs = {}});
    return created.ok() ? (*created)->partitions[0] : nullptr;
  }
  void fail_fsync() { disk_.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError); }

  os::SimulatedFileSystem disk_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(BrokerHealthTest, AFailedFsyncIsShownUntilARestart) {
  auto a = create("a"), b = create("b");
  ASSERT_TRUE(produce(*a, batch_of({"1"})).ok());
  fail_fsync();
  EXPECT_EQ(produce(*a, batch_of({"2"})).error().code, ErrorCode::kIo);
  EXPECT_EQ(out_of_service(), 1);
  EXPECT_EQ(state().state, "failed");
  EXPECT_THAT(state().detail, HasSubstr("a-0 takes no more records"));
  EXPECT_TRUE(produce(*b, batch_of({"1"})).ok());
  EXPECT_THAT(values_in(*a), ElementsAre("1"));
  a.reset();
  open();
  EXPECT_EQ(out_of_service(), 0);
  EXPECT_TRUE(produce(*broker_->partition({"a", PartitionId(0)}), batch_of({"3"})).ok());
}

TEST_F(BrokerHealthTest, ATopicThatIsDeletedTakesItsShareBackWhoeverHoldsIt) {
  auto a = create("a");
  fail_fsync();
  EXPECT_FALSE(produce(*a, batch_of({"1"})).ok());
  EXPECT_EQ(out_of_service(), 1);
  ASSERT_TRUE(broker_->delete_topic("a").ok());
  EXPECT_EQ(out_of_service(), 0);
  EXPECT_EQ(state().state, "running");
  auto again = create("a");
  fail_fsync();
  EXPECT_FALSE(produce(*again, batch_of({"1"})).ok());
  a.reset();
  EXPECT_EQ(out_of_service(), 1) << "that of the new one";
}

TEST_F(BrokerHealthTest, TheLogOfTheMetadataIsWatchedToo) {
  fail_fsync();
  EXPECT_EQ(create("a"), nullptr);
  EXPECT_THAT(state().detail, HasSubstr("__cluster_metadata-0 takes no more records"));
  EXPECT_GE(out_of_service(), 1);
}

}  // namespace
}  // namespace headrace::broker
