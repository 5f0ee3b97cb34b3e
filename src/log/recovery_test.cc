#include "log/recovery.h"

#include "log/file_names.h"
#include "log/log_test_support.h"
#include "log/producer_snapshot.h"

namespace headrace::log {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RecoveryTest : public ::testing::Test, public TestLog {
 protected:
  void SetUp() override {
    config.preallocate_bytes_max = 0;
    ASSERT_OK(open());
  }
  // As kill -9 leaves things: the page cache survives.
  Status kill_and_open() {
    disk.crash();
    disk.restart(os::CrashMode::kKill, 0);
    return open();
  }
  Status crash_and_open(os::CrashMode mode, uint64_t seed) {
    disk.crash();
    disk.restart(mode, seed);
    return open();
  }
  std::vector<std::string> append_some(int batches, bool flush = true) {
    std::vector<std::string> values;
    for (int i = 0; i < batches; ++i) {
      EXPECT_OK(append(*log, make_batch(std::to_string(i), 2)));
      values.push_back(std::to_string(i) + "-0");
      values.push_back(std::to_string(i) + "-1");
    }
    if (flush) EXPECT_OK(log->flush());
    return values;
  }
  std::vector<std::string> names() {
    auto listed = disk.list(directory);
    return listed.ok() ? *listed : std::vector<std::string>();
  }
  void flip(const std::string& path, size_t at, uint8_t mask = 0x40) {
    Bytes bytes = disk.content(path);
    ASSERT_LT(at, bytes.size());
    bytes[at] ^= mask;
    disk.set_content(path, bytes);
  }
};

TEST_F(RecoveryTest, AnEmptyLogOpensAgain) {
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(log->log_end_offset().value, 0);
  ASSERT_OK(log->close());
  ASSERT_OK(open());
  ASSERT_OK(append(*log, make_batch("a")));
}

TEST_F(RecoveryTest, ACleanStartScansNothing) {
  auto values = append_some(300);
  ASSERT_OK(log->close());
  ASSERT_OK(open());
  EXPECT_EQ(log->stats().scanned_bytes_at_open, 0);
  EXPECT_EQ(read_values(*log, Offset(0)), values);
  EXPECT_EQ(log->durable_end().value, 600);
  ASSERT_OK(append(*log, make_batch("next", 1)));
  EXPECT_THAT(read_values(*log, Offset(600)), ElementsAre("next-0"));
}

TEST_F(RecoveryTest, AfterAKillOnlyWhatFollowsTheCheckpointIsScanned) {
  auto values = append_some(300);
  ASSERT_OK(log->checkpoint());
  for (const auto& more : append_some(3)) values.push_back(more);
  int64_t tail = static_cast<int64_t>(3 * make_batch("0", 2).size());
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(log->stats().scanned_bytes_at_open, tail);
  EXPECT_EQ(read_values(*log, Offset(0)), values);
  for (int64_t offset = 0; offset < 606; ++offset)
    EXPECT_EQ(read_values(*log, Offset(offset))[0], values[static_cast<size_t>(offset)]);
}

TEST_F(RecoveryTest, AfterAKillAStartWaitsForTheDiskOnlyWhereTheTopicDoes) {
  for (FlushPolicy policy : {FlushPolicy::kOs, FlushPolicy::kBeforeAck}) {
    config.flush_policy = policy;
    ASSERT_OK(open());
    auto values = append_some(3);
    Offset durable = log->durable_end();
    append_some(2, /*flush=*/false);
    Offset end = log->log_end_offset();
    uint64_t syncs = disk.calls(os::DiskCall::kSync);
    ASSERT_OK(kill_and_open());
    bool waited = disk.calls(os::DiskCall::kSync) > syncs;
    EXPECT_EQ(waited, policy == FlushPolicy::kBeforeAck);
    EXPECT_EQ(log->high_watermark(), end);
    EXPECT_EQ(log->durable_end(), waited ? end : durable);
  }
}

TEST_F(RecoveryTest, WhatAStartDidNotWaitForIsFlushedLater) {
  config.flush_policy = FlushPolicy::kOs;
  ASSERT_OK(open());
  append_some(3);
  auto unsynced = append_some(2, /*flush=*/false);
  ASSERT_OK(kill_and_open());
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->durable_end().value, 10);
  ASSERT_OK(crash_and_open(os::CrashMode::kDrop, 1));
  EXPECT_EQ(read_values(*log, Offset(6)), unsynced);
  append_some(1, /*flush=*/false);
  ASSERT_OK(kill_and_open());
  ASSERT_OK(crash_and_open(os::CrashMode::kDrop, 1));
  EXPECT_EQ(log->log_end_offset().value, 10) << "nobody said that the last ones were on the disk";
}

TEST_F(RecoveryTest, TheTailIsCutAtTheLastWholeBatchWhereverItIsTorn) {
  auto values = append_some(4, /*flush=*/false);
  Bytes whole = disk.content(file(0, ".log"));
  size_t batch = whole.size() / 4;
  for (size_t size = 0; size <= whole.size(); ++size) {
    for (const std::string& name : names()) ASSERT_OK(disk.remove(directory + "/" + name));
    disk.set_content(file(0, ".log"), Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)));
    ASSERT_OK(open());
    ASSERT_EQ(log->log_end_offset().value, static_cast<int64_t>(size / batch * 2)) << "cut at " << size;
    ASSERT_THAT(read_values(*log, Offset(0)), SizeIs(size / batch * 2));
    ASSERT_EQ(disk.content(file(0, ".log")).size(), size / batch * batch);
    ASSERT_OK(append(*log, make_batch("next")));
    ASSERT_OK(log->flush());
  }
}

// A record's value may be bytes that look like a batch of this very log.
Bytes forged_batch(Offset base, const std::string& name) {
  record::Batch batch = make_batch(name);
  Bytes bytes(batch.bytes().view().begin(), batch.bytes().view().end());
  record::stamp(bytes, base, LeaderEpoch(0));
  return bytes;
}

TEST_F(RecoveryTest, WhatLooksLikeABatchInsideATornOneIsNone) {
  auto values = append_some(2, /*flush=*/false);
  size_t whole = disk.content(file(0, ".log")).size();
  std::string value;
  for (int64_t base = 4; base < 7; ++base) {
    value += as_text(forged_batch(Offset(base), "forged"));
    value += std::string(200, '\0');
  }
  record::BatchBuilder builder;
  builder.add(kTestTimeMs, "key", value);
  ASSERT_OK(append(*log, builder.finish()));
  Bytes all = disk.content(file(0, ".log"));
  for (size_t room : {0, 4096}) {
    for (size_t size = whole; size < all.size(); ++size) {
      SCOPED_TRACE(size);
      for (const std::string& name : names()) ASSERT_OK(disk.remove(directory + "/" + name));
      Bytes torn(all.begin(), all.begin() + static_cast<ptrdiff_t>(size));
      torn.resize(size + room);
      disk.set_content(file(0, ".log"), torn);
      ASSERT_OK(open());
      // The zeros that its end is made of are the same as room that was reserved.
      if (log->log_end_offset() == Offset(5)) {
        ASSERT_GE(size + 210, all.size());
        continue;
      }
      ASSERT_EQ(log->log_end_offset(), Offset(4));
      ASSERT_EQ(read_values(*log, Offset(0)), values);
      ASSERT_THAT(log->damaged_ranges(), IsEmpty());
    }
  }
}

TEST_F(RecoveryTest, WhatLooksLikeABatchInsideADamagedOneIsNone) {
  append_some(1);
  size_t before = disk.content(file(0, ".log")).size();
  record::BatchBuilder builder;
  builder.add(kTestTimeMs, "key", as_text(forged_batch(Offset(2), "forged")));
  ASSERT_OK(append(*log, builder.finish()));
  append_some(1);
  ASSERT_OK(log->close());
  Bytes good = disk.content(file(0, ".log"));
  // Nothing protects the epoch, nor the offset where offsets may be missing, as they may without a checkpoint.
  constexpr size_t kLengthFrom = 8, kEpochFrom = 12, kEpochTo = 16;
  for (size_t bit = 8 * kLengthFrom; bit < 8 * record::kBatchHeaderBytes; ++bit) {
    SCOPED_TRACE(bit);
    if (bit / 8 >= kEpochFrom && bit / 8 < kEpochTo) continue;
    disk.set_content(file(0, ".log"), good);
    flip(file(0, ".log"), before + bit / 8, static_cast<uint8_t>(1u << (bit % 8)));
    ASSERT_OK(disk.remove(directory + "/headrace.checkpoint"));
    ASSERT_OK(open());
    EXPECT_EQ(log->log_end_offset(), Offset(5));
    ASSERT_THAT(log->damaged_ranges(), SizeIs(1));
    EXPECT_EQ(log->damaged_ranges()[0].from, Offset(2));
    EXPECT_EQ(log->damaged_ranges()[0].to, Offset(3));
    EXPECT_THAT(read_values(*log, Offset(3)), ElementsAre("0-0", "0-1"));
    ASSERT_OK(log->close());
  }
}

TEST_F(RecoveryTest, PreallocatedZerosAreNoRecords) {
  config.preallocate_bytes_max = 1 << 20;
  log->set_config(config);
  auto values = append_some(3);
  EXPECT_GE(disk.content(file(0, ".log")).size(), 16u << 10);
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(read_values(*log, Offset(0)), values);
  EXPECT_THAT(log->damaged_ranges(), IsEmpty());
  ASSERT_OK(append(*log, make_batch("more")));
  ASSERT_OK(log->close());
  EXPECT_EQ(static_cast<int64_t>(disk.content(file(0, ".log")).size()), log->size_bytes());
}

TEST_F(RecoveryTest, ARolledSegmentThatWasNotTrimmedIsWhole) {
  config.preallocate_bytes_max = 1 << 20;
  config.segment_bytes = 1000;
  log->set_config(config);
  auto values = append_some(40, /*flush=*/false);
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(read_values(*log, Offset(0)), values);
}

// Bit rot, one byte at a time, in every file: the values read are right or missing with an error, never others.
TEST_F(RecoveryTest, AFlippedByteNeverServesWrongRecords) {
  config.segment_bytes = 700;
  config.index_interval_bytes = 100;
  log->set_config(config);
  auto values = append_some(8);
  ASSERT_OK(append(*log, of_producer(make_batch("p", 2), 5, 0, 0, true)));
  ASSERT_OK(
      append(*log, record::end_transaction_marker(record::ControlType::kAbort, ProducerId(5), 0, 1, kTestTimeMs)));
  ASSERT_OK(log->close());
  log.reset();
  std::map<std::string, Bytes> good;
  for (const std::string& name : names()) good[name] = disk.content(directory + "/" + name);
  ASSERT_GT(good.size(), 6u);
  for (const auto& [damaged, bytes] : good) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const std::string& name : names()) ASSERT_OK(disk.remove(directory + "/" + name));
      for (const auto& [name, content] : good) disk.set_content(directory + "/" + name, content);
      flip(directory + "/" + damaged, at);
      config.index_interval_bytes = 100;
      Status opened = open();
      if (!opened.ok()) {
        ASSERT_EQ(opened.error().code, ErrorCode::kCorrupt) << damaged << " byte " << at;
        continue;
      }
      bool in_log = damaged.ends_with(".log");
      for (size_t offset = 0; offset < values.size(); offset += 2) {
        auto read = log->read(Offset(static_cast<int64_t>(offset)), 1, log->log_end_offset());
        if (!read.ok()) {
          ASSERT_TRUE(in_log) << damaged << " byte " << at << ": " << read.error().message;
          ASSERT_EQ(read.error().code, ErrorCode::kCorrupt);
          ASSERT_THAT(read.error().message, HasSubstr(damaged)) << at;
          continue;
        }
        auto batch = record::Batch::parse(read->batches);
        ASSERT_OK(batch);
        ASSERT_EQ(batch->header().base_offset.value, static_cast<int64_t>(offset)) << damaged << " byte " << at;
        record::RecordReader reader(*batch, 1 << 20);
        ASSERT_EQ(*reader.next()->value, values[offset]) << damaged << " byte " << at;
      }
      ASSERT_GE(log->log_end_offset().value, in_log ? 0 : 19) << damaged << " byte " << at;
    }
  }
}

TEST_F(RecoveryTest, DamageBelowTheDurablePointStaysAndIsNamed) {
  append_some(10);
  size_t batch = make_batch("0", 2).size();
  flip(file(0, ".log"), 3 * batch + 70);
  ASSERT_OK(kill_and_open());
  ASSERT_THAT(log->damaged_ranges(), SizeIs(1));
  EXPECT_EQ(log->damaged_ranges()[0].from.value, 6);
  EXPECT_EQ(log->damaged_ranges()[0].to.value, 8);
  EXPECT_EQ(log->damaged_ranges()[0].position, 3 * batch);
  auto read = log->read(Offset(7), 100, Offset(20));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(read.error().message, HasSubstr(fmt::format("{} is damaged at byte {}", file(0, ".log"), 3 * batch)));
  EXPECT_THAT(read_values(*log, Offset(0)), SizeIs(6));
  EXPECT_THAT(read_values(*log, Offset(8)), SizeIs(12));
  auto next = append(*log, make_batch("next"));
  ASSERT_OK(next);
  EXPECT_EQ(next->base_offset.value, 20);
}

TEST_F(RecoveryTest, DamageOfTheLastDurableBatchIsNotATornTail) {
  append_some(10);
  size_t batch = make_batch("0", 2).size();
  flip(file(0, ".log"), 9 * batch + 70);
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(log->log_end_offset().value, 20);
  ASSERT_THAT(log->damaged_ranges(), SizeIs(1));
  ASSERT_OK(append(*log, make_batch("next")));
  ASSERT_OK(log->flush());
  EXPECT_THAT(read_values(*log, Offset(20)), ElementsAre("next-0"));
  ASSERT_OK(kill_and_open());
  EXPECT_THAT(read_values(*log, Offset(20)), ElementsAre("next-0"));
  EXPECT_EQ(log->read(Offset(18), 100, Offset(21)).error().code, ErrorCode::kCorrupt);
}

TEST_F(RecoveryTest, StrayBytesBetweenBatchesLoseNoOffsets) {
  auto values = append_some(2);
  Bytes bytes = disk.content(file(0, ".log"));
  Bytes stray(77, 0x33);
  bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(bytes.size() / 2), stray.begin(), stray.end());
  disk.set_content(file(0, ".log"), bytes);
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(read_values(*log, Offset(0)), values);
  EXPECT_THAT(log->damaged_ranges(), IsEmpty());
}

TEST_F(RecoveryTest, DamageFoundByAReadLeavesTheRestReadable) {
  config.segment_bytes = 2000;
  log->set_config(config);
  auto values = append_some(60);
  ASSERT_OK(log->close());
  flip(file(0, ".log"), 70, 0xff);  // In the first batch.
  ASSERT_OK(open());
  EXPECT_EQ(log->read(Offset(0), 100, Offset(120)).error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(read_values(*log, Offset(2)), SizeIs(118));
  ASSERT_THAT(log->damaged_ranges(), SizeIs(1));
  EXPECT_EQ(log->damaged_ranges()[0].to.value, 2);
  ASSERT_OK(log->delete_records(Offset(60)));
  EXPECT_THAT(log->damaged_ranges(), IsEmpty()) << "it went with its segment";
}

TEST_F(RecoveryTest, MissingAndWrongIndexesAreMadeAgain) {
  config.segment_bytes = 20'000;
  log->set_config(config);
  std::vector<std::string> values = append_some(600);
  ASSERT_OK(log->close());
  Bytes garbage(64, 0x55);
  for (const std::string& name : names()) {
    if (name.ends_with(kIndexSuffix)) disk.set_content(directory + "/" + name, garbage);
    if (name.ends_with(kTimeIndexSuffix)) ASSERT_OK(disk.remove(directory + "/" + name));
  }
  ASSERT_OK(open());
  EXPECT_EQ(read_values(*log, Offset(0)), values);
  for (int64_t offset = 0; offset < 1200; offset += 31) {
    EXPECT_EQ(read_values(*log, Offset(offset))[0], values[static_cast<size_t>(offset)]);
  }
  EXPECT_EQ((*log->offset_for_timestamp(kTestTimeMs + 1))->offset.value, 1);
}

TEST_F(RecoveryTest, AnIndexThatPointsElsewhereIsNotBelieved) {
  config.segment_bytes = 20'000;
  log->set_config(config);
  std::vector<std::string> values = append_some(400);
  ASSERT_OK(log->close());
  Bytes index = disk.content(file(0, ".index"));
  for (size_t at = 7; at < index.size(); at += kOffsetIndexEntryBytes) index[at] ^= 1;
  disk.set_content(file(0, ".index"), index);
  ASSERT_OK(open());
  for (int64_t offset = 0; offset < 800; offset += 13) {
    EXPECT_EQ(read_values(*log, Offset(offset))[0], values[static_cast<size_t>(offset)]);
  }
}

TEST_F(RecoveryTest, ProducersAreRestoredFromSnapshotAndScan) {
  config.segment_bytes = 1000;
  log->set_config(config);
  int sequence = 0;
  for (int i = 0; i < 40; ++i) ASSERT_OK(append(*log, of_producer(make_batch("p", 2), 7, 3, sequence++ * 2)));
  ASSERT_OK(log->flush());
  for (bool clean : {false, true, false}) {
    if (clean) ASSERT_OK(log->close());
    ASSERT_OK(clean ? open() : kill_and_open());
    for (int back = 1; back <= 5; ++back) {
      auto again = append(*log, of_producer(make_batch("p", 2), 7, 3, (sequence - back) * 2));
      ASSERT_OK(again);
      EXPECT_TRUE(again->duplicate) << back;
      EXPECT_EQ(again->base_offset.value, (sequence - back) * 2);
    }
    EXPECT_EQ(append(*log, of_producer(make_batch("p", 2), 7, 3, (sequence + 1) * 2)).error().code,
              ErrorCode::kOutOfOrder);
    EXPECT_EQ(append(*log, of_producer(make_batch("p", 2), 7, 2, 0)).error().code, ErrorCode::kFenced);
    ASSERT_OK(append(*log, of_producer(make_batch("p", 2), 7, 3, sequence++ * 2)));
    ASSERT_OK(log->flush());
  }
}

TEST_F(RecoveryTest, ABadSnapshotIsKeptAsideAndTheLogScannedInstead) {
  ASSERT_OK(append(*log, of_producer(make_batch("p", 2), 7, 3, 0)));
  ASSERT_OK(log->close());
  flip(file(2, ".snapshot"), 12);
  ASSERT_OK(open());
  EXPECT_TRUE(*disk.exists(file(2, ".snapshot") + ".bad"));
  EXPECT_TRUE(append(*log, of_producer(make_batch("p", 2), 7, 3, 0))->duplicate);
}

// One of each read of a start can't be had: what can be made again is, and nothing else is served in its place.
TEST_F(RecoveryTest, WhatCanBeMadeAgainNeedNotBeReadable) {
  set_log_level(LogLevel::kError);
  config.segment_bytes = 500;
  log->set_config(config);
  ASSERT_OK(append(*log, of_producer(make_batch("p", 2), 7, 3, 0, true)));
  ASSERT_OK(
      append(*log, record::end_transaction_marker(record::ControlType::kAbort, ProducerId(7), 3, 1, kTestTimeMs)));
  auto values = read_values(*log, Offset(0));
  append_some(8);
  values = read_values(*log, Offset(0));
  auto aborted = *log->aborted_transactions(Offset(0), Offset(100));
  ASSERT_OK(log->close());
  log.reset();
  int opened = 0;
  for (uint64_t nth = 1;; ++nth) {
    SCOPED_TRACE(nth);
    disk.fail(os::DiskCall::kRead, nth, os::DiskFault::kIoError);
    Status status = open();
    bool happened = disk.fault_happened();
    if (!happened) break;
    if (!status.ok()) continue;  // The records themselves.
    ++opened;
    EXPECT_EQ(read_values(*log, Offset(0)), values);
    EXPECT_EQ(*log->aborted_transactions(Offset(0), Offset(100)), aborted);
    ASSERT_OK(log->close());
  }
  EXPECT_GE(opened, 3) << "the checkpoint, the producers, the aborted transactions";
  set_log_level(LogLevel::kInfo);
}

TEST_F(RecoveryTest, TransactionsAreRestored) {
  config.segment_bytes = 500;
  log->set_config(config);
  ASSERT_OK(append(*log, of_producer(make_batch("open", 2), 1, 0, 0, true)));
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(append(*log, of_producer(make_batch("t", 2), 2, 0, 2 * i, true)));
    ASSERT_OK(
        append(*log, record::end_transaction_marker(record::ControlType::kAbort, ProducerId(2), 0, 1, kTestTimeMs)));
  }
  ASSERT_OK(log->flush());
  auto before = *log->aborted_transactions(Offset(0), Offset(100));
  ASSERT_THAT(before, SizeIs(10));
  ASSERT_OK(kill_and_open());
  EXPECT_EQ(*log->aborted_transactions(Offset(0), Offset(100)), before);
  EXPECT_EQ(log->last_stable_offset().value, 0);
  ASSERT_OK(log->close());
  ASSERT_OK(open());
  EXPECT_EQ(*log->aborted_transactions(Offset(0), Offset(100)), before);
  EXPECT_EQ(log->last_stable_offset().value, 0);
  ASSERT_OK(log->close());
  for (const std::string& name : names()) {
    bool index =
        name.ends_with(kIndexSuffix) || name.ends_with(kTimeIndexSuffix) || name.ends_with(kTransactionIndexSuffix);
    if (index) ASSERT_OK(disk.remove(directory + "/" + name));
  }
  ASSERT_OK(open());
  EXPECT_EQ(*log->aborted_transactions(Offset(0), Offset(100)), before) << "as somebody who wants new indexes does";
  ASSERT_OK(
      append(*log, record::end_transaction_marker(record::ControlType::kCommit, ProducerId(1), 0, 1, kTestTimeMs)));
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->last_stable_offset(), log->log_end_offset());
}

TEST_F(RecoveryTest, LostFilesDoNotMakeOffsetsGoBack) {
  append_some(10);
  ASSERT_OK(log->close());
  ASSERT_OK(disk.remove(file(0, ".log")));
  ASSERT_OK(open());
  EXPECT_EQ(log->log_end_offset().value, 20);
  EXPECT_EQ(log->log_start_offset().value, 20);
}

TEST_F(RecoveryTest, ALogWhoseNewestSegmentIsLostTakesRecords) {
  append_some(10);
  config.segment_bytes = 1;
  log->set_config(config);
  append_some(1);  // Offsets 20 and 21, in a segment of their own.
  ASSERT_OK(log->close());
  ASSERT_OK(disk.remove(file(20, ".log")));
  config.segment_bytes = 1 << 20;
  ASSERT_OK(open());
  EXPECT_EQ(log->log_end_offset().value, 22);
  auto lost = log->read(Offset(20), 1 << 20, Offset(22));
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, ErrorCode::kCorrupt);
  ASSERT_OK(append(*log, make_batch("more")));
  ASSERT_OK(log->flush());
  ASSERT_OK(kill_and_open());
  EXPECT_THAT(read_values(*log, Offset(22)), ElementsAre("more-0"));
  EXPECT_EQ(read_values(*log, Offset(0)).size(), 20u);
}

}  // namespace
}  // namespace headrace::log
