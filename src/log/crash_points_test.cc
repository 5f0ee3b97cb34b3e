// Every point at which the power may go: a script of 2,000 operations on the disk, or a few more, runs once, and before
// each of them a copy of the disk loses what was not synced, in one of the ways of os::CrashMode. The log that is found
// there is held against what its clients knew at that moment.
//
// HEADRACE_SCHEDULES sets how many scripts are run (8; every other one compacts), HEADRACE_SEED runs one alone;
// HEADRACE_DEEP=1 loses what was not synced in 20 ways at each point, where chance has a part in it.
#include <algorithm>
#include <cstdlib>

#include "log/log_model_test_support.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::log {
namespace {

constexpr uint64_t kOperations = 2000, kOperationsMax = 5 * kOperations;
constexpr uint64_t kDeepSeeds = 20;

// How many of these records a producer has sent that are below `end`: its next sequence number.
int32_t sequence_of(const Model& model, int64_t producer, int64_t end) {
  int32_t count = 0;
  for (int64_t i = 0; i < end; ++i) {
    Fate fate = model.sent[static_cast<size_t>(i)].fate;
    if (fate != Fate::kMarker && (fate == Fate::kPlain) == (producer == kIdempotent)) ++count;
  }
  return count;
}

// Whether a transaction has records, but no end, below `end`.
bool is_open(const Model& model, int64_t end) {
  for (int64_t i = 0; i < end; ++i) {
    const Sent& sent = model.sent[static_cast<size_t>(i)];
    bool ended = sent.end >= 0 && sent.end < end;
    if (sent.fate != Fate::kPlain && sent.fate != Fate::kMarker && !ended) return true;
  }
  return false;
}

// The producers are where their last batches left them.
void check_producers(PartitionLog& log, const Model& model) {
  int64_t end = log.log_end_offset().value;
  for (int64_t id : {kIdempotent, kTransactional}) {
    int32_t next = sequence_of(model, id, end);
    auto known = log.producer(ProducerId(id));
    ASSERT_EQ(known ? known->last_sequence + 1 : 0, next) << "producer " << id;
    bool open = known && known->transaction_first_offset != kNoOffset;
    ASSERT_EQ(open, id == kTransactional && is_open(model, end)) << "producer " << id;
  }
}

// A batch is taken once; a transaction that the crash left open ends, and everything is stable and durable.
void check_goes_on(PartitionLog& log) {
  auto known = log.producer(ProducerId(kIdempotent));
  auto batch = of_producer(make_batch("after"), kIdempotent, 0, known ? known->last_sequence + 1 : 0);
  int64_t end = log.log_end_offset().value;
  for (bool again : {false, true}) {
    auto result = append(log, batch);
    ASSERT_OK(result);
    ASSERT_EQ(result->duplicate, again);
    ASSERT_EQ(result->base_offset.value, end);
  }
  auto other = log.producer(ProducerId(kTransactional));
  if (other && other->transaction_first_offset != kNoOffset) {
    auto type = record::ControlType::kAbort;
    auto marker = record::end_transaction_marker(type, ProducerId(kTransactional), 0, 0, kTestTimeMs);
    ASSERT_OK(append(log, marker));
  }
  ASSERT_OK(log.flush());
  ASSERT_EQ(log.durable_end(), log.log_end_offset());
  ASSERT_EQ(log.last_stable_offset(), log.log_end_offset());
}

class CrashPoint : public ::testing::TestWithParam<os::CrashMode> {
 protected:
  // A script with an odd seed compacts, beside all that every script does.
  void run_script(uint64_t seed) {
    TestLog test;
    Model model;
    Script script(test, model, seed);
    os::Random random(seed * 7919);
    set_config(test.config, seed, random);
    ASSERT_OK(test.open());
    uint64_t points = 0;
    test.disk.before_each_operation([&](os::SimulatedFileSystem& disk) {
      if (HasFailure()) return;
      SCOPED_TRACE(fmt::format("script seed {}, crash after {} operations, mode {}", seed, points,
                               static_cast<int>(GetParam())));
      crash(disk, test, model, seed * 1'000'000 + points++ * kDeepSeeds);
    });
    while (points < kOperationsMax && !HasFailure()) {
      if (points >= kOperations && did_everything(test, script.work())) break;
      step(script, random);
      ASSERT_EQ(script.failure(), "") << "script " << seed;
    }
    test.disk.before_each_operation({});
    EXPECT_LT(points, kOperationsMax) << "script " << seed << " has not done everything: " << told(script.work());
  }

 private:
  static void set_config(LogConfig& config, uint64_t seed, os::Random& random) {
    config.compact_enabled = seed % 2;
    config.delete_enabled = true;
    config.retention_bytes = (config.compact_enabled ? 1000 : 4000) + static_cast<int64_t>(random.below(2000));
    config.checkpoint_bytes = random.chance(0.5) ? 2000 : 64 << 20;
    config.flush_policy = seed % 4 == 3 ? FlushPolicy::kOs : FlushPolicy::kBeforeAck;
  }
  static void step(Script& script, os::Random& random) {
    script.run(1);
    if (random.chance(0.2)) script.retain();
    if (random.chance(0.04)) script.delete_records();
    if (random.chance(0.04)) script.reopen();
  }
  void crash(os::SimulatedFileSystem& disk, TestLog& test, const Model& model, uint64_t seed) {
    bool by_chance = GetParam() == os::CrashMode::kRandom || GetParam() == os::CrashMode::kTear;
    uint64_t seeds = by_chance && std::getenv("HEADRACE_DEEP") ? kDeepSeeds : 1;
    for (uint64_t i = 0; i < seeds && !HasFailure(); ++i) {
      SCOPED_TRACE(fmt::format("crash seed {}", seed + i));
      auto crashed = disk.copy();
      crashed->restart(GetParam(), seed + i);
      auto log = PartitionLog::open(*crashed, test.clock, test.directory, test.config);
      ASSERT_OK(log);
      ASSERT_NO_FATAL_FAILURE(check(**log, model));
      ASSERT_NO_FATAL_FAILURE(check_producers(**log, model));
      check_goes_on(**log);
    }
  }
  static std::string told(const Work& work) {
    return fmt::format("{} commits, {} aborts, {} segments replaced, {} deletions, {} retentions, {} reopens",
                       work.commits, work.aborts, work.replacements, work.deletions, work.retentions, work.reopens);
  }
  // A script that leaves something out tries nothing of it.
  static bool did_everything(const TestLog& test, const Work& work) {
    for (os::DiskCall call : {os::DiskCall::kWrite, os::DiskCall::kSync, os::DiskCall::kCreate, os::DiskCall::kRename,
                              os::DiskCall::kRemove, os::DiskCall::kTruncate, os::DiskCall::kSyncDirectory}) {
      if (test.disk.calls(call) < 5) return false;
    }
    bool compacted = !test.config.compact_enabled || work.replacements > 5;
    return compacted && std::min({work.commits, work.aborts, work.deletions, work.retentions, work.reopens}) > 2;
  }
};

TEST_P(CrashPoint, AfterEachOperationLosesNothingAcknowledged) {
  os::Seeds seeds = os::seeds_wanted(8);
  set_log_level(LogLevel::kError);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) run_script(seed);
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Modes, CrashPoint,
                         ::testing::Values(os::CrashMode::kKeep, os::CrashMode::kDrop, os::CrashMode::kTear,
                                           os::CrashMode::kRandom, os::CrashMode::kKill));

}  // namespace
}  // namespace headrace::log
