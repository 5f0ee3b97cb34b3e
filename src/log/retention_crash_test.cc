// Retention, DeleteRecords and relief of the disk amid everything else that happens to a log, with crashes, failures
// and readers, against a model.
//
// A schedule is a seed: it scripts the work, when the power goes, and what the disk forgets. HEADRACE_SCHEDULES sets
// how many are run (500); HEADRACE_SEED runs one alone and lets the log tell of it.
#include <algorithm>
#include <functional>
#include <optional>

#include "log/log_test_support.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::log {
namespace {

struct SentBatch {
  int64_t base, end;
  int64_t producer;
  int32_t sequence;
  int64_t bytes;
  int64_t time_ms;
  std::string name;
};

// What the clients of the log know.
struct Model {
  std::vector<SentBatch> batches;
  std::vector<std::string> values;  // By offset.
  int64_t acknowledged = 0;         // Offsets below are durable.
  int64_t given_up = 0;             // Offsets below may be gone.
  int64_t promised_gone = 0;        // Offsets below must not come back.

  int64_t end() const { return static_cast<int64_t>(values.size()); }
  int32_t next_sequence(int64_t producer) const {
    const SentBatch* last = last_of(producer);
    return last ? last->sequence + static_cast<int32_t>(last->end - last->base) : 0;
  }
  const SentBatch* last_of(int64_t producer) const {
    for (auto at = batches.rbegin(); at != batches.rend(); ++at) {
      if (at->producer == producer) return &*at;
    }
    return nullptr;
  }
};

record::Batch batch_of(const SentBatch& sent) {
  int records = static_cast<int>(sent.end - sent.base);
  return of_producer(make_batch(sent.name, records, sent.time_ms), sent.producer, 0, sent.sequence);
}

// The disk of a log whose files somebody looks at each time that one is renamed or removed.
class WatchedDisk final : public os::FileSystem {
 public:
  explicit WatchedDisk(os::FileSystem& files) : files_(files) {}
  std::function<void()> watcher;

  Result<std::unique_ptr<os::File>> open(const std::string& path, os::OpenMode mode) override {
    return files_.open(path, mode);
  }
  Result<bool> exists(const std::string& path) override { return files_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }
  Status make_directories(const std::string& path) override { return files_.make_directories(path); }
  Status rename(const std::string& from, const std::string& to) override {
    Status renamed = files_.rename(from, to);
    look();
    return renamed;
  }
  Status remove(const std::string& path) override {
    Status removed = files_.remove(path);
    look();
    return removed;
  }
  Result<std::unique_ptr<os::Directory>> open_directory(const std::string& path) override {
    return files_.open_directory(path);
  }
  Result<std::unique_ptr<os::FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<os::SpaceInfo> space(const std::string& path) override { return files_.space(path); }

 private:
  void look() {
    if (watcher) watcher();
  }
  os::FileSystem& files_;
};

struct WatchedLog : TestLog {
  WatchedDisk watched{disk};

  Status open() {
    log.reset();
    watched.watcher = nullptr;
    auto opened = PartitionLog::open(watched, clock, directory, config);
    if (!opened.ok()) return opened.error();
    log = *std::move(opened);
    return {};
  }
  void crash_and_restart(os::CrashMode mode, uint64_t seed) {
    disk.crash();
    log.reset();
    disk.restart(mode, seed);
  }
};

constexpr int64_t kBusy = 11, kSecond = 12, kRare = 13, kOnce = 14;

class Script {
 public:
  Script(WatchedLog& test, Model& model, uint64_t seed) : test_(test), model_(model), random_(seed) {
    test_.watched.watcher = [this] { read_amid(); };
  }
  ~Script() { test_.watched.watcher = nullptr; }
  Script(const Script&) = delete;

  static LogConfig make_config(uint64_t seed) {
    os::Random random(seed * 31);
    LogConfig config;
    config.segment_bytes = 600 + static_cast<int64_t>(random.below(1500));
    config.index_interval_bytes = 200;
    config.preallocate_bytes_max = seed % 2 ? 0 : 4096;
    config.retention_bytes = random.chance(0.6) ? static_cast<int64_t>(random.below(6000)) : -1;
    config.retention_ms = random.chance(0.6) ? 3 * 3600 * 1000 : -1;
    config.flush_policy = random.chance(0.3) ? FlushPolicy::kOs : FlushPolicy::kBeforeAck;
    config.checkpoint_bytes = random.chance(0.5) ? 2000 : 64 << 20;
    config.producer_id_expiration_ms = INT64_MAX / 2;
    return config;
  }

  void run(int steps) {
    for (int i = 0; i < steps && !stopped_ && !::testing::Test::HasFailure(); ++i) {
      step();
      look_at_start();
    }
  }

 private:
  void step() {
    switch (random_.below(20)) {
      default: return append_batch();
      case 10:
      case 11:
      case 12: return flush();
      case 13: return note(test_.log->checkpoint());
      case 14: return delete_records();
      case 15:
      case 16: return delete_old();
      case 17: return drop_oldest();
      case 18: return test_.clock.advance(std::chrono::minutes(random_.below(90)));
      case 19: return test_.log->release_idle_resources();
    }
  }
  int64_t some_producer() {
    uint64_t chance = random_.below(40);
    if (chance == 0 && model_.next_sequence(kOnce) == 0) return kOnce;
    if (chance < 3) return kRare;
    return chance % 2 ? kBusy : kSecond;
  }
  void append_batch() {
    SentBatch sent{.base = model_.end(),
                   .end = model_.end() + 1 + static_cast<int64_t>(random_.below(4)),
                   .producer = some_producer(),
                   .time_ms = test_.clock.wall_ms()};
    sent.name = "v" + std::to_string(sent.base) + std::string(random_.below(300), '.');
    sent.sequence = model_.next_sequence(sent.producer);
    auto batch = batch_of(sent);
    sent.bytes = static_cast<int64_t>(batch.bytes().size());
    auto result = append(*test_.log, batch);
    if (!result.ok()) return note(result.error());
    ASSERT_EQ(result->base_offset.value, sent.base);
    for (int64_t i = 0; i < sent.end - sent.base; ++i) model_.values.push_back(sent.name + "-" + std::to_string(i));
    model_.batches.push_back(std::move(sent));
  }
  void flush() {
    int64_t end = test_.log->log_end_offset().value;
    Status flushed = test_.log->flush();
    if (!flushed.ok()) return note(flushed);
    model_.acknowledged = std::max(model_.acknowledged, end);
  }
  void delete_records() {
    int64_t start = test_.log->log_start_offset().value, end = test_.log->high_watermark().value;
    int64_t before = random_.chance(0.3) ? static_cast<int64_t>(random_.below(static_cast<uint64_t>(start) + 1))
                                         : start + (end - start) / 3;
    give_up(before);
    auto deleted = test_.log->delete_records(Offset(before));
    if (!deleted.ok()) return note(deleted.error());
    ASSERT_GE(deleted->value, before);
    promise(deleted->value);
  }
  void delete_old() {
    give_up(may_be_deleted());
    bool all_visible = test_.log->high_watermark() == test_.log->log_end_offset();
    auto deleted = test_.log->delete_old_segments();
    if (!deleted.ok()) return note(deleted.error());
    // What a killed process removed may come back with a power loss, until something is removed again.
    if (*deleted > 0) promise(test_.log->log_start_offset().value);
    if (all_visible) check_kept_little();
  }
  void drop_oldest() {
    int64_t start = test_.log->log_start_offset().value;
    give_up(end_of_segment_at_most(start));
    auto dropped = test_.log->drop_oldest_segment();
    if (!dropped.ok()) return note(dropped.error());
    if (*dropped > 0) promise(test_.log->log_start_offset().value);
    ASSERT_TRUE(*dropped > 0 || test_.log->log_start_offset().value == start);
  }

  // How far retention may go: each batch is too old, or there is enough without it.
  int64_t may_be_deleted() const {
    const LogConfig& config = test_.config;
    int64_t watermark = test_.log->high_watermark().value, start = test_.log->log_start_offset().value;
    int64_t left = 0, to = start;
    for (const SentBatch& each : model_.batches) left += each.end > start ? each.bytes : 0;
    for (const SentBatch& each : model_.batches) {
      if (each.end <= start) continue;
      left -= each.bytes;
      bool old = config.retention_ms >= 0 && test_.clock.wall_ms() - last_time(each) > config.retention_ms;
      bool enough = config.retention_bytes >= 0 && left >= config.retention_bytes;
      if (each.end > watermark || (!old && !enough)) break;
      to = each.end;
    }
    return to;
  }
  static int64_t last_time(const SentBatch& batch) { return batch.time_ms + batch.end - batch.base - 1; }
  int64_t end_of_segment_at_most(int64_t start) const {
    int64_t bytes = 0, to = start;
    for (const SentBatch& each : model_.batches) {
      if (each.end <= start) continue;
      bytes += each.bytes;
      if (bytes > test_.config.segment_bytes && to > start) break;
      to = each.end;
    }
    return std::min(to, test_.log->high_watermark().value);
  }
  // Retention leaves no more than a segment above its bound of what was visible.
  void check_kept_little() {
    if (test_.config.retention_bytes < 0) return;
    int64_t one = test_.config.segment_bytes;
    for (const SentBatch& each : model_.batches) one = std::max(one, each.bytes);
    ASSERT_LE(test_.log->size_bytes(), test_.config.retention_bytes + one);
  }

  void give_up(int64_t to) { model_.given_up = std::max(model_.given_up, to); }
  void promise(int64_t to) { model_.promised_gone = std::max(model_.promised_gone, to); }
  void look_at_start() {
    int64_t start = test_.log->log_start_offset().value;
    ASSERT_GE(start, seen_start_);
    ASSERT_GE(start, model_.promised_gone);
    ASSERT_LE(start, model_.given_up);
    seen_start_ = start;
  }
  // A reader while files go: the right records, or that they are gone.
  void read_amid() {
    if (test_.disk.crashed() || !test_.log || ::testing::Test::HasFailure()) return;
    look_at_start();
    int64_t start = test_.log->log_start_offset().value, end = test_.log->log_end_offset().value;
    auto at = std::max<int64_t>(0, start - 3) + static_cast<int64_t>(random_.below(8));
    if (at >= end) return;
    auto read = test_.log->read(Offset(at), 1024, Offset(end));
    if (at < start) {
      ASSERT_FALSE(read.ok());
      ASSERT_EQ(read.error().code, ErrorCode::kOutOfRange);
      return;
    }
    ASSERT_OK(read);
    auto batches = record::split_batches(read->batches, false);
    ASSERT_OK(batches);
    ASSERT_FALSE(batches->empty());
    record::RecordReader reader(batches->front(), 1 << 20);
    while (const record::RecordView* record = reader.next()) {
      ASSERT_EQ(*record->value, model_.values[static_cast<size_t>(record->offset.value)]);
    }
    ASSERT_OK(reader.status());
  }
  void note(const Status& status) {
    if (!status.ok()) stopped_ = test_.disk.crashed() || test_.log->out_of_service().has_value();
  }

  WatchedLog& test_;
  Model& model_;
  os::Random random_;
  int64_t seen_start_ = 0;
  bool stopped_ = false;
};

// All that was acknowledged and that nothing was allowed to take is there, and nothing that was promised to be gone.
void check_records(PartitionLog& log, const Model& model) {
  int64_t start = log.log_start_offset().value, end = log.log_end_offset().value;
  ASSERT_GE(end, model.acknowledged);
  ASSERT_LE(end, model.end());
  ASSERT_GE(start, model.promised_gone);
  ASSERT_LE(start, model.given_up);
  for (const DamagedRange& range : log.damaged_ranges()) {
    FAIL() << range.file << " at " << range.position << ": offsets " << range.from.value << " to " << range.to.value;
  }
  Error error{ErrorCode::kIo, ""};
  auto values = read_values(log, Offset(start), &error);
  ASSERT_EQ(static_cast<int64_t>(values.size()), end - start) << error.message;
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], model.values[static_cast<size_t>(start) + i]);
  if (start == 0) return;
  ASSERT_EQ(log.read(Offset(start - 1), 1024, Offset(end)).error().code, ErrorCode::kOutOfRange);
}

// Each producer is known by its last batch, though that may be gone, and a repetition of it is told as such.
void check_producers(PartitionLog& log, const Model& model) {
  for (int64_t id : {kBusy, kSecond, kRare, kOnce}) {
    const SentBatch* last = model.last_of(id);
    auto known = log.producer(ProducerId(id));
    ASSERT_EQ(known.has_value(), last != nullptr) << "producer " << id;
    if (!last) continue;
    ASSERT_EQ(known->last_sequence, model.next_sequence(id) - 1) << "producer " << id;
    auto again = append(log, batch_of(*last));
    ASSERT_OK(again);
    ASSERT_TRUE(again->duplicate) << "producer " << id;
    ASSERT_EQ(again->base_offset.value, last->base);
  }
}

// What came after the crash's end never happened; what is there now was seen.
void forget_lost(PartitionLog& log, Model& model) {
  int64_t end = log.log_end_offset().value;
  model.values.resize(static_cast<size_t>(end));
  while (!model.batches.empty() && model.batches.back().base >= end) model.batches.pop_back();
  ASSERT_EQ(model.batches.empty() ? 0 : model.batches.back().end, end) << "half a batch";
  model.acknowledged = end;
}

void check(PartitionLog& log, Model& model) {
  ASSERT_NO_FATAL_FAILURE(check_records(log, model));
  ASSERT_NO_FATAL_FAILURE(forget_lost(log, model));
  ASSERT_NO_FATAL_FAILURE(check_producers(log, model));
}

void fail_somewhere(os::SimulatedFileSystem& disk, os::Random& random) {
  constexpr os::DiskCall kCalls[] = {os::DiskCall::kCreate, os::DiskCall::kWrite,  os::DiskCall::kSync,
                                     os::DiskCall::kRename, os::DiskCall::kRemove, os::DiskCall::kSyncDirectory};
  auto fault = random.chance(0.5) ? os::DiskFault::kIoError : os::DiskFault::kOutOfSpace;
  disk.fail(kCalls[random.below(std::size(kCalls))], 1 + random.below(40), fault);
}

constexpr int kSteps = 120;

// Lives of a log, each ended by a crash at some operation, in one way or in any.
void run_schedule(uint64_t seed, std::optional<os::CrashMode> only) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  os::Random random(seed * 7919);
  WatchedLog test;
  Model model;
  test.config = Script::make_config(seed);
  ASSERT_OK(test.open());
  for (uint64_t life = 0; life < 4; ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    Script script(test, model, seed + life * 3000000);
    test.disk.crash_after(random.below(400));
    script.run(kSteps);
    if (::testing::Test::HasFailure()) return;
    auto mode = only.value_or(static_cast<os::CrashMode>(random.below(5)));
    test.crash_and_restart(mode, random.next());
    if (random.chance(0.3)) {  // Opening may be cut short too.
      test.disk.crash_after(random.below(30));
      (void)test.open();
      test.crash_and_restart(mode, random.next());
    }
    if (random.chance(0.3)) fail_somewhere(test.disk, random);
    if (!test.open().ok()) ASSERT_OK(test.open());
    ASSERT_NO_FATAL_FAILURE(check(*test.log, model));
  }
}

class RetentionCrash : public ::testing::TestWithParam<std::optional<os::CrashMode>> {};

TEST_P(RetentionCrash, TakesWhatItMayAndNothingComesBack) {
  os::Seeds seeds = os::seeds_wanted(500);
  set_log_level(seeds.alone() ? LogLevel::kInfo : LogLevel::kError);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) run_schedule(seed, GetParam());
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Modes, RetentionCrash,
                         ::testing::Values(std::nullopt, os::CrashMode::kKeep, os::CrashMode::kDrop,
                                           os::CrashMode::kTear, os::CrashMode::kRandom, os::CrashMode::kKill));

class RetentionFailure : public ::testing::TestWithParam<std::tuple<os::DiskCall, os::DiskFault>> {};

// The n-th call of a kind fails; the work goes on where it can, and the power goes some time after it.
TEST_P(RetentionFailure, LosesAndBringsBackNothing) {
  set_log_level(LogLevel::kError);
  auto [call, fault] = GetParam();
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    for (uint64_t nth = 1 + seed % 2; nth < 400; nth += 2) {
      SCOPED_TRACE(fmt::format("script seed {}, {} call {} fails", seed, os::to_string(call), nth));
      WatchedLog test;
      Model model;
      test.config = Script::make_config(seed);
      ASSERT_OK(test.open());
      Script script(test, model, seed);
      test.disk.fail(call, nth, fault);
      script.run(kSteps);
      bool happened = test.disk.fault_happened();
      test.crash_and_restart(static_cast<os::CrashMode>(nth % 4), nth);
      ASSERT_OK(test.open());
      ASSERT_NO_FATAL_FAILURE(check(*test.log, model));
      if (HasFailure()) return;
      if (!happened) break;
    }
  }
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Calls, RetentionFailure,
                         ::testing::Combine(::testing::Values(os::DiskCall::kWrite, os::DiskCall::kSync,
                                                              os::DiskCall::kCreate, os::DiskCall::kRename,
                                                              os::DiskCall::kRemove, os::DiskCall::kTruncate,
                                                              os::DiskCall::kSyncDirectory),
                                            ::testing::Values(os::DiskFault::kIoError, os::DiskFault::kOutOfSpace)));

}  // namespace
}  // namespace headrace::log
