#include "flow/sink_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "flow/fake_bus.h"

namespace headrace::flow {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""min;
using Outcome = WriteAnswer::Outcome;

const TopicPartition kFirst{"in", PartitionId(0)};
const TopicPartition kSecond{"in", PartitionId(1)};
const TopicPartition kLetters{"dead-letters", PartitionId(0)};

/// What a sink was asked and has taken, shared with the test that watches it.
struct Seen {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<TopicPartition, int64_t>, int> written;  ///< Times each offset was taken.
  std::vector<size_t> sizes;                                  ///< Records per write.
  int idles = 0;
  std::function<Result<WriteAnswer>(const SinkRecord&)> answer = [](const SinkRecord&) { return WriteAnswer{}; };

  void await(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex);
    changed.wait(lock, condition);
  }
};

class FakeSink final : public Sink {
 public:
  explicit FakeSink(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
  Result<std::vector<WriteAnswer>> write(std::span<const SinkRecord> records) override {
    std::lock_guard lock(seen_->mutex);
    seen_->sizes.push_back(records.size());
    std::vector<WriteAnswer> answers;
    for (const SinkRecord& r : records) {
      auto answer = seen_->answer(r);
      seen_->changed.notify_all();
      if (!answer.ok()) return answer.error();
      if (answer->outcome == Outcome::kWritten) ++seen_->written[{*r.tp, r.record.offset.value}];
      answers.push_back(*std::move(answer));
    }
    return answers;
  }
  Status idle() override {
    std::lock_guard lock(seen_->mutex);
    ++seen_->idles;
    seen_->changed.notify_all();
    return {};
  }
  std::string destination() const override { return "the fake destination"; }

 private:
  std::shared_ptr<Seen> seen_;
};

class SinkRunnerTest : public testing::Test {
 protected:
  SinkRunnerTest() {
    (void)bus_.create_topic({.name = "in", .partitions = 2});
    options_.name = "s";
    options_.topics = {"in"};
    options_.linger = 0ms;
    options_.discovery_interval = 5ms;
    options_.backoff = {.delay_min = 1ms, .delay_first = 1ms, .delay_max = 4ms};
    options_.seed = 7;
  }
  std::unique_ptr<SinkRunner> start() {
    return SinkRunner::start(options_, std::make_unique<FakeSink>(seen_), bus_, metrics_);
  }
  /// Every record is rejected.
  void reject_all() {
    seen_->answer = [](const SinkRecord&) -> Result<WriteAnswer> { return WriteAnswer{Outcome::kRejected, "no", {}}; };
  }
  /// What is put aside by a sink that runs until it has committed `next`.
  std::vector<record::Batch> letters_when_committed(Offset next) {
    auto runner = start();
    bus_.await_committed("s", kFirst, next);
    runner.reset();
    return bus_.batches(kLetters);
  }
  std::pair<std::string, std::string> state() {
    for (const auto& s : metrics_.states()) {
      if (s.component == "sink s") return {s.state, s.detail};
    }
    return {};
  }
  /// States change on the runner's thread and tell nobody: asked for again and again.
  void await_state(const std::string& name) {
    while (state().first != name) std::this_thread::yield();
  }
  int64_t metric(std::string_view name) {
    for (const auto& sample : metrics_.samples()) {
      if (sample.name == name) return sample.value;
    }
    return -1;
  }

  FakeBus bus_;
  MetricsRegistry metrics_;
  SinkRunnerOptions options_;
  std::shared_ptr<Seen> seen_ = std::make_shared<Seen>();
};

TEST_F(SinkRunnerTest, CommitsBehindWhatTheSinkHasWritten) {
  bus_.append(kFirst, {"a", "b"});
  bus_.append(kSecond, {"c"});
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(2));
  bus_.await_committed("s", kSecond, Offset(1));
  runner.reset();
  EXPECT_EQ(seen_->written.size(), 3u);
  EXPECT_EQ(metric("headrace_sink_records_written_total"), 3);
  EXPECT_EQ(metric("headrace_sink_lag_records"), 0);
  EXPECT_EQ(state().first, "stopped");
}

TEST_F(SinkRunnerTest, GoesOnFromTheCommittedPosition) {
  bus_.append(kFirst, {"a", "b", "c"});
  ASSERT_TRUE(bus_.commit("s", {{kFirst, Offset(2)}}).ok());
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(3));
  runner.reset();
  EXPECT_EQ(seen_->written.size(), 1u);
}

TEST_F(SinkRunnerTest, StartLatestBeginsAtTheEndOfTheFirstStart) {
  bus_.append(kFirst, {"old"});
  options_.from_latest = true;
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(1));
  runner.reset();
  bus_.append(kFirst, {"new"});
  runner = start();
  bus_.await_committed("s", kFirst, Offset(2));
  runner.reset();
  EXPECT_EQ(seen_->written.size(), 1u);
}

TEST_F(SinkRunnerTest, CommitsOnlyUpToTheFirstUnansweredRecordAndRetriesThatAlone) {
  bus_.append(kFirst, {"a", "b", "c"});
  int refused = 0;
  seen_->answer = [&](const SinkRecord& r) -> Result<WriteAnswer> {
    if (r.record.value == "b" && refused++ < 3) return WriteAnswer{Outcome::kRetry, "busy", {}};
    return WriteAnswer{};
  };
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(3));
  runner.reset();
  EXPECT_THAT(bus_.commits(kFirst), testing::ElementsAre(Offset(1), Offset(3)));
  EXPECT_THAT(seen_->sizes, testing::ElementsAre(3, 1, 1, 1));
  for (const auto& [record, times] : seen_->written) EXPECT_EQ(times, 1);
  EXPECT_EQ(metric("headrace_sink_records_retried_total"), 3);
}

TEST_F(SinkRunnerTest, ARejectedRecordIsInTheDeadLetterTopicBeforeItsPositionIsCommitted) {
  record::BatchBuilder builder;
  std::vector<record::Header> headers{{"h", "v"}};
  builder.add(1'234, "key", "bad", headers);
  bus_.append(kSecond, {"good"});
  bus_.append(kSecond, builder.finish());
  seen_->answer = [](const SinkRecord& r) -> Result<WriteAnswer> {
    if (r.record.value == "bad") return WriteAnswer{Outcome::kRejected, "no such field", {}};
    return WriteAnswer{};
  };
  int failures = 0;
  bus_.set_fault([&](std::string_view call) -> Status {
    if (call == "produce" && failures < 2) {
      ++failures;
      return Error{ErrorCode::kUnavailable, "the log is busy"};
    }
    return {};
  });
  auto runner = start();
  bus_.await_committed("s", kSecond, Offset(2));
  runner.reset();
  auto letters = bus_.batches(kLetters);
  ASSERT_EQ(letters.size(), 1u);
  record::RecordReader reader(letters[0], 1 << 20);
  const auto* letter = reader.next();
  ASSERT_NE(letter, nullptr);
  EXPECT_EQ(letter->key, "key");
  EXPECT_EQ(letter->value, "bad");
  std::map<std::string, std::string> found;
  for (const auto& h : letter->headers) found[std::string(h.key)] = h.value.value_or("");
  EXPECT_EQ(found["dlq.stage"], "sink");
  EXPECT_EQ(found["dlq.component"], "s");
  EXPECT_EQ(found["dlq.error.message"], "no such field");
  EXPECT_EQ(found["dlq.source.topic"], "in");
  EXPECT_EQ(found["dlq.source.partition"], "1");
  EXPECT_EQ(found["dlq.source.offset"], "1");
  EXPECT_EQ(found["dlq.source.timestamp"], "1234");
  EXPECT_EQ(found["h"], "v");
  EXPECT_EQ(metric("headrace_sink_records_rejected_total"), 1);
  EXPECT_THAT(bus_.commits(kSecond), testing::ElementsAre(Offset(1), Offset(2)));
}

TEST_F(SinkRunnerTest, ALetterTooLargeForItsTopicGoesWithoutItsValue) {
  bus_.append(kFirst, {std::string(5'000, 'x'), "small"});
  reject_all();
  int calls = 0;
  bus_.set_fault([&](std::string_view call) -> Status {
    // Both letters together and the large one alone are refused.
    if (call == "produce" && calls++ < 2) return Error{ErrorCode::kTooLarge, "over max.message.bytes"};
    return {};
  });
  auto letters = letters_when_committed(Offset(2));
  ASSERT_EQ(letters.size(), 2u);
  record::RecordReader large(letters[0], 1 << 20);
  const auto* letter = large.next();
  EXPECT_FALSE(letter->value);
  EXPECT_EQ(letter->headers.back().key, "dlq.value.omitted.bytes");
  EXPECT_EQ(letter->headers.back().value, "5000");
  record::RecordReader small(letters[1], 1 << 20);
  EXPECT_EQ(small.next()->value, "small");
}

TEST_F(SinkRunnerTest, ALetterThatIsRefusedForGoodGoesWithoutItsHeadersAndItsKey) {
  record::BatchBuilder builder;
  record::Header header{"h", "v"};
  builder.add(1'000, std::string(5'000, 'k'), "value", {&header, 1});
  bus_.append(kFirst, builder.finish());
  reject_all();
  int calls = 0;
  bus_.set_fault([&](std::string_view call) -> Status {
    if (call != "produce" || calls >= 3) return {};
    return Error{++calls < 3 ? ErrorCode::kCorrupt : ErrorCode::kTooLarge, "not such a record"};
  });
  auto letters = letters_when_committed(Offset(1));
  ASSERT_EQ(letters.size(), 1u);
  record::RecordReader reader(letters[0], 1 << 20);
  const auto* letter = reader.next();
  EXPECT_FALSE(letter->key);
  EXPECT_FALSE(letter->value);
  std::map<std::string, std::string> found;
  for (const auto& h : letter->headers) found[std::string(h.key)] = h.value.value_or("");
  EXPECT_EQ(found["dlq.key.omitted.bytes"], "5000");
  EXPECT_EQ(found["dlq.value.omitted.bytes"], "5");
  EXPECT_EQ(found["dlq.source.offset"], "0");
  EXPECT_FALSE(found.contains("h"));
}

TEST_F(SinkRunnerTest, AFatalErrorStopsTheSinkVisiblyAndCommitsNothing) {
  bus_.append(kFirst, {"a"});
  seen_->answer = [](const SinkRecord&) -> Result<WriteAnswer> {
    return Error{ErrorCode::kInvalidArgument, "no such mapping"};
  };
  auto runner = start();
  await_state("failed");
  EXPECT_EQ(state().second, "no such mapping");
  runner.reset();
  EXPECT_EQ(state().first, "failed");
  EXPECT_EQ(bus_.committed_position("s", kFirst), kNoOffset);
}

TEST_F(SinkRunnerTest, AnUnreachableDestinationIsShownAndNothingIsLost) {
  bus_.append(kFirst, {"a", "b"});
  std::atomic<bool> up{false};
  seen_->answer = [&](const SinkRecord&) -> Result<WriteAnswer> {
    if (!up) return WriteAnswer{Outcome::kRetry, "fake at nowhere: connection refused", {}};
    return WriteAnswer{};
  };
  auto runner = start();
  await_state("retrying");
  EXPECT_THAT(state().second,
              testing::AllOf(testing::HasSubstr("connection refused; next try in"), testing::HasSubstr("ms")));
  EXPECT_LE(bus_.committed_position("s", kFirst), Offset(0));
  up = true;
  bus_.await_committed("s", kFirst, Offset(2));
  await_state("running");
  EXPECT_EQ(state().second, "the fake destination");
}

TEST_F(SinkRunnerTest, StopsAmidABackOffOfMinutes) {
  bus_.append(kFirst, {"a"});
  options_.backoff = {.delay_min = 10min, .delay_first = 10min, .delay_max = 10min};
  seen_->answer = [](const SinkRecord&) -> Result<WriteAnswer> { return WriteAnswer{Outcome::kRetry, "busy", {}}; };
  auto runner = start();
  await_state("retrying");
  runner.reset();
  EXPECT_LE(bus_.committed_position("s", kFirst), Offset(0));
}

TEST_F(SinkRunnerTest, FindsTopicsAndPartitionsThatComeLater) {
  options_.topics = {"in", "later"};
  auto runner = start();
  while (state().second != "waiting for topic later") std::this_thread::yield();
  ASSERT_TRUE(bus_.create_topic({.name = "later"}).ok());
  bus_.append({"later", PartitionId(0)}, {"a"});
  bus_.await_committed("s", {"later", PartitionId(0)}, Offset(1));
  ASSERT_TRUE(bus_.create_partitions("in", 3).ok());
  bus_.append({"in", PartitionId(2)}, {"b"});
  bus_.await_committed("s", {"in", PartitionId(2)}, Offset(1));
}

/// Topics that are deleted, and made anew, while what was read of them is being delivered.
class SinkOfDeletedTopics : public SinkRunnerTest {
 protected:
  void SetUp() override {
    options_.topics = {"in", "other"};
    options_.discovery_interval = 60min;
    ASSERT_TRUE(bus_.create_topic({.name = "other", .partitions = 1}).ok());
    bus_.append(kFirst, {"a"});
    bus_.append(kOther, {"b", "b", "b"});
    seen_->answer = [this](const SinkRecord&) -> Result<WriteAnswer> {
      if (!up_) return WriteAnswer{Outcome::kRetry, "down", {}};
      return WriteAnswer{};
    };
  }
  int times_written(const TopicPartition& tp, int64_t offset) {
    std::lock_guard lock(seen_->mutex);
    return seen_->written[{tp, offset}];
  }

  const TopicPartition kOther{"other", PartitionId(0)};
  std::atomic<bool> up_{false};
};

TEST_F(SinkOfDeletedTopics, ADeletedOneHoldsUpNoOther) {
  auto runner = start();
  await_state("retrying");
  ASSERT_TRUE(bus_.delete_topic("other").ok());
  up_ = true;
  bus_.await_committed("s", kFirst, Offset(1));
  while (state().second != "waiting for topic other") std::this_thread::yield();
  bus_.append(kFirst, {"c"});
  bus_.await_committed("s", kFirst, Offset(2));
}

TEST_F(SinkOfDeletedTopics, OneThatWasMadeAnewIsReadFromItsBeginning) {
  auto runner = start();
  await_state("retrying");
  ASSERT_TRUE(bus_.delete_topic("other").ok());
  ASSERT_TRUE(bus_.create_topic({.name = "other", .partitions = 1}).ok());
  up_ = true;
  bus_.await_committed("s", kFirst, Offset(1));
  bus_.append(kOther, {"d", "d", "d", "d", "d"});
  bus_.await_committed("s", kOther, Offset(5));
  EXPECT_EQ(times_written(kOther, 0), 2) << "of the old one, and of the new one";
  EXPECT_EQ(times_written(kOther, 4), 1);
  EXPECT_EQ(times_written(kFirst, 0), 1);
}

TEST_F(SinkOfDeletedTopics, NothingIsMixedUpWhereLookingForTopicsAnewFails) {
  options_.batch_records_max = 1;
  auto runner = start();
  await_state("retrying");
  ASSERT_TRUE(bus_.delete_topic("other").ok());
  ASSERT_TRUE(bus_.create_topic({.name = "other", .partitions = 1}).ok());
  bus_.append(kOther, {"d", "d"});
  int failures = 0;
  bus_.set_fault([&](std::string_view call) {
    bool fails = call == "committed" && failures < 3;
    if (fails) ++failures;
    return fails ? Status(Error{ErrorCode::kUnavailable, "the group moves"}) : Status();
  });
  up_ = true;
  bus_.await_committed("s", kFirst, Offset(1));
  bus_.await_committed("s", kOther, Offset(2));
  runner.reset();
  EXPECT_EQ(failures, 3);
  EXPECT_EQ(times_written(kFirst, 0), 1);
  EXPECT_EQ(times_written(kOther, 1), 1);
}

TEST_F(SinkOfDeletedTopics, OneThatWasMadeAnewIsReadFromWhereItWasFirstSeen) {
  options_.from_latest = true;
  auto runner = start();
  bus_.await_committed("s", kOther, Offset(3));
  bus_.append(kOther, {"b"});
  await_state("retrying");
  ASSERT_TRUE(bus_.delete_topic("other").ok());
  ASSERT_TRUE(bus_.create_topic({.name = "other", .partitions = 1}).ok());
  up_ = true;
  bus_.await_committed("s", kOther, Offset(0));
  up_ = false;
  bus_.append(kOther, {"d", "d"});
  runner.reset();
  up_ = true;
  runner = start();
  bus_.await_committed("s", kOther, Offset(2));
  EXPECT_EQ(times_written(kOther, 0), 1);
}

TEST_F(SinkOfDeletedTopics, OneThatWasMadeAnewIsFoundThoughOthersAreBusy) {
  up_ = true;
  std::atomic<bool> done{false};
  auto runner = start();
  bus_.await_committed("s", kOther, Offset(3));
  std::thread producer([&] {
    while (!done) bus_.append(kFirst, {"busy"});
  });
  ASSERT_TRUE(bus_.delete_topic("other").ok());
  ASSERT_TRUE(bus_.create_topic({.name = "other", .partitions = 1}).ok());
  bus_.append(kOther, {"d"});
  bus_.await_committed("s", kOther, Offset(1));
  done = true;
  producer.join();
}

TEST_F(SinkRunnerTest, WritesAreBoundedByRecordsAndByBytes) {
  options_.batch_records_max = 3;
  bus_.append(kFirst, {"1", "2", "3", "4", "5", "6", "7", "8"});
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(8));
  runner.reset();
  EXPECT_THAT(seen_->sizes, testing::ElementsAre(3, 3, 2));
  seen_->sizes.clear();
  options_.batch_records_max = 1'000;
  options_.batch_bytes_max = 250;
  std::string large(100, 'x');
  bus_.append(kFirst, {large, large, large, large, large});
  runner = start();
  bus_.await_committed("s", kFirst, Offset(13));
  runner.reset();
  EXPECT_THAT(seen_->sizes, testing::ElementsAre(3, 2));
}

TEST_F(SinkRunnerTest, WritesAreBoundedByHeaders) {
  options_.batch_bytes_max = 10'000;
  record::BatchBuilder builder;
  std::vector<record::Header> headers(100, {"h", "v"});
  for (int i = 0; i < 5; ++i) builder.add(1'000, std::nullopt, std::nullopt, headers);
  bus_.append(kFirst, builder.finish());
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(5));
  runner.reset();
  EXPECT_THAT(seen_->sizes, testing::ElementsAre(3, 2));
}

TEST_F(SinkRunnerTest, BatchesAreDecompressedWhenTheirTurnComes) {
  options_.batch_records_max = 1;
  record::BatchBuilder builder(codec::Compression::kZstd);
  for (int i = 0; i < 64; ++i) {
    builder.add(1'000, "k", std::string(1 << 20, 'x'));
    bus_.append(kFirst, builder.finish());
  }
  auto allocated = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  size_t most = 0;
  seen_->answer = [&](const SinkRecord&) -> Result<WriteAnswer> {
    most = std::max(most, allocated());
    return WriteAnswer{};
  };
  size_t before = allocated();
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(64));
  runner.reset();
  EXPECT_LT(most, before + (16 << 20)) << "64 MiB were fetched at once";
}

TEST_F(SinkRunnerTest, WritesAreBoundedByWhatTheirBatchesDecompressTo) {
  options_.decompressed_bytes_max = 2 << 20;
  options_.batch_bytes_max = 1 << 20;
  record::BatchBuilder builder(codec::Compression::kZstd);
  builder.add(1'000, "k", "small");
  builder.add(1'000, "k", std::string((2 << 20) - 100, 'x'));
  record::Batch built = builder.finish();
  Bytes bytes(built.bytes().view().begin(), built.bytes().view().end());
  record::BatchHeader header = built.header();
  header.record_count = 1;  // What is behind the first record can't be read.
  record::write_header(header, bytes);
  record::seal(bytes);
  for (int i = 0; i < 8; ++i) bus_.append(kFirst, *record::Batch::parse(SharedBytes(bytes)));
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(16));
  runner.reset();
  EXPECT_THAT(seen_->sizes, testing::Each(testing::Le(2u)));
  EXPECT_EQ(seen_->written.size(), 8u);
  EXPECT_EQ(metric("headrace_sink_records_rejected_total"), 8);
}

TEST_F(SinkRunnerTest, PositionsPassMarkersThatAreNoRecords) {
  bus_.append(kFirst, {"a"});
  bus_.append_marker(kFirst);
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(2));
}

TEST_F(SinkRunnerTest, RecordsThatExpiredUnreadAreCounted) {
  bus_.append(kFirst, {"a", "b"});
  bus_.append(kFirst, {"c"});
  ASSERT_TRUE(bus_.commit("s", {{kFirst, Offset(0)}}).ok());
  bus_.expire_before(kFirst, Offset(2));
  auto runner = start();
  bus_.await_committed("s", kFirst, Offset(3));
  runner.reset();
  EXPECT_EQ(metric("headrace_sink_records_expired_total"), 2);
  EXPECT_EQ(seen_->written.size(), 1u);
}

TEST_F(SinkRunnerTest, ABatchThatCannotBeDecodedGoesToTheDeadLettersWhole) {
  record::BatchBuilder builder;
  builder.add(1'000, "k", "v");
  record::Batch good = builder.finish();
  Bytes bytes(good.bytes().data(), good.bytes().data() + good.size());
  bytes[record::kBatchHeaderBytes] = 0x7e;  // The record's length: longer than the batch.
  auto header = *record::read_header(bytes);
  header.crc = record::compute_crc(bytes);
  record::write_header(header, bytes);
  bus_.append(kFirst, *record::Batch::parse(SharedBytes(bytes)));
  bus_.append(kFirst, {"next"});
  auto letters = letters_when_committed(Offset(2));
  ASSERT_EQ(letters.size(), 1u);
  record::RecordReader reader(letters[0], 1 << 20);
  const auto* letter = reader.next();
  ASSERT_NE(letter, nullptr);
  EXPECT_EQ(letter->value->size(), bytes.size());
  EXPECT_EQ(letter->headers[2].value, "corrupt");
  EXPECT_EQ(seen_->written.size(), 1u);
}

/// Every pattern of answers and of the bus's failures: all records end up written or in the dead letters, each position
/// is committed only behind answered records, and nothing that was answered is written again within a run.
class SinkRunnerRandomTest : public SinkRunnerTest, public testing::WithParamInterface<uint64_t> {};

TEST_P(SinkRunnerRandomTest, NothingIsLostWhateverIsAnswered) {
  const uint64_t seed = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed), faults(seed + 1);
  constexpr int kRecords = 300;
  options_.batch_records_max = 1 + random() % 50;
  std::set<std::pair<TopicPartition, int64_t>> rejected;  // Under seen_->mutex.
  seen_->answer = [&](const SinkRecord& r) -> Result<WriteAnswer> {
    EXPECT_LE(bus_.committed_position("s", *r.tp), r.record.offset);
    switch (random() % 8) {
      case 0: rejected.insert({*r.tp, r.record.offset.value}); return WriteAnswer{Outcome::kRejected, "never", {}};
      case 1:
      case 2: return WriteAnswer{Outcome::kRetry, "later", std::chrono::milliseconds(random() % 2)};
      default: return WriteAnswer{};
    }
  };
  bus_.set_fault([&](std::string_view) -> Status {
    if (faults() % 5 == 0) return Error{ErrorCode::kUnavailable, "fault"};
    return {};
  });
  auto runner = start();
  for (int i = 0; i < kRecords; i += 10) {
    for (const TopicPartition& tp : {kFirst, kSecond}) {
      std::vector<std::string> values;
      for (int k = 0; k < 10; ++k) values.push_back(std::to_string(i + k));
      bus_.append(tp, values);
    }
  }
  bus_.await_committed("s", kFirst, Offset(kRecords));
  bus_.await_committed("s", kSecond, Offset(kRecords));
  runner.reset();
  for (const TopicPartition& tp : {kFirst, kSecond}) {
    for (int64_t offset = 0; offset < kRecords; ++offset) {
      int times = seen_->written[{tp, offset}] + static_cast<int>(rejected.count({tp, offset}));
      EXPECT_EQ(times, 1) << to_string(tp) << " " << offset;
    }
    auto commits = bus_.commits(tp);
    EXPECT_TRUE(std::is_sorted(commits.begin(), commits.end()));
  }
  std::set<std::string> letters;
  for (const auto& batch : bus_.batches(kLetters)) {
    record::RecordReader reader(batch, 1 << 20);
    while (const auto* letter = reader.next()) {
      letters.insert(std::string(*letter->headers[5].value) + " " + std::string(*letter->headers[6].value));
    }
  }
  EXPECT_EQ(letters.size(), rejected.size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SinkRunnerRandomTest, testing::Range<uint64_t>(1, 41));

}  // namespace
}  // namespace headrace::flow
