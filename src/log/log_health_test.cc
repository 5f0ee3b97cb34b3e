// Logs tell what is wrong with them when it changes.
#include "log/log_health.h"

#include "log/log_test_support.h"

namespace headrace::log {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Heard final : public HealthListener {
 public:
  void health_changed(const std::string& directory, const LogHealth& health) override {
    told.push_back({directory, health});
  }
  std::vector<std::pair<std::string, LogHealth>> told;
};

class LogHealthTest : public testing::Test {
 protected:
  LogHealthTest() {
    set_log_level(LogLevel::kError);
    config_.preallocate_bytes_max = 0;
    EXPECT_TRUE(disk_.make_directories("/data").ok());
  }
  ~LogHealthTest() override { set_log_level(LogLevel::kInfo); }

  void open() {
    std::shared_ptr<LogResources> resources(new LogResources{.open_files = OpenFiles(8), .health = heard_});
    auto opened = PartitionLog::open(disk_, clock_, kDirectory, config_, resources);
    ASSERT_OK(opened);
    log_ = *std::move(opened);
  }
  /// Three batches of more than 150 bytes, on the disk.
  void fill(int64_t segment_bytes) {
    config_.segment_bytes = segment_bytes;
    open();
    for (const char* name : {"a", "b", "c"}) ASSERT_OK(append(*log_, make_batch(std::string(100, name[0]))));
    ASSERT_OK(log_->flush());
  }
  void damage(const std::string& file) {
    Bytes bytes = disk_.content(file);
    bytes[record::kBatchHeaderBytes + 20] ^= 1;
    disk_.set_content(file, bytes);
  }
  /// How many ranges were told, one number for each time.
  std::vector<size_t> ranges_told() const {
    std::vector<size_t> ranges;
    for (const auto& [directory, health] : heard_->told) ranges.push_back(health.damaged.size());
    return ranges;
  }

  const std::string kDirectory = "/data/t-0";
  os::SimulatedFileSystem disk_;
  os::ManualClock clock_{kTestTimeMs};
  LogConfig config_;
  std::shared_ptr<Heard> heard_ = std::make_shared<Heard>();
  std::unique_ptr<PartitionLog> log_;
};

TEST_F(LogHealthTest, AFailedFsyncIsToldOnceAndTakenBackAtTheEnd) {
  open();
  ASSERT_OK(append(*log_, make_batch("a")));
  disk_.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  EXPECT_FALSE(log_->flush().ok());
  EXPECT_FALSE(append(*log_, make_batch("b")).ok());
  ASSERT_EQ(heard_->told.size(), 1u);
  EXPECT_EQ(heard_->told[0].first, kDirectory);
  ASSERT_TRUE(heard_->told[0].second.out_of_service);
  EXPECT_EQ(heard_->told[0].second.out_of_service->message, log_->out_of_service()->message);
  log_.reset();
  ASSERT_EQ(heard_->told.size(), 2u);
  EXPECT_TRUE(heard_->told[1].second.sound());
  open();
  EXPECT_FALSE(log_->out_of_service());
  EXPECT_EQ(heard_->told.size(), 2u) << "the restart wrote it again";
}

TEST_F(LogHealthTest, ADestroyedLogIsSoundAndSaysNoMore) {
  open();
  ASSERT_OK(append(*log_, make_batch("a")));
  disk_.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  EXPECT_FALSE(log_->flush().ok());
  ASSERT_OK(log_->destroy());
  ASSERT_EQ(heard_->told.size(), 2u);
  EXPECT_TRUE(heard_->told[1].second.sound());
  log_.reset();
  EXPECT_EQ(heard_->told.size(), 2u) << "another log may have the directory's name by now";
}

TEST_F(LogHealthTest, DamageIsToldWhenAReadComesUponItAndGoesWithItsSegment) {
  fill(/*segment_bytes=*/150);
  damage(kDirectory + "/00000000000000000001.log");
  EXPECT_THAT(heard_->told, IsEmpty());
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(log_->read(Offset(1), 1 << 20, Offset(3)).ok());
  ASSERT_THAT(ranges_told(), ElementsAre(1));
  EXPECT_EQ(heard_->told[0].second.damaged[0].from, Offset(1));
  EXPECT_THAT(heard_->told[0].second.damaged[0].file, HasSubstr("00000000000000000001.log"));
  EXPECT_FALSE(heard_->told[0].second.out_of_service);
  ASSERT_OK(log_->delete_records(Offset(1)));
  EXPECT_THAT(ranges_told(), ElementsAre(1));
  ASSERT_OK(log_->delete_records(Offset(2)));
  EXPECT_THAT(ranges_told(), ElementsAre(1, 0));
}

TEST_F(LogHealthTest, DamageBelowTheLogsStartIsNobodysTroubleAnyMore) {
  fill(/*segment_bytes=*/10'000);
  damage(kDirectory + "/00000000000000000000.log");
  EXPECT_FALSE(log_->read(Offset(0), 1 << 20, Offset(3)).ok());
  ASSERT_THAT(ranges_told(), ElementsAre(1));
  ASSERT_OK(log_->delete_records(heard_->told[0].second.damaged[0].to));
  EXPECT_THAT(ranges_told(), ElementsAre(1, 0));
}

TEST_F(LogHealthTest, DamageThatAStartFindsIsToldThen) {
  fill(/*segment_bytes=*/10'000);
  log_.reset();
  ASSERT_OK(disk_.remove(kDirectory + "/headrace.checkpoint"));
  damage(kDirectory + "/00000000000000000000.log");
  open();
  EXPECT_THAT(ranges_told(), ElementsAre(1));
  ASSERT_OK(log_->close());
  EXPECT_THAT(ranges_told(), ElementsAre(1, 0));
}

}  // namespace
}  // namespace headrace::log
