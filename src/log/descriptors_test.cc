// A log in a process that has no descriptors left: nothing is lost, and everything is done later.
#include "log/log_test_support.h"

namespace headrace::log {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WithoutDescriptors : public ::testing::Test, public TestLog {
 protected:
  void SetUp() override { ASSERT_OK(open()); }
};

TEST_F(WithoutDescriptors, AFlushAfterARollWaitsAndIsDoneLater) {
  config.segment_bytes = 200;
  log->set_config(config);
  ASSERT_OK(append(*log, make_batch(std::string(200, 'a'))));
  ASSERT_OK(append(*log, make_batch("b")));
  disk.set_descriptors_left(false);
  EXPECT_EQ(log->flush().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(append(*log, make_batch(std::string(200, 'c'))).error().code, ErrorCode::kUnavailable) << "it must roll";
  EXPECT_FALSE(log->out_of_service());
  EXPECT_EQ(log->durable_end().value, 0);
  disk.set_descriptors_left(true);
  ASSERT_OK(append(*log, make_batch(std::string(200, 'c'))));
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->durable_end().value, 3);
  disk.crash();
  disk.restart(os::CrashMode::kDrop, 1);
  ASSERT_OK(open());
  EXPECT_THAT(read_values(*log, Offset(0)), SizeIs(3));
}

TEST_F(WithoutDescriptors, RetentionTakesNothingWhoseTimeItCannotKnow) {
  config.segment_bytes = 200;
  config.retention_ms = 60'000;
  log->set_config(config);
  for (int i = 0; i < 2; ++i) ASSERT_OK(append(*log, make_batch(std::string(200, 'y'), 1, kTestTimeMs)));
  config.segment_bytes = 1 << 20;
  log->set_config(config);
  ASSERT_OK(append(*log, make_batch(std::string(200, 'o'), 1, 1000)));
  ASSERT_OK(log->close());
  ASSERT_OK(open());
  ASSERT_OK(append(*log, make_batch("o", 1, 1000)));
  disk.set_descriptors_left(false);
  auto removed = log->delete_old_segments();
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(log->log_start_offset(), Offset(0));
}

/// A log whose files were closed to make room for others.
class EvictedLog : public WithoutDescriptors {
 protected:
  void SetUp() override {
    auto opened = PartitionLog::open(disk, clock, directory, config, resources_);
    ASSERT_OK(opened);
    log = *std::move(opened);
    ASSERT_OK(append(*log, make_batch("a")));
    ASSERT_OK(log->flush());
    ASSERT_OK(append(*log, make_batch("b")));
  }
  ~EvictedLog() override { log.reset(); }
  void evict() {
    auto other = PartitionLog::open(disk, clock, "/data/other-0", config, resources_);
    ASSERT_OK(other);
    for (int i = 0; i < 3; ++i) {
      ASSERT_OK(append(**other, make_batch("x")));
      ASSERT_OK((*other)->flush());
    }
  }

  const std::shared_ptr<LogResources> resources_{new LogResources{.open_files = OpenFiles(1)}};
};

TEST_F(EvictedLog, NeedsNoDescriptorForAFlush) {
  evict();
  disk.set_descriptors_left(false);
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->durable_end().value, 2);
}

TEST_F(EvictedLog, RefusesAppendsOnlyWhileItCannotBeOpened) {
  evict();
  disk.set_descriptors_left(false);
  EXPECT_EQ(append(*log, make_batch("c")).error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(log->read(Offset(0), 100, Offset(2)).ok());
  EXPECT_FALSE(log->out_of_service());
  EXPECT_THAT(log->damaged_ranges(), IsEmpty());
  disk.set_descriptors_left(true);
  ASSERT_OK(append(*log, make_batch("c")));
  ASSERT_OK(log->flush());
  EXPECT_THAT(read_values(*log, Offset(0)), ElementsAre("a-0", "b-0", "c-0"));
}

TEST_F(WithoutDescriptors, IdleResourcesAreGivenBackAndTakenAgain) {
  ASSERT_OK(append(*log, make_batch("a", 2)));
  ASSERT_OK(log->flush());
  log->release_idle_resources();
  EXPECT_THAT(read_values(*log, Offset(0)), SizeIs(2));
  log->release_idle_resources();
  ASSERT_OK(append(*log, make_batch("b", 2)));
  ASSERT_OK(log->flush());
  EXPECT_THAT(read_values(*log, Offset(0)), SizeIs(4));
}

}  // namespace
}  // namespace headrace::log
