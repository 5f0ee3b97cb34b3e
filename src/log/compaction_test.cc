// What compaction keeps and what it takes away.
#include <algorithm>

#include "log/log_test_support.h"

namespace headrace::log {
namespace {

constexpr int64_t kHourMs = 3600 * 1000;

struct Seen {
  int64_t offset;
  std::string key, value;  // "-": a tombstone.
  friend bool operator==(const Seen&, const Seen&) = default;
};
std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << seen.offset << ":" << seen.key << "=" << seen.value;
}

record::Batch keyed(const std::string& key, const std::optional<std::string>& value,
                    codec::Compression codec = codec::Compression::kNone, int64_t timestamp_ms = kTestTimeMs) {
  record::BatchBuilder builder(codec);
  std::optional<std::string_view> view;
  if (value) view = *value;
  builder.add(timestamp_ms, key, view);
  return builder.finish();
}

record::Batch many(std::vector<std::pair<std::string, std::string>> records,
                   codec::Compression codec = codec::Compression::kNone) {
  record::BatchBuilder builder(codec);
  for (const auto& [key, value] : records) builder.add(kTestTimeMs, key, value);
  return builder.finish();
}

class CompactionTest : public ::testing::Test {
 protected:
  CompactionTest() {
    set_log_level(LogLevel::kError);
    test_.config.compact_enabled = true;
    test_.config.delete_enabled = false;
    test_.config.segment_bytes = 1 << 20;
    test_.config.preallocate_bytes_max = 0;
    EXPECT_OK(test_.open());
  }
  ~CompactionTest() override { set_log_level(LogLevel::kInfo); }

  PartitionLog& log() { return *test_.log; }
  void add(const record::Batch& batch) { ASSERT_OK(append(log(), batch)); }
  // Everything so far lies in segments that are not active any more.
  void roll() {
    LogConfig config = log().config();
    LogConfig small = config;
    small.segment_bytes = 1;
    log().set_config(small);
    add(keyed("roll", "x"));
    log().set_config(config);
    ASSERT_OK(log().flush());
  }
  CompactionReport compact(size_t map_bytes = 1 << 16) {
    auto report = log().compact({.offset_map_bytes_max = map_bytes, .seed = 1, .pace = {}});
    EXPECT_OK(report);
    return report.ok() ? *report : CompactionReport();
  }
  // All records but those of control batches and the ones that roll() writes.
  std::vector<Seen> records(bool committed = false) {
    std::vector<Seen> seen;
    for (const record::Batch& batch : batches()) {
      if (batch.header().is_control()) continue;
      if (committed && aborted(batch.header())) continue;
      record::RecordReader reader(batch, 1 << 20);
      while (const record::RecordView* record = reader.next()) {
        if (record->key == "roll") continue;
        seen.push_back(
            {record->offset.value, std::string(record->key.value_or("?")), std::string(record->value.value_or("-"))});
      }
      EXPECT_OK(reader.status());
    }
    return seen;
  }
  std::vector<record::Batch> batches() {
    std::vector<record::Batch> all;
    for (Offset at = log().log_start_offset(); at < log().log_end_offset();) {
      auto read = log().read(at, 1 << 20, log().log_end_offset());
      EXPECT_OK(read);
      if (!read.ok() || read->next_offset <= at) break;
      auto split = record::split_batches(read->batches, false);
      EXPECT_OK(split);
      all.insert(all.end(), split->begin(), split->end());
      at = read->next_offset;
    }
    return all;
  }
  bool aborted(const record::BatchHeader& header) {
    auto found = log().aborted_transactions(header.base_offset, header.next_offset());
    return header.is_transactional() && std::any_of(found->begin(), found->end(), [&](const AbortedTransaction& one) {
             return one.producer_id == header.producer_id && one.first_offset <= header.base_offset;
           });
  }
  int markers() {
    auto all = batches();
    return static_cast<int>(
        std::count_if(all.begin(), all.end(), [](const auto& b) { return b.header().is_control(); }));
  }
  void end_transaction(int64_t producer, bool commit) {
    auto type = commit ? record::ControlType::kCommit : record::ControlType::kAbort;
    add(record::end_transaction_marker(type, ProducerId(producer), 0, 0, kTestTimeMs));
  }

  TestLog test_;
};

TEST_F(CompactionTest, KeepsTheLastRecordOfEachKeyUnderItsOffset) {
  for (auto codec : {codec::Compression::kNone, codec::Compression::kGzip, codec::Compression::kSnappy,
                     codec::Compression::kLz4, codec::Compression::kZstd}) {
    SCOPED_TRACE(codec::to_string(codec));
    TestLog fresh;
    fresh.config = test_.config;
    std::swap(fresh.log, test_.log);
    ASSERT_OK(fresh.open());
    std::swap(fresh.log, test_.log);
    add(many({{"a", "1"}, {"b", "2"}, {"a", "3"}}, codec));
    add(many({{"c", "4"}, {"b", "5"}}, codec));
    add(many({{"a", "6"}}, codec));
    roll();
    CompactionReport report = compact();
    EXPECT_EQ(report.compacted_to, Offset(6));
    EXPECT_EQ(report.passes, 1);
    EXPECT_LT(report.bytes_after, report.bytes_before);
    EXPECT_THAT(records(), testing::ElementsAre(Seen{3, "c", "4"}, Seen{4, "b", "5"}, Seen{5, "a", "6"}));
    test_.log.reset();
  }
}

TEST_F(CompactionTest, ABatchKeepsItsOffsetsTimesAndHeadersWhenRecordsGo) {
  record::BatchBuilder builder(codec::Compression::kLz4);
  std::vector<record::Header> headers{{"h", "v"}};
  builder.add(kTestTimeMs, "a", "1");
  builder.add(kTestTimeMs + 5, "b", "2", headers);
  builder.add(kTestTimeMs + 9, "a", "3");
  add(of_producer(builder.finish(), 11, 0, 0));
  add(of_producer(keyed("a", "4"), 11, 0, 3));
  roll();
  compact();
  record::Batch first = batches().front();
  EXPECT_EQ(first.header().base_offset, Offset(0));
  EXPECT_EQ(first.header().last_offset(), Offset(2));
  EXPECT_EQ(first.header().base_sequence, 0);
  EXPECT_EQ(first.header().record_count, 1);
  EXPECT_EQ(first.header().max_timestamp_ms, kTestTimeMs + 5);
  EXPECT_EQ(first.header().compression(), codec::Compression::kLz4);
  record::RecordReader reader(first, 1 << 20);
  const record::RecordView* record = reader.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->offset, Offset(1));
  EXPECT_EQ(record->timestamp_ms, kTestTimeMs + 5);
  ASSERT_EQ(record->headers.size(), 1u);
  EXPECT_EQ(record->headers[0].value, "v");
}

TEST_F(CompactionTest, TombstonesStayForDeleteRetention) {
  test_.config.delete_retention_ms = kHourMs;
  log().set_config(test_.config);
  add(keyed("a", "1"));
  add(keyed("b", "2"));
  add(keyed("a", std::nullopt));
  roll();
  compact();
  EXPECT_THAT(records(), testing::ElementsAre(Seen{1, "b", "2"}, Seen{2, "a", "-"}));
  record::Batch tombstone = batches()[1];
  EXPECT_EQ(tombstone.header().delete_horizon_ms(), kTestTimeMs + kHourMs);
  record::RecordReader reader(tombstone, 1 << 20);
  EXPECT_EQ(reader.next()->timestamp_ms, kTestTimeMs);

  test_.clock.advance(std::chrono::milliseconds(kHourMs - 1));
  add(keyed("c", "3"));
  roll();
  compact();
  EXPECT_THAT(records(), testing::Contains(Seen{2, "a", "-"}));
  test_.clock.advance(std::chrono::milliseconds(1));
  add(keyed("c", "4"));
  roll();
  compact();
  EXPECT_THAT(records(), testing::ElementsAre(Seen{1, "b", "2"}, Seen{6, "c", "4"}));
}

TEST_F(CompactionTest, TombstonesStayForEverWhenDeleteRetentionHasNoEnd) {
  test_.config.delete_retention_ms = INT64_MAX;
  ASSERT_OK(test_.open());
  add(keyed("a", "1"));
  add(keyed("a", std::nullopt));
  roll();
  compact();
  add(keyed("b", "1"));
  roll();
  compact();
  EXPECT_EQ(records(), (std::vector<Seen>{{1, "a", "-"}, {3, "b", "1"}}));
}

TEST_F(CompactionTest, TimesAtTheEndsOfTheirRangeAreKept) {
  test_.config.max_compaction_lag_ms = kHourMs;
  ASSERT_OK(test_.open());
  add(keyed("a", "1", codec::Compression::kNone, INT64_MIN));
  add(keyed("a", std::nullopt, codec::Compression::kNone, INT64_MIN));
  roll();
  EXPECT_TRUE(log().compaction_backlog()->overdue);
  compact();
  record::RecordReader reader(batches()[0], 1 << 20);
  const record::RecordView* record = reader.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->timestamp_ms, INT64_MIN);
}

TEST_F(CompactionTest, AbortedRecordsGoAtOnceAndMarkersOnceNobodyNeedsThem) {
  test_.config.delete_retention_ms = kHourMs;
  log().set_config(test_.config);
  add(of_producer(keyed("a", "committed"), 21, 0, 0, true));
  end_transaction(21, true);
  add(of_producer(keyed("a", "aborted"), 21, 0, 1, true));
  add(of_producer(keyed("b", "aborted"), 22, 0, 0, true));
  end_transaction(21, false);
  end_transaction(22, false);
  add(of_producer(keyed("c", "last"), 21, 0, 2, true));
  end_transaction(21, true);
  add(of_producer(keyed("c", "last"), 22, 0, 1, true));
  end_transaction(22, true);
  roll();
  compact();
  EXPECT_THAT(records(true), testing::ElementsAre(Seen{0, "a", "committed"}, Seen{8, "c", "last"}));
  EXPECT_EQ(records(true), records());
  EXPECT_EQ(markers(), 5);

  add(keyed("d", "1"));
  roll();
  compact();  // Sees that the aborted transactions have no data left.
  EXPECT_EQ(markers(), 5);
  EXPECT_TRUE(log().aborted_transactions(Offset(0), Offset(8))->empty());
  test_.clock.advance(std::chrono::milliseconds(kHourMs));
  add(keyed("d", "2"));
  roll();
  compact();
  EXPECT_EQ(markers(), 3);
  EXPECT_THAT(records(true), testing::Contains(Seen{0, "a", "committed"}));
}

TEST_F(CompactionTest, NothingAboveTheLastStableOffsetIsTouched) {
  add(keyed("a", "1"));
  roll();
  add(of_producer(keyed("a", "2"), 21, 0, 0, true));
  add(keyed("a", "3"));
  roll();
  add(keyed("a", "4"));
  roll();
  CompactionReport report = compact();
  EXPECT_EQ(report.end, Offset(1));
  EXPECT_EQ(records().size(), 4u);
  end_transaction(21, false);
  ASSERT_OK(log().flush());
  compact();
  EXPECT_THAT(records(true), testing::ElementsAre(Seen{5, "a", "4"}));
}

TEST_F(CompactionTest, NothingThatIsNotDurableCounts) {
  LogConfig config = test_.config;
  config.flush_policy = FlushPolicy::kOs;
  config.segment_bytes = 1;
  log().set_config(config);
  for (int i = 0; i < 4; ++i) add(keyed("a", std::to_string(i)));
  EXPECT_EQ(log().compaction_backlog()->dirty_bytes, 0);
  ASSERT_OK(log().flush());
  EXPECT_EQ(log().compaction_backlog()->end, Offset(3));
}

TEST_F(CompactionTest, AProducersLastSequenceCanBeReadFromTheLog) {
  add(of_producer(many({{"a", "1"}, {"a", "2"}}), 11, 3, 0));
  add(of_producer(many({{"a", "3"}, {"b", "4"}}), 11, 3, 2));
  add(of_producer(keyed("x", "1"), 21, 5, 0, true));
  add(record::end_transaction_marker(record::ControlType::kAbort, ProducerId(21), 6, 0, kTestTimeMs));
  add(many({{"a", "5"}, {"b", "6"}}));
  roll();
  compact();
  EXPECT_THAT(records(), testing::ElementsAre(Seen{6, "a", "5"}, Seen{7, "b", "6"}));
  ASSERT_OK(log().close());
  test_.log.reset();
  auto names = test_.disk.list(test_.directory);
  for (const std::string& name : *names) {
    if (name.ends_with(".snapshot") || name == "headrace.checkpoint")
      ASSERT_OK(test_.disk.remove(test_.directory + "/" + name));
  }
  ASSERT_OK(test_.open());
  EXPECT_EQ(log().producer(ProducerId(11))->last_sequence, 3);
  EXPECT_EQ(log().producer(ProducerId(11))->epoch, 3);
  EXPECT_EQ(log().producer(ProducerId(21))->epoch, 6);
  EXPECT_TRUE(log().damaged_ranges().empty());
  EXPECT_THAT(records(), testing::ElementsAre(Seen{6, "a", "5"}, Seen{7, "b", "6"}));
  ASSERT_OK(log().close());
  ASSERT_OK(test_.open());
  EXPECT_EQ(records().size(), 2u);
}

TEST_F(CompactionTest, KeysThatDoNotFitIntoTheMapTakeMorePasses) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) add(many({{"k" + std::to_string(i), "v" + std::to_string(round)}, {"z", "1"}}));
    roll();
  }
  CompactionReport report = compact(5 * 24);
  EXPECT_GT(report.passes, 5);
  EXPECT_EQ(report.compacted_to, report.end);
  auto left = records();
  ASSERT_EQ(left.size(), 21u);
  for (const Seen& seen : left) EXPECT_TRUE(seen.key == "z" || seen.value == "v2") << seen;
}

TEST_F(CompactionTest, SmallSegmentsAreMerged) {
  for (int i = 0; i < 10; ++i) {
    add(keyed("k" + std::to_string(i), "v"));
    roll();
  }
  EXPECT_EQ(log().stats().segments, 11);
  CompactionReport report = compact();
  EXPECT_EQ(report.segments_replaced, 10);
  EXPECT_EQ(report.segments_written, 1);
  EXPECT_EQ(log().stats().segments, 2);
  EXPECT_EQ(records().size(), 10u);
  ASSERT_OK(log().close());
  ASSERT_OK(test_.open());
  EXPECT_EQ(records().size(), 10u);
  EXPECT_EQ(log().stats().scanned_bytes_at_open, 0);
}

TEST_F(CompactionTest, ASegmentWithNothingToTakeAwayIsNotWritten) {
  test_.config.segment_bytes = 1;
  log().set_config(test_.config);
  for (const char* key : {"a", "b", "c", "d"}) add(keyed(key, "1"));
  ASSERT_OK(log().flush());
  CompactionReport report = compact();
  EXPECT_EQ(report.segments_written, 0);
  EXPECT_EQ(report.compacted_to, Offset(3));
  for (const auto& operation : test_.disk.operations()) {
    EXPECT_THAT(operation.path, testing::Not(testing::HasSubstr(".cleaned")));
  }
  EXPECT_EQ(records().size(), 4u);
}

TEST_F(CompactionTest, RecordsWaitForTheMinimalLag) {
  test_.config.min_compaction_lag_ms = kHourMs;
  log().set_config(test_.config);
  add(keyed("a", "1"));
  add(keyed("a", "2"));
  roll();
  EXPECT_EQ(log().compaction_backlog()->dirty_bytes, 0);
  compact();
  EXPECT_EQ(records().size(), 2u);
  test_.clock.advance(std::chrono::milliseconds(kHourMs));
  EXPECT_EQ(log().compaction_backlog()->dirty_ratio(), 1.0);
  compact();
  EXPECT_EQ(records().size(), 1u);
}

TEST_F(CompactionTest, OldDirtyRecordsAreOverdueAndRollTheActiveSegment) {
  test_.config.max_compaction_lag_ms = kHourMs;
  log().set_config(test_.config);
  add(keyed("a", "1"));
  add(keyed("a", "2", codec::Compression::kNone, kTestTimeMs + kHourMs + 1));
  EXPECT_EQ(log().stats().segments, 2);
  ASSERT_OK(log().flush());
  EXPECT_FALSE(log().compaction_backlog()->overdue);
  test_.clock.advance(std::chrono::milliseconds(kHourMs + 1));
  EXPECT_TRUE(log().compaction_backlog()->overdue);
}

TEST_F(CompactionTest, TheBacklogIsWhatCameSinceTheLastPass) {
  add(keyed("a", "1"));
  add(keyed("a", "2"));
  roll();
  EXPECT_EQ(log().compaction_backlog()->dirty_ratio(), 1.0);
  compact();
  EXPECT_EQ(log().compaction_backlog()->dirty_ratio(), 0.0);
  ASSERT_OK(log().close());
  ASSERT_OK(test_.open());
  EXPECT_EQ(log().compaction_backlog()->dirty_bytes, 0);
  EXPECT_GT(log().compaction_backlog()->clean_bytes, 0);
}

TEST_F(CompactionTest, ABatchThatDecompressesToTooMuchStaysAsItIs) {
  record::BatchBuilder builder(codec::Compression::kZstd);
  std::string zeros(65 << 20, '0');
  builder.add(kTestTimeMs, "a", zeros);
  add(builder.finish());
  add(keyed("a", "2"));
  add(keyed("a", "3"));
  roll();
  CompactionReport report = compact();
  EXPECT_EQ(report.unreadable_batches, 1);
  auto left = batches();
  EXPECT_EQ(left[0].header().record_count, 1);
  EXPECT_EQ(left[1].header().base_offset, Offset(2));
}

TEST_F(CompactionTest, ADamagedSegmentIsLeftAlone) {
  add(keyed("a", "1"));
  add(keyed("a", "2"));
  roll();
  Bytes bytes = test_.disk.content(test_.file(0, ".log"));
  bytes[65] ^= 1;
  test_.disk.set_content(test_.file(0, ".log"), bytes);
  auto report = log().compact({});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(test_.disk.content(test_.file(0, ".log")), bytes);
}

TEST_F(CompactionTest, ReadsAtOffsetsThatAreGoneGiveWhatFollows) {
  for (int i = 0; i < 50; ++i) add(keyed(i == 30 ? "b" : "a", std::string(100, 'x')));
  roll();
  add(keyed("z", std::nullopt));
  compact();
  for (int64_t at = 0; at <= 51; ++at) {
    auto read = log().read(Offset(at), 1, log().log_end_offset());
    ASSERT_OK(read);
    auto batch = record::Batch::parse(read->batches);
    ASSERT_OK(batch);
    int64_t expected = at <= 30 ? 30 : std::max<int64_t>(at, 49);
    EXPECT_EQ(batch->header().base_offset, Offset(expected)) << at;
  }
}

TEST_F(CompactionTest, WhereNothingIsLeftReadingGoesOnAtTheEnd) {
  test_.config.delete_retention_ms = 0;
  log().set_config(test_.config);
  add(keyed("a", std::nullopt));
  add(keyed("b", std::nullopt));
  ASSERT_OK(log().flush());
  LogConfig small = test_.config;
  small.segment_bytes = 1;
  log().set_config(small);
  for (int i = 0; i < 4; ++i) {
    add(keyed("a", std::nullopt));
    ASSERT_OK(log().flush());
    test_.clock.advance(std::chrono::milliseconds(1));
    compact();
  }
  auto read = log().read(Offset(0), 1 << 20, Offset(3));
  ASSERT_OK(read);
  EXPECT_TRUE(read->batches.empty());
  EXPECT_EQ(read->next_offset, Offset(3));
}

TEST_F(CompactionTest, RetentionPassesOverSegmentsThatAreEmpty) {
  test_.config.segment_bytes = 1;
  test_.config.delete_enabled = true;
  test_.config.retention_ms = kHourMs;
  log().set_config(test_.config);
  for (int i = 0; i < 4; ++i) add(keyed("a", std::to_string(i)));
  ASSERT_OK(log().flush());
  compact();
  EXPECT_EQ(*log().delete_old_segments(), 2);
  EXPECT_EQ(log().log_start_offset(), Offset(2));
  test_.clock.advance(std::chrono::milliseconds(kHourMs + 1));
  ASSERT_OK(log().delete_old_segments());
  EXPECT_EQ(log().log_start_offset(), Offset(4));
}

TEST_F(CompactionTest, LookupsByTimeSeeTheCompactedLog) {
  for (int i = 0; i < 20; ++i) add(keyed(i % 2 ? "a" : "b", "v", codec::Compression::kNone, kTestTimeMs + i * 100));
  roll();
  compact();
  auto found = log().offset_for_timestamp(kTestTimeMs + 500);
  ASSERT_OK(found);
  EXPECT_EQ((*found)->offset, Offset(18));
  EXPECT_EQ((*log().max_timestamp())->offset, Offset(19));
}

TEST_F(CompactionTest, TheLatestTimeIsNotThatOfARecordThatIsGone) {
  add(of_producer(keyed("a", "1", codec::Compression::kNone, kTestTimeMs + 1000), 11, 3, 0));
  add(keyed("a", "2"));
  roll();
  compact();
  auto latest = log().max_timestamp();
  ASSERT_OK(latest);
  ASSERT_TRUE(latest->has_value());
  EXPECT_EQ((*latest)->offset, Offset(1));
  EXPECT_EQ((*latest)->timestamp_ms, kTestTimeMs);
}

TEST_F(CompactionTest, CanBeStopped) {
  add(keyed("a", "1"));
  add(keyed("a", "2"));
  roll();
  auto report = log().compact({.pace = [](int64_t) { return false; }});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kClosed);
  EXPECT_EQ(records().size(), 2u);
}

TEST_F(CompactionTest, WithoutRoomItWaitsForSome) {
  for (const char* value : {"1", "2", "3"}) add(keyed("a", value));
  roll();
  auto before = records();
  auto refused = log().compact({.seed = 1, .pace = {}, .room = [](int64_t) { return false; }});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(records(), before);
  ASSERT_OK(log().compact({.seed = 1, .pace = {}, .room = [](int64_t) { return true; }}));
  EXPECT_EQ(records().size(), 1u);
}

TEST_F(CompactionTest, ATombstoneStaysBehindABatchThatMayHoldItsKey) {
  add(keyed("a", std::string(65 << 20, 'x'), codec::Compression::kZstd));
  add(keyed("a", std::nullopt));
  roll();
  compact();
  test_.clock.advance(std::chrono::milliseconds(test_.config.delete_retention_ms + kHourMs));
  for (int i = 0; i < 3; ++i) {
    add(keyed("b", "1"));
    roll();
    compact();
  }
  auto all = batches();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const record::Batch& batch) {
    return batch.header().base_offset == Offset(1) && batch.header().record_count == 1;
  })) << "without its tombstone the deleted key would be back";
}

TEST_F(CompactionTest, DamageThatDeleteRecordsTookAwayIsNoHindrance) {
  for (int i = 0; i < 20; ++i) add(keyed("a", std::to_string(i) + std::string(100, '.')));
  roll();
  ASSERT_OK(log().delete_records(Offset(10)));
  Bytes bytes = test_.disk.content(test_.file(0, ".log"));
  bytes[5 * keyed("a", "0" + std::string(100, '.')).size() + 70] ^= 1;  // In the sixth batch.
  test_.disk.set_content(test_.file(0, ".log"), bytes);
  compact();
  auto left = records();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].offset, 19);
}

TEST_F(CompactionTest, AfterACleanStopAPowerLossFindsWhatCompactionLeft) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) add(keyed(std::to_string(i), std::to_string(round)));
    roll();
    if (round == 0) compact();
  }
  ASSERT_OK(log().close());
  ASSERT_OK(test_.open());
  compact();
  auto left = records();
  test_.disk.crash();
  test_.disk.restart(os::CrashMode::kDrop, 1);
  ASSERT_OK(test_.open());
  EXPECT_EQ(records(), left);
  EXPECT_TRUE(log().damaged_ranges().empty());
}

TEST_F(CompactionTest, AFullDiskStopsItAndLeavesTheLogAsItWas) {
  for (int i = 0; i < 50; ++i)
    add(many({{"a", std::string(200, 'x')}, {"k" + std::to_string(i), std::string(200, 'y')}}));
  roll();
  uint64_t free = test_.disk.space("/data")->free_bytes;
  uint64_t used = UINT64_MAX - free;
  test_.disk.set_capacity(used + 3000);
  auto report = log().compact({});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(records().size(), 100u);
  test_.disk.set_capacity(UINT64_MAX);
  compact();
  EXPECT_EQ(records().size(), 51u);
}

}  // namespace
}  // namespace headrace::log
