// Crashes and failures at every point of scripted work on a simulated disk.
#include <set>

#include "log/log_test_support.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::log {
namespace {

// What the client of a log knows: what it sent, and how far it was promised to be kept.
struct Witness {
  std::vector<std::string> values;  // By offset.
  int64_t acknowledged = 0;         // Offsets below are durable.
  int64_t deleted = 0;              // Offsets below were given up.
  int64_t promised_deleted = 0;     // Offsets below must not come back.
  int32_t sequence = 0;
};

// A seeded script of appends, flushes, checkpoints, rolls and deletions. Stops when the disk stops.
class Script {
 public:
  Script(TestLog& test, uint64_t seed) : test_(test), random_(seed) {
    test_.config.segment_bytes = 1500;
    test_.config.retention_bytes = -1;
    test_.config.index_interval_bytes = 200;
    test_.config.preallocate_bytes_max = seed % 2 ? 0 : 4096;
    test_.config.retention_ms = -1;
  }

  void run(int steps) {
    for (int i = 0; i < steps && !stopped_; ++i) step();
  }
  void go_on() { stopped_ = false; }
  Witness& witness() { return witness_; }

 private:
  void step() {
    switch (random_.below(12)) {
      default: return append_batch();
      case 7:
      case 8:
      case 9: return flush();
      case 10: return note(test_.log->checkpoint().ok());
      case 11: return delete_some();
    }
  }
  void append_batch() {
    int records = 1 + static_cast<int>(random_.below(4));
    std::string name = "v" + std::to_string(witness_.values.size()) + std::string(random_.below(300), '.');
    auto batch = of_producer(make_batch(name, records), 11, 0, witness_.sequence);
    auto result = append(*test_.log, batch);
    if (!result.ok()) return note(false);
    ASSERT_EQ(result->base_offset.value, static_cast<int64_t>(witness_.values.size()));
    witness_.sequence += records;
    for (int i = 0; i < records; ++i) witness_.values.push_back(name + "-" + std::to_string(i));
  }
  void flush() {
    int64_t end = test_.log->log_end_offset().value;
    if (!test_.log->flush().ok()) return note(false);
    witness_.acknowledged = std::max(witness_.acknowledged, end);
  }
  void delete_some() {
    int64_t to = test_.log->high_watermark().value / 2;
    witness_.deleted = std::max(witness_.deleted, to);
    if (!test_.log->delete_records(Offset(to)).ok()) return note(false);
    witness_.promised_deleted = std::max(witness_.promised_deleted, to);
  }
  void note(bool ok) { stopped_ = stopped_ || !ok; }

  TestLog& test_;
  os::Random random_;
  Witness witness_;
  bool stopped_ = false;
};

// The log must hold a prefix of what was sent, with all that was acknowledged and not deleted.
void check_against(TestLog& test, const Witness& witness) {
  PartitionLog& log = *test.log;
  int64_t start = log.log_start_offset().value;
  int64_t end = log.log_end_offset().value;
  ASSERT_GE(end, witness.acknowledged);
  ASSERT_LE(end, static_cast<int64_t>(witness.values.size()));
  ASSERT_GE(start, witness.promised_deleted);
  ASSERT_LE(start, witness.deleted);
  for (const DamagedRange& range : log.damaged_ranges()) {
    FAIL() << range.file << " at " << range.position << ": offsets " << range.from.value << " to " << range.to.value;
  }
  Error error{ErrorCode::kIo, ""};
  auto values = read_values(log, Offset(start), &error);
  ASSERT_EQ(static_cast<int64_t>(values.size()), end - start) << error.message;
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], witness.values[static_cast<size_t>(start) + i]);
}

// A producer that retries its last batch gets the old answer or a new one, never a second copy.
void check_goes_on(TestLog& test) {
  auto producer = test.log->producer(ProducerId(11));
  int32_t next = producer ? producer->last_sequence + 1 : 0;
  int64_t end = test.log->log_end_offset().value;
  auto result = append(*test.log, of_producer(make_batch("after", 1), 11, 0, next));
  ASSERT_OK(result);
  ASSERT_EQ(result->base_offset.value, end);
  auto again = append(*test.log, of_producer(make_batch("after", 1), 11, 0, next));
  ASSERT_OK(again);
  ASSERT_TRUE(again->duplicate);
  ASSERT_OK(test.log->flush());
  ASSERT_EQ(test.log->durable_end().value, end + 1);
}

constexpr int kSteps = 60;

class CrashPoints : public ::testing::TestWithParam<os::CrashMode> {};

INSTANTIATE_TEST_SUITE_P(Modes, CrashPoints,
                         ::testing::Values(os::CrashMode::kKeep, os::CrashMode::kDrop, os::CrashMode::kTear,
                                           os::CrashMode::kRandom, os::CrashMode::kKill));

// What a clean stop writes last is not synced: a power loss right after it, or amid it, leaves a log all the same.
TEST_P(CrashPoints, APowerLossDuringOrAfterACleanStopLosesNothing) {
  set_log_level(LogLevel::kError);
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    for (uint64_t operations = 0;; ++operations) {
      SCOPED_TRACE(fmt::format("script seed {}, crash {} operations into close", seed, operations));
      TestLog test;
      Script script(test, seed);
      ASSERT_OK(test.open());
      script.run(kSteps);
      test.disk.crash_after(operations);
      bool closed = test.log->close().ok();
      if (closed) script.witness().acknowledged = static_cast<int64_t>(script.witness().values.size());
      test.disk.crash();
      test.log.reset();
      test.disk.restart(GetParam(), seed * 1000 + operations);
      ASSERT_OK(test.open());
      check_against(test, script.witness());
      check_goes_on(test);
      if (HasFailure()) return;
      if (closed) break;
    }
  }
  set_log_level(LogLevel::kInfo);
}

TEST(CrashPoints, RecoveryMayCrashTooAtAnyOperation) {
  set_log_level(LogLevel::kError);
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    for (uint64_t first = 20; first < 140; first += 7) {
      for (uint64_t second = 0;; ++second) {
        SCOPED_TRACE(fmt::format("script seed {}, crashes after {} and {} operations", seed, first, second));
        TestLog test;
        Script script(test, seed);
        ASSERT_OK(test.open());
        test.disk.crash_after(first);
        script.run(kSteps);
        test.disk.crash();
        test.log.reset();
        test.disk.restart(os::CrashMode::kRandom, first);
        test.disk.crash_after(second);
        bool opened = test.open().ok();
        test.disk.crash();
        test.log.reset();
        test.disk.restart(os::CrashMode::kRandom, second);
        ASSERT_OK(test.open());
        check_against(test, script.witness());
        if (::testing::Test::HasFailure()) return;
        if (opened) break;
      }
    }
  }
  set_log_level(LogLevel::kInfo);
}

// Random scripts, points and ways to crash; recovery is cut short now and then, and the log crashes again right after.
TEST(CrashPoints, RandomSchedulesLoseNothingAcknowledged) {
  set_log_level(LogLevel::kError);
  os::Seeds seeds = os::seeds_wanted(200);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    os::Random random(seed * 7919);
    TestLog test;
    if (random.chance(0.3)) test.config.flush_policy = FlushPolicy::kOs;
    Script script(test, seed);
    ASSERT_OK(test.open());
    test.disk.crash_after(random.below(200));
    script.run(kSteps);
    for (int crash = 0; crash < 3; ++crash) {
      test.disk.crash();
      test.log.reset();
      test.disk.restart(static_cast<os::CrashMode>(random.below(5)), random.next());
      if (crash == 0 && random.chance(0.5)) test.disk.crash_after(random.below(20));
      ASSERT_TRUE(test.open().ok() || test.disk.crashed());
    }
    check_against(test, script.witness());
    check_goes_on(test);
  }
  set_log_level(LogLevel::kInfo);
}

class NthFailure : public ::testing::TestWithParam<std::tuple<os::DiskCall, os::DiskFault>> {};

// The n-th call of a kind fails: nothing that was acknowledged is lost, now or after a restart with a power loss.
TEST_P(NthFailure, LosesNothingAcknowledged) {
  set_log_level(LogLevel::kError);
  auto [call, fault] = GetParam();
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    for (uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE(fmt::format("script seed {}, {} call {} fails", seed, os::to_string(call), nth));
      TestLog test;
      Script script(test, seed);
      ASSERT_OK(test.open());
      test.disk.fail(call, nth, fault);
      script.run(kSteps);
      bool happened = test.disk.fault_happened();
      test.disk.crash();
      test.log.reset();
      test.disk.restart(os::CrashMode::kDrop, nth);
      ASSERT_OK(test.open());
      check_against(test, script.witness());
      check_goes_on(test);
      if (HasFailure()) return;
      if (!happened) break;
    }
  }
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Calls, NthFailure,
                         ::testing::Combine(::testing::Values(os::DiskCall::kWrite, os::DiskCall::kSync,
                                                              os::DiskCall::kCreate, os::DiskCall::kRename,
                                                              os::DiskCall::kRemove, os::DiskCall::kTruncate,
                                                              os::DiskCall::kAllocate, os::DiskCall::kSyncDirectory),
                                            ::testing::Values(os::DiskFault::kIoError, os::DiskFault::kOutOfSpace)));
INSTANTIATE_TEST_SUITE_P(Harmless, NthFailure,
                         ::testing::Combine(::testing::Values(os::DiskCall::kWrite, os::DiskCall::kRead),
                                            ::testing::Values(os::DiskFault::kInterrupted, os::DiskFault::kShort)));

class OpenFailure : public ::testing::TestWithParam<os::DiskCall> {};

// The n-th call that opens something finds no descriptors: it is as if it had come later.
TEST_P(OpenFailure, ForWantOfDescriptorsPassesAndTakesNothingOutOfService) {
  set_log_level(LogLevel::kError);
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    for (uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE(fmt::format("script seed {}, {} call {} fails", seed, os::to_string(GetParam()), nth));
      TestLog test;
      Script script(test, seed);
      ASSERT_OK(test.open());
      test.disk.fail(GetParam(), nth, os::DiskFault::kNoDescriptors);
      script.run(kSteps);
      script.go_on();
      script.run(kSteps);
      bool happened = test.disk.fault_happened();
      test.disk.fail(GetParam(), UINT64_MAX, os::DiskFault::kNoDescriptors);
      ASSERT_FALSE(test.log->out_of_service());
      ASSERT_OK(test.log->flush());
      script.witness().acknowledged = static_cast<int64_t>(script.witness().values.size());
      test.disk.crash();
      test.log.reset();
      test.disk.restart(os::CrashMode::kDrop, nth);
      ASSERT_OK(test.open());
      check_against(test, script.witness());
      check_goes_on(test);
      if (HasFailure()) return;
      if (!happened) break;
    }
  }
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Calls, OpenFailure, ::testing::Values(os::DiskCall::kOpen, os::DiskCall::kCreate));

// Aborted transactions of a rolled segment stay known when its indexes could not be written at first.
TEST(NthFailure, AbortedTransactionsOutliveAFailureToWriteTheirIndex) {
  set_log_level(LogLevel::kError);
  for (os::DiskCall call : {os::DiskCall::kCreate, os::DiskCall::kWrite, os::DiskCall::kSync, os::DiskCall::kRename}) {
    for (uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE(fmt::format("{} call {} fails", os::to_string(call), nth));
      TestLog test;
      test.config.segment_bytes = 600;
      ASSERT_OK(test.open());
      ASSERT_OK(append(*test.log, of_producer(make_batch("aborted"), 7, 0, 0, /*transactional=*/true)));
      auto marker = record::end_transaction_marker(record::ControlType::kAbort, ProducerId(7), 0, 0, kTestTimeMs);
      ASSERT_OK(append(*test.log, marker));
      ASSERT_OK(test.log->flush());
      ASSERT_OK(append(*test.log, make_batch("roll" + std::string(500, '.'))));
      test.disk.fail(call, nth, os::DiskFault::kOutOfSpace);
      bool flushed = test.log->flush().ok();
      bool happened = test.disk.fault_happened();
      if (flushed) (void)test.log->close();
      test.log.reset();
      ASSERT_OK(test.open());
      auto aborted = test.log->aborted_transactions(Offset(0), test.log->log_end_offset());
      ASSERT_OK(aborted);
      EXPECT_EQ(aborted->size(), 1u);
      if (!happened) break;
    }
  }
  set_log_level(LogLevel::kInfo);
}

// Whichever fsync fails, the log that it was for acknowledges nothing from then on, not even after a next fsync
// that "succeeds", and goes on serving what was durable.
TEST(FsyncFailure, AtEveryCallSiteTheLogNeverAcknowledgesAgain) {
  set_log_level(LogLevel::kError);
  int taken_out = 0;
  for (os::DiskCall call : {os::DiskCall::kSync, os::DiskCall::kSyncDirectory}) {
    for (uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE(fmt::format("{} call {} fails", os::to_string(call), nth));
      TestLog test;
      Script script(test, 3);
      ASSERT_OK(test.open());
      test.disk.fail(call, nth, os::DiskFault::kIoError);
      script.run(kSteps);
      if (!test.disk.fault_happened()) break;
      if (!test.log->out_of_service()) continue;  // The fsync of an index: it can be made again.
      ++taken_out;
      Offset durable = test.log->durable_end(), visible = test.log->high_watermark();
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(append(*test.log, make_batch("never")).error().code, ErrorCode::kIo);
        EXPECT_EQ(test.log->flush().error().code, ErrorCode::kIo);
        EXPECT_FALSE(test.log->checkpoint().ok());
        EXPECT_FALSE(test.log->delete_records(durable).ok());
      }
      EXPECT_EQ(test.log->durable_end(), durable);
      EXPECT_EQ(test.log->high_watermark(), visible);
      auto start = test.log->log_start_offset();
      auto values = read_values(*test.log, start);
      ASSERT_GE(static_cast<int64_t>(values.size()), durable.value - start.value);

      // What a restart finds in the page cache and acknowledges from then on is on the disk.
      ASSERT_OK(test.open());
      values = read_values(*test.log, test.log->log_start_offset());
      test.disk.crash();
      test.log.reset();
      test.disk.restart(os::CrashMode::kDrop, nth);
      ASSERT_OK(test.open());
      EXPECT_EQ(read_values(*test.log, test.log->log_start_offset()), values);
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(taken_out, 20);
  set_log_level(LogLevel::kInfo);
}

TEST(NthFailure, InterruptedAndShortCallsAreNotEvenNoticed) {
  for (auto fault : {os::DiskFault::kInterrupted, os::DiskFault::kShort}) {
    for (uint64_t nth = 1; nth < 30; ++nth) {
      TestLog test;
      ASSERT_OK(test.open());
      test.disk.fail(os::DiskCall::kWrite, nth, fault);
      for (int i = 0; i < 30; ++i) {
        ASSERT_OK(append(*test.log, make_batch(std::to_string(i), 3)));
        ASSERT_OK(test.log->flush());
      }
      ASSERT_TRUE(test.disk.fault_happened());
      ASSERT_EQ(read_values(*test.log, Offset(0)).size(), 90u);
    }
  }
}

}  // namespace
}  // namespace headrace::log
