// Compaction amid everything else that happens to a log, with crashes, failures and readers, against a model.
//
// A schedule is a seed: it scripts the work, when the power goes, and what the disk forgets. HEADRACE_SCHEDULES sets
// how many are run (500); HEADRACE_SEED runs one alone and lets the log tell of it.
#include <map>
#include <optional>
#include <set>

#include "log/log_test_support.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::log {
namespace {

enum class Fate { kPlain, kOpen, kCommitted, kAborted, kMarker };

struct Sent {
  std::string key;
  std::optional<std::string> value;
  Fate fate = Fate::kPlain;
  int64_t end = -1;  ///< The marker's offset.
};

constexpr int64_t kIdempotent = 11;
constexpr int64_t kTransactional = 21;

// What the clients of the log know.
struct Model {
  std::vector<Sent> sent;  // By offset.
  int64_t acknowledged = 0;
  int64_t deleted = 0;
  int64_t promised_deleted = 0;
  int32_t sequence = 0;
  int32_t transaction_sequence = 0;
  int64_t transaction_first = -1;
};

struct Found {
  std::map<int64_t, std::optional<std::string>> records;  // Visible to readers of committed records.
  int64_t start = 0, stable = 0;
};

// Reads the log as a consumer does and holds each record against what was sent.
void read_log(PartitionLog& log, const Model& model, Found& found) {
  found.start = log.log_start_offset().value;
  found.stable = log.last_stable_offset().value;
  ASSERT_LE(found.start, found.stable);
  int64_t last = found.start - 1;
  for (Offset at = log.log_start_offset(); at < log.last_stable_offset();) {
    auto read = log.read(at, 4096, log.last_stable_offset());
    ASSERT_OK(read);
    if (read->next_offset <= at) break;
    auto aborted = log.aborted_transactions(at, read->next_offset);
    ASSERT_OK(aborted);
    auto batches = record::split_batches(read->batches, false);
    ASSERT_OK(batches);
    for (const record::Batch& batch : *batches) {
      const record::BatchHeader& header = batch.header();
      bool hidden = header.is_control();
      for (const AbortedTransaction& one : *aborted) {
        hidden = hidden || (header.is_transactional() && one.producer_id == header.producer_id &&
                            one.first_offset <= header.base_offset && header.base_offset <= one.last_offset);
      }
      record::RecordReader reader(batch, 1 << 20);
      while (const record::RecordView* record = reader.next()) {
        int64_t offset = record->offset.value;
        if (offset < found.start) continue;
        ASSERT_GT(offset, last);
        ASSERT_LT(offset, static_cast<int64_t>(model.sent.size()));
        last = offset;
        const Sent& sent = model.sent[static_cast<size_t>(offset)];
        ASSERT_EQ(header.is_control(), sent.fate == Fate::kMarker) << offset;
        if (hidden) continue;
        ASSERT_TRUE(sent.fate == Fate::kPlain || sent.fate == Fate::kCommitted) << offset;
        ASSERT_EQ(*record->key, sent.key) << offset;
        ASSERT_EQ(record->value.has_value(), sent.value.has_value()) << offset;
        ASSERT_EQ(record->value.value_or(""), sent.value.value_or("")) << offset;
        found.records[offset] = sent.value;
      }
      ASSERT_OK(reader.status());
    }
    at = read->next_offset;
  }
}

// The last value of every key is there; where that is a tombstone which went away, nothing older came back.
void check_keys(const Model& model, const Found& found) {
  std::map<std::string, std::vector<int64_t>> by_key;
  for (int64_t i = found.start; i < found.stable; ++i) {
    const Sent& sent = model.sent[static_cast<size_t>(i)];
    if (sent.fate == Fate::kPlain || sent.fate == Fate::kCommitted) by_key[sent.key].push_back(i);
  }
  for (const auto& [key, offsets] : by_key) {
    int64_t last = offsets.back();
    if (found.records.contains(last)) continue;
    ASSERT_FALSE(model.sent[static_cast<size_t>(last)].value) << "the last value of " << key << " at " << last;
    for (int64_t older : offsets) ASSERT_FALSE(found.records.contains(older)) << key << " at " << older << " came back";
  }
}

class Script {
 public:
  Script(TestLog& test, Model& model, uint64_t seed) : test_(test), model_(model), random_(seed) {
    LogConfig& config = test.config;
    config.compact_enabled = true;
    config.segment_bytes = 600 + static_cast<int64_t>(random_.below(1500));
    config.index_interval_bytes = 200;
    config.preallocate_bytes_max = seed % 2 ? 0 : 4096;
    config.retention_ms = config.retention_bytes = -1;
    config.delete_retention_ms = 3600 * 1000;
    config.producer_id_expiration_ms = INT64_MAX / 2;
    deletes_ = seed % 3 == 0;
  }
  void run(int steps) {
    for (int i = 0; i < steps && !stopped_; ++i) step(/*compacting=*/false);
  }
  void compact() {
    int more = 10;  // Steps that go on beside it.
    size_t map_bytes = random_.chance(0.5) ? 4096 : 48 + random_.below(200);
    auto report = test_.log->compact({.offset_map_bytes_max = map_bytes, .seed = random_.next(), .pace = [&](int64_t) {
                                        if (more > 0 && random_.chance(0.1)) --more, step(/*compacting=*/true);
                                        return !stopped_;
                                      }});
    if (!report.ok() && report.error().code != ErrorCode::kUnavailable) stopped_ = true;
  }
  /// Leaves segments that compaction has not seen.
  void fill() {
    end_transaction();
    for (int i = 0; i < 20 && !stopped_; ++i) append_plain();
    flush();
  }
  /// Readers beside a compaction would take the failure of a read that is meant for it.
  void read_no_more() { reads_ = false; }
  bool deletes() const { return deletes_; }

 private:
  void step(bool compacting) {
    if (stopped_) return;
    switch (random_.below(16)) {
      default: return append_plain();
      case 6:
      case 7: return append_transactional();
      case 8: return end_transaction();
      case 9:
      case 10: return flush();
      case 11: return note(test_.log->checkpoint().ok());
      case 12:
      case 13: return compacting ? read() : compact();
      case 14: return delete_some();
      case 15: return test_.clock.advance(std::chrono::minutes(random_.below(90)));
    }
  }
  record::Batch make_records(int records) {
    record::BatchBuilder builder(static_cast<codec::Compression>(random_.below(5)));
    for (int i = 0; i < records; ++i) {
      Sent sent{.key = "k" + std::to_string(random_.below(12))};
      if (!random_.chance(0.25)) {
        sent.value = "v" + std::to_string(next_value_++) + std::string(random_.below(120), '.');
      }
      std::optional<std::string_view> value;
      if (sent.value) value = *sent.value;
      builder.add(test_.clock.wall_ms(), sent.key, value);
      staged_.push_back(std::move(sent));
    }
    return builder.finish();
  }
  bool append_staged(const record::Batch& batch, Fate fate) {
    auto result = append(*test_.log, batch);
    if (result.ok()) {
      EXPECT_EQ(result->base_offset.value, static_cast<int64_t>(model_.sent.size()));
      for (Sent& sent : staged_) {
        sent.fate = fate;
        model_.sent.push_back(std::move(sent));
      }
    }
    staged_.clear();
    note(result.ok());
    return result.ok();
  }
  void append_plain() {
    int records = 1 + static_cast<int>(random_.below(4));
    auto batch = of_producer(make_records(records), kIdempotent, 0, model_.sequence);
    if (append_staged(batch, Fate::kPlain)) model_.sequence += records;
  }
  void append_transactional() {
    int records = 1 + static_cast<int>(random_.below(3));
    auto batch = of_producer(make_records(records), kTransactional, 0, model_.transaction_sequence, true);
    auto first = static_cast<int64_t>(model_.sent.size());
    if (!append_staged(batch, Fate::kOpen)) return;
    model_.transaction_sequence += records;
    if (model_.transaction_first < 0) model_.transaction_first = first;
  }
  void end_transaction() {
    if (model_.transaction_first < 0) return;
    bool commit = random_.chance(0.5);
    auto type = commit ? record::ControlType::kCommit : record::ControlType::kAbort;
    auto marker = record::end_transaction_marker(type, ProducerId(kTransactional), 0, 0, test_.clock.wall_ms());
    staged_.push_back({});
    if (!append_staged(marker, Fate::kMarker)) return;
    for (auto i = static_cast<size_t>(model_.transaction_first); i < model_.sent.size(); ++i) {
      if (model_.sent[i].fate != Fate::kOpen) continue;
      model_.sent[i].fate = commit ? Fate::kCommitted : Fate::kAborted;
      model_.sent[i].end = static_cast<int64_t>(model_.sent.size()) - 1;
    }
    model_.transaction_first = -1;
  }
  void flush() {
    int64_t end = test_.log->log_end_offset().value;
    if (!test_.log->flush().ok()) return note(false);
    model_.acknowledged = std::max(model_.acknowledged, end);
  }
  void delete_some() {
    if (!deletes_ || !random_.chance(0.3)) return;
    if (random_.chance(0.4)) return drop_oldest();
    int64_t start = test_.log->log_start_offset().value;
    int64_t to = start + (test_.log->last_stable_offset().value - start) / 4;
    model_.deleted = std::max(model_.deleted, to);
    if (!test_.log->delete_records(Offset(to)).ok()) return note(false);
    model_.promised_deleted = std::max(model_.promised_deleted, to);
  }
  void drop_oldest() {
    auto names = test_.disk.list(test_.directory);
    if (!names.ok()) return note(false);
    std::set<int64_t> bases;
    for (const std::string& name : *names) {
      if (name.ends_with(".log")) bases.insert(std::stoll(name));
    }
    if (bases.size() > 1) model_.deleted = std::max(model_.deleted, *std::next(bases.begin()));
    if (!test_.log->drop_oldest_segment().ok()) return note(false);
    model_.promised_deleted = std::max(model_.promised_deleted, test_.log->log_start_offset().value);
  }
  void read() {
    if (test_.disk.crashed() || !reads_) return;
    Found found;
    read_log(*test_.log, model_, found);
    check_keys(model_, found);
  }
  void note(bool ok) { stopped_ = stopped_ || !ok; }

  TestLog& test_;
  Model& model_;
  os::Random random_;
  std::vector<Sent> staged_;
  int next_value_ = 0;
  bool deletes_ = false;
  bool reads_ = true;
  bool stopped_ = false;
};

void check(TestLog& test, const Model& model) {
  PartitionLog& log = *test.log;
  ASSERT_GE(log.log_end_offset().value, model.acknowledged);
  ASSERT_LE(log.log_end_offset().value, static_cast<int64_t>(model.sent.size()));
  ASSERT_GE(log.log_start_offset().value, model.promised_deleted);
  ASSERT_LE(log.log_start_offset().value, model.deleted);
  for (const DamagedRange& range : log.damaged_ranges()) {
    FAIL() << range.file << " at " << range.position << ": offsets " << range.from.value << " to " << range.to.value;
  }
  Found found;
  ASSERT_NO_FATAL_FAILURE(read_log(log, model, found));
  check_keys(model, found);
}

// What came after the crash's end never happened; a transaction that is open again is aborted.
void forget_lost(TestLog& test, Model& model) {
  auto end = test.log->log_end_offset().value;
  model.sent.resize(static_cast<size_t>(end));
  model.acknowledged = std::min(model.acknowledged, end);
  model.transaction_first = -1;
  model.sequence = model.transaction_sequence = 0;
  if (auto known = test.log->producer(ProducerId(kIdempotent))) model.sequence = known->last_sequence + 1;
  auto known = test.log->producer(ProducerId(kTransactional));
  if (known) model.transaction_sequence = known->last_sequence + 1;
  for (size_t i = 0; i < model.sent.size(); ++i) {
    Sent& sent = model.sent[i];
    if (sent.end >= end) sent.fate = Fate::kOpen, sent.end = -1;
    if (sent.fate == Fate::kOpen && model.transaction_first < 0) model.transaction_first = static_cast<int64_t>(i);
  }
}

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
    ASSERT_NO_FATAL_FAILURE(check(test, model));
    forget_lost(test, model);
    int32_t sequence = model.sequence;
    if (!first.deletes() && random.chance(0.2)) {
      ASSERT_NO_FATAL_FAILURE(remove_notes(test));
      ASSERT_NO_FATAL_FAILURE(check(test, model));
      auto known = test.log->producer(ProducerId(kIdempotent));
      ASSERT_EQ(known ? known->last_sequence + 1 : 0, sequence);
    }
  }
  Script last(test, model, seed + 9000000);
  last.compact();
  check(test, model);
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
      ASSERT_NO_FATAL_FAILURE(check(test, model));
      test.disk.crash();
      test.log.reset();
      test.disk.restart(os::CrashMode::kRandom, nth);
      ASSERT_OK(test.open());
      ASSERT_NO_FATAL_FAILURE(check(test, model));
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
