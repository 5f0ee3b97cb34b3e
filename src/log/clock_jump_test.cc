// A wall clock that jumps an hour back and forth, a day or ten years, or stands still: nothing is lost, nothing
// goes earlier than the clock says, and times are found all the same.
#include <algorithm>

#include "log/log_test_support.h"
#include "os/random.h"

namespace headrace::log {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kMinuteMs = 60 * 1000;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayMs = 24 * kHourMs;
constexpr int64_t kTenYearsMs = 3650 * kDayMs;

class ClockJump : public ::testing::Test {
 protected:
  ClockJump() {
    set_log_level(LogLevel::kError);
    test_.config.preallocate_bytes_max = 0;
  }
  ~ClockJump() override { set_log_level(LogLevel::kInfo); }

  PartitionLog& log() { return *test_.log; }
  int64_t now_ms() { return test_.clock.wall_ms(); }
  void jump(int64_t by_ms) { test_.clock.jump_wall(now_ms() + by_ms); }
  void add(const std::string& name) {
    ASSERT_OK(append(log(), make_batch(name, 1, now_ms())));
    ASSERT_OK(log().flush());
  }
  /// Compacted, never deleted, with a segment for each batch.
  void compact_only() {
    test_.config.compact_enabled = true;
    test_.config.delete_enabled = false;
    test_.config.segment_bytes = 1;
  }
  /// Ten records, a minute apart, with a segment each.
  void fill() {
    test_.config.segment_bytes = 1;
    test_.config.retention_ms = 2 * kHourMs;
    ASSERT_OK(test_.open());
    for (int i = 0; i < 10; ++i) {
      add("r");
      test_.clock.advance(1min);
    }
  }

  TestLog test_;
};

TEST_F(ClockJump, AnHourForwardDeletesWhatIsTooOldByTheClockOnly) {
  fill();
  jump(kHourMs);
  auto removed = log().delete_old_segments();
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 0);  // 70 minutes old at the most.
  jump(kHourMs - 5 * kMinuteMs);
  removed = log().delete_old_segments();
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 5);  // 125 to 121 minutes old.
  EXPECT_EQ(log().log_start_offset(), Offset(5));
}

TEST_F(ClockJump, AnHourBackDeletesNothingAndRetentionGoesOnWhenTheClockIsThereAgain) {
  fill();
  jump(-kHourMs);
  test_.clock.advance(2h);
  auto removed = log().delete_old_segments();
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 0);  // The clock says 70 minutes again.
  test_.clock.advance(2h);
  removed = log().delete_old_segments();
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 10);
}

TEST_F(ClockJump, AnHourBackRollsNoSegmentPerAppend) {
  test_.config.segment_ms = 30 * kMinuteMs;
  ASSERT_OK(test_.open());
  for (int i = 0; i < 20; ++i) add("before");
  jump(-kHourMs);
  for (int i = 0; i < 20; ++i) add("after");
  EXPECT_EQ(log().stats().segments, 1);
  jump(2 * kHourMs);
  for (int i = 0; i < 20; ++i) add("later");
  EXPECT_EQ(log().stats().segments, 2);
}

TEST_F(ClockJump, ProducersAreRememberedOverIt) {
  ASSERT_OK(test_.open());
  auto batch = of_producer(make_batch("once", 3, now_ms()), 7, 0, 0);
  ASSERT_OK(append(log(), batch));
  auto expect_remembered = [&] {
    auto again = append(log(), batch);
    ASSERT_OK(again);
    EXPECT_TRUE(again->duplicate);
  };
  for (int64_t by_ms : {kHourMs, -2 * kHourMs, 2 * kDayMs, -kTenYearsMs, kTenYearsMs}) {
    jump(by_ms);
    ASSERT_OK(log().delete_old_segments());
    expect_remembered();
    ASSERT_OK(log().flush());
    ASSERT_OK(log().checkpoint());
    ASSERT_OK(test_.open());
    expect_remembered();
  }
}

TEST_F(ClockJump, ProducersAreRememberedOverYears) {
  test_.config.retention_ms = -1;
  ASSERT_OK(test_.open());
  auto batch = of_producer(make_batch("once", 3, now_ms()), 7, 0, 0);
  ASSERT_OK(append(log(), batch));
  for (int64_t years : {10, -20}) {
    jump(years * 365 * 24 * kHourMs);
    ASSERT_OK(log().delete_old_segments());
    ASSERT_OK(log().flush());
    ASSERT_OK(log().checkpoint());
    auto again = append(log(), batch);
    ASSERT_OK(again);
    EXPECT_TRUE(again->duplicate);
    ASSERT_OK(append(log(), make_batch("other", 1, now_ms())));
  }
}

TEST_F(ClockJump, ProducersThatWereSilentForLongAreForgottenWhateverTheWallClockSays) {
  ASSERT_OK(test_.open());
  ASSERT_OK(append(log(), of_producer(make_batch("once", 3, now_ms()), 7, 0, 0)));
  ASSERT_OK(test_.open());
  jump(-365 * 24 * kHourMs);
  test_.clock.advance(std::chrono::milliseconds(test_.config.producer_id_expiration_ms + 1));
  ASSERT_OK(log().delete_old_segments());
  EXPECT_FALSE(log().producer(ProducerId(7)).has_value());
}

TEST_F(ClockJump, CompactionWaitsForTheMinimalLagByTheClock) {
  compact_only();
  test_.config.min_compaction_lag_ms = 10 * kMinuteMs;
  ASSERT_OK(test_.open());
  for (int i = 0; i < 3; ++i) add("r");
  jump(-kHourMs);
  test_.clock.advance(11min);
  EXPECT_EQ(log().compaction_backlog()->dirty_bytes, 0);  // Records of the future.
  test_.clock.advance(1h);
  EXPECT_GT(log().compaction_backlog()->dirty_bytes, 0);
}

/// A tombstone goes early when the clock says so, but the values before it never come back.
TEST_F(ClockJump, NoDeletedKeyComesBack) {
  compact_only();
  test_.config.delete_retention_ms = 30 * kMinuteMs;
  ASSERT_OK(test_.open());
  record::BatchBuilder tombstone;
  tombstone.add(now_ms(), "key", std::nullopt);
  add("old");
  ASSERT_OK(append(log(), tombstone.finish()));
  ASSERT_OK(append(log(), of_producer(make_batch("end"), 1, 0, 0)));
  ASSERT_OK(log().flush());
  for (int64_t by_ms : {-kHourMs, kHourMs, kHourMs, -kHourMs, 2 * kHourMs}) {
    jump(by_ms);
    ASSERT_OK(log().compact({}));
    auto first = log().read(Offset(0), 1 << 20, log().log_end_offset());
    ASSERT_OK(first);
    auto batches = record::split_batches(first->batches, false);
    ASSERT_OK(batches);
    EXPECT_GE(batches->front().header().base_offset, Offset(1)) << "the value before the tombstone";
  }
}

// Appends with the broker's own time, retention and restarts under a clock that jumps, against a model of them.
class JumpModel {
 public:
  explicit JumpModel(uint64_t seed) : random_(seed) {
    test_.config.segment_bytes = 400;
    test_.config.segment_ms = 30 * kMinuteMs;
    test_.config.retention_ms = 2 * kHourMs;
    test_.config.preallocate_bytes_max = 0;
    test_.config.index_interval_bytes = 100;
  }

  void run(int steps) {
    ASSERT_OK(test_.open());
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) step();
  }

 private:
  int64_t now_ms() { return test_.clock.wall_ms(); }

  void step() {
    switch (random_.below(10)) {
      default: return add();
      case 5: return test_.clock.advance(std::chrono::milliseconds(random_.below(20 * kMinuteMs)));
      case 6: return jump();
      case 7: return retain();
      case 8: return find();
      case 9:
        if (random_.chance(0.2)) restart();
    }
  }
  void jump() {
    constexpr int64_t jumps_ms[] = {kHourMs, -kHourMs, kHourMs, -kHourMs, kDayMs, -kTenYearsMs, kTenYearsMs};
    int64_t to_ms = now_ms() + jumps_ms[random_.below(std::size(jumps_ms))];
    if (to_ms > 0) test_.clock.jump_wall(to_ms);
  }
  void add() {
    ASSERT_OK(append(*test_.log, make_batch(std::to_string(times_.size()), 1, now_ms())));
    ASSERT_OK(test_.log->flush());
    times_.push_back(now_ms());
  }
  /// Only what is too old by the clock goes, and all that stands before the first record that is not.
  void retain() {
    ASSERT_OK(test_.log->delete_old_segments());
    size_t start = static_cast<size_t>(test_.log->log_start_offset().value);
    ASSERT_GE(start, start_);
    for (size_t i = start_; i < start; ++i)
      ASSERT_GT(now_ms() - times_[i], test_.config.retention_ms) << "offset " << i;
    start_ = start;
    check_records();
  }
  void check_records() {
    auto values = read_values(*test_.log, Offset(static_cast<int64_t>(start_)));
    ASSERT_EQ(values.size(), times_.size() - start_);
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], std::to_string(start_ + i) + "-0");
  }
  /// The first record at or after a time, in the order of offsets.
  void find() {
    int64_t time_ms = now_ms() - kHourMs + static_cast<int64_t>(random_.below(2 * kHourMs));
    auto found = test_.log->offset_for_timestamp(time_ms);
    ASSERT_OK(found);
    auto first = std::find_if(times_.begin() + static_cast<ptrdiff_t>(start_), times_.end(),
                              [&](int64_t at_ms) { return at_ms >= time_ms; });
    ASSERT_EQ(found->has_value(), first != times_.end());
    if (!*found) return;
    ASSERT_EQ((*found)->offset.value, first - times_.begin());
  }
  void restart() {
    test_.disk.crash();
    test_.log.reset();
    test_.disk.restart(os::CrashMode::kRandom, random_.next());
    ASSERT_OK(test_.open());
    ASSERT_LE(static_cast<size_t>(test_.log->log_start_offset().value), start_);
    start_ = static_cast<size_t>(test_.log->log_start_offset().value);
    check_records();
  }

  TestLog test_;
  os::Random random_;
  std::vector<int64_t> times_;  ///< Of each offset.
  size_t start_ = 0;
};

TEST_F(ClockJump, NothingIsLostEarlyAndTimesAreFoundWhileItJumps) {
  for (uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    JumpModel(seed).run(300);
  }
}

}  // namespace
}  // namespace headrace::log
