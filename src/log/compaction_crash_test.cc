// Compaction amid everything else that happens to a log, with crashes, failures and readers, against a model.
//
// A schedule is a seed: it scripts the work, when the power goes, and what the disk forgets. HEADRACE_SCHEDULES sets
// how many are run (500); HEADRACE_SEED runs one alone and lets the log tell of it.
#include "log/log_model_test_support.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::log {
namespace {

// The producers are then read from the batches: there is no snapshot of the first segment.
void remove_notes(TestLog& test) {
  ASSERT_OK(test.log->close());
  test.log.reset();
  auto names = test.disk.list(test.directory);
  ASSERT_OK(names);
  for (const std::string& name : *names) {
    if (name.ends_with("index") || name == "headrace.checkpoint")
      ASSERT_OK(test.disk.remove(test.directory + "/" + name));
  }
  ASSERT_OK(test.disk.sync_directory(test.directory));
  ASSERT_OK(test.open());
}

constexpr int kSteps = 120;

// Three lives of a log, each ended by a crash at some operation, and a fourth without its own notes.
void run_schedule(uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  os::Random random(seed * 7919);
  TestLog test;
  Model model;
  Script first(test, model, seed);
  ASSERT_OK(test.open());
  for (int life = 0; life < 3; ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    Script script(test, model, seed + static_cast<uint64_t>(life) * 3000000);
    test.config = test.log->config();
    test.disk.crash_after(random.below(600));
    script.run(kSteps);
    if (::testing::Test::HasFailure()) return;
    test.disk.crash();
    test.log.reset();
    auto mode = static_cast<os::CrashMode>(random.below(5));
    test.disk.restart(mode, random.next());
    if (random.chance(0.3)) {  // Opening may be cut short too.
      test.disk.crash_after(random.below(30));
      (void)test.open();
      test.disk.crash();
      test.log.reset();
      test.disk.restart(mode, random.next());
    }
    ASSERT_OK(test.open());
    ASSERT_NO_FATAL_FAILURE(check(*test.log, model));
    forget_lost(*test.log, model);
    int32_t sequence = model.sequence;
    if (!first.deletes() && random.chance(0.2)) {
      ASSERT_NO_FATAL_FAILURE(remove_notes(test));
      ASSERT_NO_FATAL_FAILURE(check(*test.log, model));
      auto known = test.log->producer(ProducerId(kIdempotent));
      ASSERT_EQ(known ? known->last_sequence + 1 : 0, sequence);
    }
  }
  Script last(test, model, seed + 9000000);
  last.compact();
  check(*test.log, model);
}

TEST(CompactionCrash, TheLastValueOfEachKeySurvives) {
  os::Seeds seeds = os::seeds_wanted(500);
  set_log_level(seeds.alone() ? LogLevel::kInfo : LogLevel::kError);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) run_schedule(seed);
  set_log_level(LogLevel::kInfo);
}

class CompactionFailure : public ::testing::TestWithParam<std::tuple<os::DiskCall, os::DiskFault>> {};

// The n-th call of a kind fails amid compaction: the log reads right before and after a restart.
TEST_P(CompactionFailure, LosesNothing) {
  set_log_level(LogLevel::kError);
  auto [call, fault] = GetParam();
  for (uint64_t seed : {301, 302, 304}) {
    bool happened = true;
    uint64_t nth = 0;
    while (happened) {
      ++nth;
      SCOPED_TRACE(fmt::format("seed {}, {} call {} fails", seed, os::to_string(call), nth));
      TestLog test;
      Model model;
      Script script(test, model, seed);
      ASSERT_OK(test.open());
      script.run(kSteps / 2);
      script.fill();
      if (call == os::DiskCall::kRead) script.read_no_more();
      test.disk.fail(call, nth, fault);
      script.compact();
      happened = test.disk.fault_happened();
      ASSERT_NO_FATAL_FAILURE(check(*test.log, model));
      test.disk.crash();
      test.log.reset();
      test.disk.restart(os::CrashMode::kRandom, nth);
      ASSERT_OK(test.open());
      ASSERT_NO_FATAL_FAILURE(check(*test.log, model));
    }
    EXPECT_GT(nth, 1u) << "there is no such call, seed " << seed;
  }
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Calls, CompactionFailure,
                         ::testing::Combine(::testing::Values(os::DiskCall::kWrite, os::DiskCall::kSync,
                                                              os::DiskCall::kCreate, os::DiskCall::kRename,
                                                              os::DiskCall::kRemove, os::DiskCall::kRead,
                                                              os::DiskCall::kSyncDirectory),
                                            ::testing::Values(os::DiskFault::kIoError, os::DiskFault::kOutOfSpace)));

// Without descriptors a compaction ends, whatever it was at, and a later one goes on.
TEST(CompactionWithoutDescriptors, IsDoneLater) {
  set_log_level(LogLevel::kError);
  for (os::DiskCall call : {os::DiskCall::kOpen, os::DiskCall::kCreate}) {
    uint64_t nth = 1;
    for (;; ++nth) {
      SCOPED_TRACE(fmt::format("{} call {} fails", os::to_string(call), nth));
      TestLog test;
      test.config.compact_enabled = true;
      test.config.segment_bytes = 600;
      ASSERT_OK(test.open());
      for (int i = 0; i < 40; ++i) ASSERT_OK(append(*test.log, make_batch("v" + std::to_string(i))));
      ASSERT_OK(test.log->flush());
      test.disk.fail(call, nth, os::DiskFault::kNoDescriptors);
      auto report = test.log->compact({});
      bool happened = test.disk.fault_happened();
      if (!happened) break;
      test.disk.fail(call, UINT64_MAX, os::DiskFault::kNoDescriptors);
      ASSERT_TRUE(report.ok() || report.error().code == ErrorCode::kUnavailable) << report.error().message;
      ASSERT_OK(test.log->compact({}));
      auto values = read_values(*test.log, Offset(0));
      ASSERT_LT(values.size(), 10u);
      test.disk.crash();
      test.log.reset();
      test.disk.restart(os::CrashMode::kRandom, nth);
      ASSERT_OK(test.open());
      ASSERT_EQ(read_values(*test.log, Offset(0)), values);
    }
    EXPECT_GT(nth, 3u);
  }
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace headrace::log
