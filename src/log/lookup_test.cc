// Finding records by their time.
#include "log/log_test_support.h"

namespace headrace::log {
namespace {

class LookupTest : public ::testing::Test, public TestLog {
 protected:
  void SetUp() override { ASSERT_OK(open()); }
};

TEST_F(LookupTest, FindsTheFirstRecordAtOrAfterATime) {
  config.segment_bytes = 3000;
  log->set_config(config);
  for (int i = 0; i < 300; ++i) ASSERT_OK(append(*log, make_batch("x", 3, 1000 + 10 * i)));
  ASSERT_OK(log->flush());
  for (int i = 0; i < 300; i += 11) {
    auto found = log->offset_for_timestamp(1000 + 10 * i + 1);
    ASSERT_OK(found);
    ASSERT_TRUE(found->has_value());
    EXPECT_EQ((*found)->offset.value, 3 * i + 1);
    EXPECT_EQ((*found)->timestamp_ms, 1000 + 10 * i + 1);
  }
  auto none = log->offset_for_timestamp(1'000'000);
  ASSERT_OK(none);
  EXPECT_FALSE(none->has_value());
  auto latest = log->max_timestamp();
  ASSERT_OK(latest);
  EXPECT_EQ((*latest)->offset.value, 899);
  EXPECT_EQ((*latest)->timestamp_ms, 1000 + 2990 + 2);
}

TEST_F(LookupTest, TheLatestTimeIsOneThatCanBeRead) {
  ASSERT_OK(append(*log, make_batch("a", 1, 1000)));
  EXPECT_FALSE((*log->max_timestamp()).has_value());
  ASSERT_OK(log->flush());
  ASSERT_OK(append(*log, make_batch("b", 1, 2000)));
  EXPECT_EQ((*log->max_timestamp())->timestamp_ms, 1000) << "the later one is not on the disk";
  ASSERT_OK(append(*log, make_batch("c", 1, 500)));
  ASSERT_OK(log->flush());
  EXPECT_EQ((*log->max_timestamp())->timestamp_ms, 2000);
  ASSERT_OK(log->delete_records(Offset(2)));
  EXPECT_EQ((*log->max_timestamp())->timestamp_ms, 500) << "that of what is left";
}

TEST_F(LookupTest, TheLatestTimeIsOfARecordThatIsLeft) {
  record::BatchBuilder builder;
  builder.add(3000, "k", "a");
  builder.add(2000, "k", "b");
  ASSERT_OK(append(*log, builder.finish()));
  ASSERT_OK(append(*log, make_batch("c", 1, 1000)));
  ASSERT_OK(log->flush());
  for (auto [start, latest] : {std::pair(0, 3000), {1, 2000}, {2, 1000}}) {
    ASSERT_OK(log->delete_records(Offset(start)));
    auto found = log->max_timestamp();
    ASSERT_OK(found);
    ASSERT_TRUE(found->has_value()) << start;
    EXPECT_EQ((*found)->offset, Offset(start));
    EXPECT_EQ((*found)->timestamp_ms, latest);
  }
  ASSERT_OK(append(*log, make_batch("d", 1, 4000)));
  EXPECT_EQ((*log->max_timestamp())->timestamp_ms, 1000) << "the later one is not on the disk";
}

TEST_F(LookupTest, HowLateSegmentsAreIsReadOnce) {
  config.segment_bytes = 3000;
  log->set_config(config);
  for (int i = 0; i < 100; ++i) ASSERT_OK(append(*log, make_batch("x", 3, 1000 + 10 * i)));
  ASSERT_OK(log->close());
  ASSERT_OK(open());
  for (int i = 0; i < 2; ++i) {
    uint64_t opened = disk.calls(os::DiskCall::kOpen);
    EXPECT_FALSE((*log->offset_for_timestamp(1'000'000)).has_value());
    EXPECT_EQ(disk.calls(os::DiskCall::kOpen) > opened, i == 0);
    log->release_idle_resources();
  }
  ASSERT_OK(append(*log, make_batch("late", 1, 1'000'000)));
  ASSERT_OK(log->flush());
  EXPECT_EQ((*log->offset_for_timestamp(1'000'000))->offset, Offset(300));
}

TEST_F(LookupTest, TimesThatGoBackwardsAreFoundInOffsetOrder) {
  for (int64_t time : {100, 500, 200, 400, 600}) ASSERT_OK(append(*log, make_batch("x", 1, time)));
  ASSERT_OK(log->flush());
  EXPECT_EQ((*log->offset_for_timestamp(300))->offset.value, 1);
  EXPECT_EQ((*log->offset_for_timestamp(550))->offset.value, 4);
}

/// A batch of one record at `time_ms` whose header tells that it is of `told_ms`.
record::Batch lying_batch(int64_t time_ms, int64_t told_ms) {
  constexpr size_t kMaxTimestampAt = 35;
  record::Batch honest = make_batch("x", 1, time_ms);
  Bytes bytes(honest.bytes().view().begin(), honest.bytes().view().end());
  for (size_t i = 0; i < sizeof(told_ms); ++i)
    bytes[kMaxTimestampAt + i] = static_cast<uint8_t>(told_ms >> (56 - 8 * i));
  record::seal(bytes);
  return *record::Batch::parse_trusted(SharedBytes(std::move(bytes)));
}

TEST_F(LookupTest, FewBatchesAreOpenedWhoseHeadersTellTimesThatNoRecordHas) {
  for (int i = 0; i < 10; ++i) ASSERT_OK(append(*log, lying_batch(1000, 9000)));
  ASSERT_OK(append(*log, make_batch("x", 1, 5000)));
  ASSERT_OK(log->flush());
  EXPECT_EQ((*log->offset_for_timestamp(4000))->offset, Offset(10));
  for (int i = 0; i < 90; ++i) ASSERT_OK(append(*log, lying_batch(1000, 9000)));
  ASSERT_OK(append(*log, make_batch("x", 1, 8000)));
  ASSERT_OK(log->flush());
  auto found = log->offset_for_timestamp(7000);
  ASSERT_OK(found);
  EXPECT_EQ((*found)->offset, Offset(17)) << "before the record, so that who reads from there misses nothing";
  EXPECT_LT((*log->max_timestamp())->offset, Offset(101));
}

}  // namespace
}  // namespace headrace::log
