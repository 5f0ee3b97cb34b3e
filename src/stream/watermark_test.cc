#include "stream/watermark.h"

namespace headrace::stream {
namespace {

using namespace std::chrono_literals;

constexpr PartitionId kFirst{0}, kSecond{1};

WatermarkTracker tracker() {
  WatermarkTracker tracker({.delay = 1000ms, .idle_timeout = 5000ms});
  tracker.add_partition(kFirst, 0s, 0);
  tracker.add_partition(kSecond, 0s, 0);
  return tracker;
}

TEST(Watermark, IsTheLowestPartitionsNewestEventMinusTheDelay) {
  auto marks = tracker();
  marks.observe(kFirst, 50'000, 0s, 0);
  EXPECT_FALSE(marks.advance());
  EXPECT_EQ(marks.watermark_ms(), kNoEventTime);
  marks.observe(kSecond, 20'000, 0s, 0);
  EXPECT_TRUE(marks.advance());
  EXPECT_EQ(marks.watermark_ms(), 19'000);
}

TEST(Watermark, NeverGoesBack) {
  auto marks = tracker();
  marks.observe(kFirst, 50'000, 0s, 0);
  marks.observe(kSecond, 50'000, 0s, 0);
  marks.advance();
  marks.observe(kSecond, 10'000, 0s, 0);
  EXPECT_FALSE(marks.advance());
  EXPECT_EQ(marks.watermark_ms(), 49'000);
}

TEST(Watermark, APartitionThatFellSilentIsNotWaitedForUntilItsNextRecord) {
  auto marks = tracker();
  marks.observe(kFirst, 50'000, 4s, 4000);
  EXPECT_EQ(marks.idle_candidates(5s), std::vector<PartitionId>{kSecond});
  marks.set_idle(kSecond);
  EXPECT_TRUE(marks.advance());
  EXPECT_EQ(marks.watermark_ms(), 49'000);
  EXPECT_FALSE(marks.silent());
  marks.observe(kSecond, 60'000, 6s, 6000);
  marks.observe(kFirst, 90'000, 6s, 6000);
  marks.advance();
  EXPECT_EQ(marks.watermark_ms(), 59'000);
}

TEST(Watermark, APartitionWithRecordsToReadStaysActive) {
  auto marks = tracker();
  marks.keep_active(kFirst, 5s);
  EXPECT_EQ(marks.idle_candidates(5s), std::vector<PartitionId>{kSecond});
}

TEST(Watermark, TheWallClockBoundExistsOnlyInSilence) {
  auto marks = tracker();
  marks.observe(kFirst, 50'000, 1s, 101'000);
  EXPECT_EQ(marks.wall_bound_ms(6s), kNoEventTime);
  marks.set_idle(kFirst);
  marks.set_idle(kSecond);
  ASSERT_TRUE(marks.silent());
  EXPECT_EQ(marks.wall_bound_ms(6s), 101'000 + 5000 - 1000 - 5000);
}

TEST(Watermark, SilenceAllAroundDoesNotMoveTheEventTimeWatermark) {
  auto marks = tracker();
  marks.observe(kFirst, 50'000, 0s, 0);
  marks.set_idle(kFirst);
  marks.set_idle(kSecond);
  EXPECT_FALSE(marks.advance());
}

}  // namespace
}  // namespace headrace::stream
