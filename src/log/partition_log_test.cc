#include "log/partition_log.h"

#include <thread>

#include "log/log_test_support.h"

namespace headrace::log {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PartitionLogTest : public ::testing::Test, public TestLog {
 protected:
  void SetUp() override { ASSERT_OK(open()); }
};

TEST_F(PartitionLogTest, ReadsBackWhatWasAppended) {
  auto first = append(*log, make_batch("a", 3));
  auto second = append(*log, make_batch("b", 2));
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ(first->base_offset.value, 0);
  EXPECT_EQ(second->base_offset.value, 3);
  EXPECT_EQ(second->log_end.value, 5);
  EXPECT_THAT(read_values(*log, Offset(0)), ElementsAre("a-0", "a-1", "a-2", "b-0", "b-1"));
  EXPECT_THAT(read_values(*log, Offset(4)), ElementsAre("b-1"));
}

TEST_F(PartitionLogTest, AnAppendIsOneWriteAndNoSync) {
  ASSERT_OK(append(*log, make_batch("warm", 1)));
  uint64_t writes = disk.calls(os::DiskCall::kWrite);
  uint64_t syncs = disk.calls(os::DiskCall::kSync);
  std::vector<record::Batch> batches = {make_batch("a", 3), make_batch("b", 3), make_batch("c", 3)};
  ASSERT_OK(log->append(batches, LeaderEpoch(7)));
  EXPECT_EQ(disk.calls(os::DiskCall::kWrite), writes + 1);
  EXPECT_EQ(disk.calls(os::DiskCall::kSync), syncs);
  EXPECT_EQ(log->latest_epoch().value, 7);
}

TEST_F(PartitionLogTest, LeavesTheBatchOfTheCallerAlone) {
  auto batch = make_batch("a", 3);
  Bytes before(batch.bytes().view().begin(), batch.bytes().view().end());
  ASSERT_OK(append(*log, make_batch("first")));
  ASSERT_OK(append(*log, batch));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), batch.bytes().view().begin()));
}

TEST_F(PartitionLogTest, FlushMovesTheDurableEnd) {
  ASSERT_OK(append(*log, make_batch("a", 3)));
  EXPECT_EQ(log->durable_end().value, 0);
  EXPECT_EQ(log->high_watermark().value, 0);
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->durable_end().value, 3);
  EXPECT_EQ(log->high_watermark().value, 3);
  uint64_t syncs = disk.calls(os::DiskCall::kSync);
  ASSERT_OK(log->flush());
  EXPECT_EQ(disk.calls(os::DiskCall::kSync), syncs);
}

TEST_F(PartitionLogTest, UnderFlushOsTheHighWatermarkIsTheEnd) {
  config.flush_policy = FlushPolicy::kOs;
  log->set_config(config);
  ASSERT_OK(append(*log, make_batch("a", 3)));
  EXPECT_EQ(log->high_watermark().value, 3);
  EXPECT_EQ(log->durable_end().value, 0);
}

TEST_F(PartitionLogTest, ReadReturnsWholeBatchesWithinItsBounds) {
  for (int i = 0; i < 5; ++i) ASSERT_OK(append(*log, make_batch("a" + std::to_string(i), 2)));
  size_t one = make_batch("a0", 2).size();
  auto tiny = log->read(Offset(3), 1, Offset(10));
  ASSERT_OK(tiny);
  EXPECT_EQ(tiny->batches.size(), one);
  EXPECT_EQ(tiny->next_offset.value, 4);
  auto two = log->read(Offset(2), 2 * one + 10, Offset(10));
  ASSERT_OK(two);
  EXPECT_EQ(two->batches.size(), 2 * one);
  auto bounded = log->read(Offset(2), 1 << 20, Offset(4));
  ASSERT_OK(bounded);
  EXPECT_EQ(bounded->next_offset.value, 4);
  auto at_upper = log->read(Offset(4), 1 << 20, Offset(4));
  ASSERT_OK(at_upper);
  EXPECT_TRUE(at_upper->batches.empty());
  EXPECT_EQ(at_upper->next_offset.value, 4);
}

TEST_F(PartitionLogTest, ReadsOutsideOfTheLogAreOutOfRange) {
  ASSERT_OK(append(*log, make_batch("a")));
  EXPECT_EQ(log->read(Offset(2), 100, Offset(2)).error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(log->read(Offset(-1), 100, Offset(2)).error().code, ErrorCode::kOutOfRange);
}

TEST_F(PartitionLogTest, RollsBySizeAndReadsAcrossSegments) {
  config.segment_bytes = 2000;
  log->set_config(config);
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(append(*log, make_batch(std::to_string(i), 2)));
    expected.push_back(std::to_string(i) + "-0");
    expected.push_back(std::to_string(i) + "-1");
  }
  ASSERT_OK(log->flush());
  EXPECT_GT(log->stats().segments, 5);
  EXPECT_EQ(read_values(*log, Offset(0)), expected);
  for (int64_t offset = 0; offset < 400; offset += 7) {
    auto values = read_values(*log, Offset(offset), nullptr, 300);
    ASSERT_THAT(values, SizeIs(static_cast<size_t>(400 - offset)));
    EXPECT_EQ(values[0], expected[static_cast<size_t>(offset)]);
  }
}

TEST_F(PartitionLogTest, RollsByTheTimeOfTheRecords) {
  config.segment_ms = 1000;
  log->set_config(config);
  ASSERT_OK(append(*log, make_batch("a", 1, 5000)));
  ASSERT_OK(append(*log, make_batch("b", 1, 6000)));
  EXPECT_EQ(log->stats().segments, 1);
  ASSERT_OK(append(*log, make_batch("c", 1, 6001)));
  EXPECT_EQ(log->stats().segments, 2);
}

TEST_F(PartitionLogTest, UnderLogAppendTimeTheClockOfProducersRollsNothing) {
  config.timestamp_type = TimestampType::kLogAppendTime;
  config.segment_ms = 1000;
  log->set_config(config);
  for (int i = 0; i < 5; ++i) ASSERT_OK(append(*log, make_batch("ahead", 1, kTestTimeMs * 1000)));
  EXPECT_EQ(log->stats().segments, 1);
  clock.advance(std::chrono::milliseconds(1001));
  ASSERT_OK(append(*log, make_batch("behind", 1, 5000)));
  EXPECT_EQ(log->stats().segments, 2);
}

TEST_F(PartitionLogTest, LogAppendTimeIsWrittenWithAValidChecksum) {
  config.timestamp_type = TimestampType::kLogAppendTime;
  log->set_config(config);
  auto result = append(*log, make_batch("a", 2, 5000));
  ASSERT_OK(result);
  EXPECT_EQ(result->append_time_ms, kTestTimeMs);
  auto read = log->read(Offset(0), 1 << 20, Offset(2));
  ASSERT_OK(read);
  auto batch = record::Batch::parse(read->batches);
  ASSERT_OK(batch);
  EXPECT_EQ(batch->header().max_timestamp_ms, kTestTimeMs);
  EXPECT_TRUE(batch->header().attributes & record::kLogAppendTimeBit);
  ASSERT_OK(log->flush());
  auto found = log->offset_for_timestamp(kTestTimeMs);
  ASSERT_OK(found);
  EXPECT_EQ((*found)->offset.value, 0);
}

TEST_F(PartitionLogTest, ATimeInsideOfABombIsFoundAtItsFirstRecord) {
  ASSERT_OK(append(*log, make_batch("x", 2, 1000)));
  record::BatchBuilder bomb(codec::Compression::kZstd);
  bomb.add(2000, "a", std::string(65 << 20, '0'));
  bomb.add(3000, "b", "1");
  ASSERT_OK(append(*log, bomb.finish()));
  ASSERT_OK(log->flush());
  auto found = log->offset_for_timestamp(2500);
  ASSERT_OK(found);
  EXPECT_EQ((*found)->offset, Offset(2));
  EXPECT_EQ((*found)->timestamp_ms, 3000);
}

TEST_F(PartitionLogTest, ADuplicateIsAnsweredWithItsOriginalOffset) {
  for (int i = 0; i < 6; ++i) ASSERT_OK(append(*log, of_producer(make_batch("a", 2), 9, 0, 2 * i)));
  for (int i = 1; i < 6; ++i) {
    auto again = append(*log, of_producer(make_batch("a", 2), 9, 0, 2 * i));
    ASSERT_OK(again);
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->base_offset.value, 2 * i);
    EXPECT_EQ(again->log_end.value, 2 * i + 2);
  }
  EXPECT_EQ(append(*log, of_producer(make_batch("a", 2), 9, 0, 0)).error().code, ErrorCode::kOutOfOrder);
  EXPECT_EQ(log->log_end_offset().value, 12);
}

TEST_F(PartitionLogTest, AGapInTheSequenceIsOutOfOrder) {
  ASSERT_OK(append(*log, of_producer(make_batch("a", 2), 9, 0, 0)));
  EXPECT_EQ(append(*log, of_producer(make_batch("b", 2), 9, 0, 3)).error().code, ErrorCode::kOutOfOrder);
  EXPECT_EQ(append(*log, of_producer(make_batch("b", 2), 9, 1, 2)).error().code, ErrorCode::kOutOfOrder);
  EXPECT_OK(append(*log, of_producer(make_batch("b", 2), 9, 0, 2)));
  EXPECT_OK(append(*log, of_producer(make_batch("c", 2), 9, 1, 0)));
  EXPECT_EQ(append(*log, of_producer(make_batch("d", 2), 9, 0, 4)).error().code, ErrorCode::kFenced);
}

TEST_F(PartitionLogTest, SequencesWrapAfterTheLargestInteger) {
  ASSERT_OK(append(*log, of_producer(make_batch("a", 3), 9, 0, INT32_MAX - 1)));  // 2^31-2, 2^31-1, 0
  ASSERT_OK(append(*log, of_producer(make_batch("b", 1), 9, 0, 1)));
  auto again = append(*log, of_producer(make_batch("a", 3), 9, 0, INT32_MAX - 1));
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->base_offset.value, 0);
}

TEST_F(PartitionLogTest, SeveralBatchesAreAppendedAllOrNone) {
  std::vector<record::Batch> wrong = {of_producer(make_batch("a", 1), 9, 0, 0),
                                      of_producer(make_batch("b", 1), 9, 0, 2)};
  EXPECT_EQ(log->append(wrong, LeaderEpoch(0)).error().code, ErrorCode::kOutOfOrder);
  EXPECT_EQ(log->log_end_offset().value, 0);
  std::vector<record::Batch> right = {of_producer(make_batch("a", 1), 9, 0, 0),
                                      of_producer(make_batch("b", 1), 9, 0, 1)};
  ASSERT_OK(log->append(right, LeaderEpoch(0)));
  auto again = log->append(right, LeaderEpoch(0));
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->base_offset.value, 0);
  EXPECT_EQ(again->last_offset.value, 1);
  std::vector<record::Batch> half = {right[1], of_producer(make_batch("c", 1), 9, 0, 2)};
  EXPECT_EQ(log->append(half, LeaderEpoch(0)).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PartitionLogTest, ProducersThatWereSilentForLongAreForgotten) {
  config.producer_id_expiration_ms = 1000;
  log->set_config(config);
  ASSERT_OK(append(*log, of_producer(make_batch("a", 1), 9, 0, 0)));
  clock.advance(std::chrono::milliseconds(1500));
  ASSERT_OK(log->delete_old_segments());
  EXPECT_FALSE(log->producer(ProducerId(9)).has_value());
}

record::Batch marker(record::ControlType type, int64_t id, int16_t epoch) {
  return record::end_transaction_marker(type, ProducerId(id), epoch, /*coordinator_epoch=*/3, kTestTimeMs);
}

TEST_F(PartitionLogTest, AnOpenTransactionHoldsTheLastStableOffset) {
  ASSERT_OK(append(*log, make_batch("plain", 2)));
  ASSERT_OK(append(*log, of_producer(make_batch("t1", 2), 1, 0, 0, true)));
  ASSERT_OK(append(*log, of_producer(make_batch("t2", 2), 2, 0, 0, true)));
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->last_stable_offset().value, 2);
  ASSERT_OK(append(*log, marker(record::ControlType::kCommit, 1, 0)));
  EXPECT_EQ(log->last_stable_offset().value, 2) << "before the marker is durable nobody may see the transaction";
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->last_stable_offset().value, 4);
  ASSERT_OK(append(*log, marker(record::ControlType::kAbort, 2, 0)));
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->last_stable_offset().value, 8);
  auto aborted = log->aborted_transactions(Offset(0), Offset(8));
  ASSERT_OK(aborted);
  EXPECT_THAT(*aborted, ElementsAre(AbortedTransaction{ProducerId(2), Offset(4), Offset(7)}));
  EXPECT_THAT(*log->aborted_transactions(Offset(0), Offset(4)), IsEmpty());
}

TEST_F(PartitionLogTest, WhatWasAbortedBelowTheLogsStartIsNotSaidToBeFine) {
  ASSERT_OK(append(*log, of_producer(make_batch("aborted", 2), 1, 0, 0, true)));
  ASSERT_OK(append(*log, marker(record::ControlType::kAbort, 1, 0)));
  config.segment_bytes = 100;
  log->set_config(config);
  ASSERT_OK(append(*log, make_batch("kept", 2)));
  ASSERT_OK(log->flush());
  auto read = log->read(Offset(0), 1 << 20, log->last_stable_offset());
  ASSERT_OK(read);
  ASSERT_OK(log->delete_records(read->next_offset));
  EXPECT_EQ(log->aborted_transactions(Offset(0), read->next_offset).error().code, ErrorCode::kOutOfRange);
  EXPECT_THAT(*log->aborted_transactions(read->next_offset, Offset(5)), IsEmpty());
}

TEST_F(PartitionLogTest, AMarkerWithANewEpochFencesLateWritesOfItsTransaction) {
  ASSERT_OK(append(*log, of_producer(make_batch("t", 2), 1, 0, 0, true)));
  ASSERT_OK(append(*log, marker(record::ControlType::kAbort, 1, 1)));
  EXPECT_EQ(append(*log, of_producer(make_batch("late", 2), 1, 0, 2, true)).error().code, ErrorCode::kFenced);
  EXPECT_OK(append(*log, of_producer(make_batch("next", 2), 1, 1, 0, true)));
  EXPECT_EQ(append(*log, marker(record::ControlType::kAbort, 1, 0)).error().code, ErrorCode::kFenced);
}

TEST_F(PartitionLogTest, RetentionByTimeRemovesWhatIsOlder) {
  config.segment_bytes = 1000;
  config.retention_ms = 60'000;
  log->set_config(config);
  for (int i = 0; i < 60; ++i) {
    ASSERT_OK(append(*log, make_batch("x", 1, clock.wall_ms())));
    clock.advance(std::chrono::seconds(2));
  }
  ASSERT_OK(log->flush());
  auto removed = log->delete_old_segments();
  ASSERT_OK(removed);
  EXPECT_GT(*removed, 1);
  Offset start = log->log_start_offset();
  EXPECT_GT(start.value, 10);
  EXPECT_LE(start.value, 30) << "records younger than retention.ms stay";
  EXPECT_EQ(log->read(start - 1, 100, Offset(60)).error().code, ErrorCode::kOutOfRange);
  EXPECT_THAT(read_values(*log, start), SizeIs(static_cast<size_t>(60 - start.value)));
  EXPECT_FALSE(*disk.exists(file(0, ".log")));
}

TEST_F(PartitionLogTest, RecordsWithoutATimeAreAsOldAsTheirSegment) {
  config.segment_bytes = 1;
  config.retention_ms = 60'000;
  log->set_config(config);
  for (int i = 0; i < 3; ++i) ASSERT_OK(append(*log, make_batch("timeless", 1, -1)));
  ASSERT_OK(append(*log, make_batch("timed", 1, clock.wall_ms())));
  ASSERT_OK(log->flush());
  clock.advance(std::chrono::seconds(50));
  EXPECT_EQ(*log->delete_old_segments(), 0);
  ASSERT_OK(log->close());
  ASSERT_OK(open());
  clock.advance(std::chrono::seconds(20));
  EXPECT_EQ(*log->delete_old_segments(), 0) << "they may be younger than the process";
  clock.advance(std::chrono::seconds(50));
  EXPECT_EQ(*log->delete_old_segments(), 4);
}

TEST_F(PartitionLogTest, WhenAllIsTooOldTheActiveSegmentGoesToo) {
  config.retention_ms = 1000;
  log->set_config(config);
  ASSERT_OK(append(*log, of_producer(make_batch("x", 4), 9, 0, 0)));
  ASSERT_OK(log->flush());
  clock.advance(std::chrono::seconds(10));
  ASSERT_OK(log->delete_old_segments());
  EXPECT_EQ(log->log_start_offset().value, 4);
  EXPECT_EQ(log->log_end_offset().value, 4);
  ASSERT_OK(open());
  EXPECT_EQ(log->log_start_offset().value, 4);
  EXPECT_EQ(log->log_end_offset().value, 4);
  auto again = append(*log, of_producer(make_batch("x", 4), 9, 0, 0));
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate) << "the producer's state outlives its records";
}

TEST_F(PartitionLogTest, RetentionBySizeKeepsAtLeastThatMuch) {
  config.segment_bytes = 1000;
  config.retention_bytes = 3000;
  log->set_config(config);
  for (int i = 0; i < 200; ++i) ASSERT_OK(append(*log, make_batch("x")));
  ASSERT_OK(log->flush());
  ASSERT_OK(log->delete_old_segments());
  EXPECT_GE(log->size_bytes(), 3000);
  EXPECT_LT(log->size_bytes(), 4100);
}

TEST_F(PartitionLogTest, DeletedRecordsStayDeletedAfterARestart) {
  config.segment_bytes = 1000;
  log->set_config(config);
  for (int i = 0; i < 50; ++i) ASSERT_OK(append(*log, make_batch(std::to_string(i))));
  ASSERT_OK(log->flush());
  auto start = log->delete_records(Offset(33));
  ASSERT_OK(start);
  EXPECT_EQ(start->value, 33);
  EXPECT_EQ(read_values(*log, Offset(33))[0], "33-0");
  EXPECT_EQ((*log->offset_for_timestamp(0))->offset.value, 33);
  disk.crash();
  disk.restart(os::CrashMode::kDrop, 1);
  ASSERT_OK(open());
  EXPECT_EQ(log->log_start_offset().value, 33);
  EXPECT_EQ(log->delete_records(Offset(51)).error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(log->delete_records(kNoOffset)->value, 50);
}

TEST_F(PartitionLogTest, AFullDiskRefusesAppendsUntilThereIsRoomAgain) {
  ASSERT_OK(append(*log, make_batch("a", 3)));
  disk.set_capacity(0);
  std::string big(40'000, 'x');
  EXPECT_EQ(append(*log, make_batch(big)).error().code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(read_values(*log, Offset(0)), SizeIs(3));
  disk.set_capacity(UINT64_MAX);
  ASSERT_OK(append(*log, make_batch("b")));
  ASSERT_OK(log->flush());
  EXPECT_THAT(read_values(*log, Offset(3)), ElementsAre("b-0"));
}

TEST_F(PartitionLogTest, SmallAppendsGoWhereZerosWereWritten) {
  config.preallocate_bytes_max = 1 << 20;
  log->set_config(config);
  ASSERT_OK(append(*log, make_batch("first")));
  uint64_t writes = disk.calls(os::DiskCall::kWrite);
  for (int i = 0; i < 20; ++i) ASSERT_OK(append(*log, make_batch("small")));
  EXPECT_EQ(disk.calls(os::DiskCall::kWrite), writes + 20) << "the first one wrote zeros for all of them";
  ASSERT_OK(append(*log, make_batch(std::string(16 << 10, 'x'))));
  EXPECT_EQ(disk.calls(os::DiskCall::kWrite), writes + 22) << "beyond those zeros";
  ASSERT_OK(append(*log, make_batch(std::string(100 << 10, 'x'))));
  EXPECT_EQ(disk.calls(os::DiskCall::kWrite), writes + 23) << "no zeros for large ones";
  EXPECT_THAT(read_values(*log, Offset(0)), SizeIs(23));
  int64_t size = log->size_bytes();
  ASSERT_OK(log->close());
  EXPECT_EQ(static_cast<int64_t>(disk.content(file(0, ".log")).size()), size);
}

TEST_F(PartitionLogTest, ZerosThatCannotBeWrittenAreDoneWithout) {
  config.preallocate_bytes_max = 1 << 20;
  log->set_config(config);
  disk.fail(os::DiskCall::kWrite, 1, os::DiskFault::kIoError);
  ASSERT_OK(append(*log, make_batch("a")));
  EXPECT_TRUE(disk.fault_happened());
  EXPECT_THAT(read_values(*log, Offset(0)), ElementsAre("a-0"));
}

TEST_F(PartitionLogTest, RoomThatAFullDiskGaveInPartIsGivenBack) {
  config.preallocate_bytes_max = 1 << 20;
  config.segment_bytes = 10'000;
  log->set_config(config);
  disk.set_capacity(5'000);
  ASSERT_OK(append(*log, make_batch("a")));
  ASSERT_GT(static_cast<int64_t>(disk.content(file(0, ".log")).size()), log->size_bytes());
  int64_t size = log->size_bytes();
  disk.set_capacity(UINT64_MAX);
  ASSERT_OK(append(*log, make_batch(std::string(9'900, 'x'))));
  ASSERT_OK(log->flush());
  EXPECT_EQ(static_cast<int64_t>(disk.content(file(0, ".log")).size()), size);
}

TEST_F(PartitionLogTest, AFailedFsyncTakesTheLogOutOfService) {
  ASSERT_OK(append(*log, make_batch("a")));
  ASSERT_OK(log->flush());
  ASSERT_OK(append(*log, make_batch("b")));
  disk.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  EXPECT_EQ(log->flush().error().code, ErrorCode::kIo);
  EXPECT_EQ(log->flush().error().code, ErrorCode::kIo) << "never tried again";
  auto refused = append(*log, make_batch("c"));
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_THAT(refused.error().message, HasSubstr("takes no more writes"));
  EXPECT_EQ(log->durable_end().value, 1);
  EXPECT_TRUE(log->read(Offset(0), 100, log->high_watermark()).ok());
}

TEST_F(PartitionLogTest, ConcurrentAppendsFlushesAndReadsAgree) {
  constexpr int kThreads = 4, kEach = 100;
  config.segment_bytes = 5000;
  log->set_config(config);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        auto result = append(*log, of_producer(make_batch("x", 1), t, 0, i));
        ASSERT_OK(result);
        ASSERT_OK(log->flush());
        ASSERT_GE(log->durable_end(), result->log_end);
        auto read = log->read(result->base_offset, 100, log->high_watermark());
        ASSERT_OK(read);
        ASSERT_EQ(record::Batch::parse(read->batches)->header().producer_id.value, t);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(log->log_end_offset().value, kThreads * kEach);
}

TEST_F(PartitionLogTest, DropsItsOldestSegmentWhateverRetentionSays) {
  config.segment_bytes = 500;
  config.retention_ms = -1;
  log->set_config(config);
  for (int i = 0; i < 20; ++i) ASSERT_OK(append(*log, make_batch(std::to_string(i), 2)));
  EXPECT_EQ(*log->drop_oldest_segment(), 0) << "nothing that is not durable";
  ASSERT_OK(log->flush());
  int64_t segments = log->stats().segments, bytes = log->size_bytes();
  auto dropped = log->drop_oldest_segment();
  ASSERT_OK(dropped);
  EXPECT_GT(*dropped, 0);
  EXPECT_EQ(log->size_bytes(), bytes - *dropped);
  EXPECT_EQ(log->stats().segments, segments - 1);
  EXPECT_GT(log->log_start_offset().value, 0);
  for (int i = 0; i < 100 && log->size_bytes() > 0; ++i) ASSERT_OK(log->drop_oldest_segment());
  EXPECT_EQ(log->size_bytes(), 0);
  EXPECT_EQ(log->log_start_offset().value, 40);
  auto next = append(*log, make_batch("next"));
  ASSERT_OK(next);
  EXPECT_EQ(next->base_offset.value, 40);
}

TEST_F(PartitionLogTest, ClosingAnUnchangedLogWritesNothing) {
  for (bool with_records : {false, true}) {
    if (with_records) ASSERT_OK(append(*log, make_batch("a")));
    ASSERT_OK(log->close());
    ASSERT_OK(open());
    size_t before = disk.operations().size();
    ASSERT_OK(log->close());
    EXPECT_EQ(disk.operations().size(), before);
    ASSERT_OK(open());
    EXPECT_EQ(disk.operations().size(), before);
  }
}

TEST_F(PartitionLogTest, AStartAfterAKillWritesNothingWhereAllIsDurable) {
  for (int i = 0; i < 5; ++i) ASSERT_OK(append(*log, make_batch(std::to_string(i))));
  ASSERT_OK(log->flush());
  disk.crash();
  disk.restart(os::CrashMode::kKeep, 1);
  log.reset();
  size_t before = disk.operations().size();
  ASSERT_OK(open());
  auto operations = disk.operations();
  for (size_t i = before; i < operations.size(); ++i) {
    ADD_FAILURE() << os::to_string(operations[i].call) << " " << operations[i].path;
  }
  EXPECT_EQ(log->durable_end().value, 5);
}

TEST_F(PartitionLogTest, ManyLogsShareFewDescriptors) {
  std::shared_ptr<LogResources> resources(new LogResources{.open_files = OpenFiles(8)});
  std::vector<std::unique_ptr<PartitionLog>> logs;
  for (int i = 0; i < 50; ++i) {
    auto opened = PartitionLog::open(disk, clock, "/data/many-" + std::to_string(i), config, resources);
    ASSERT_OK(opened);
    logs.push_back(*std::move(opened));
  }
  for (int round = 0; round < 3; ++round) {
    for (auto& one : logs) ASSERT_OK(append(*one, make_batch(std::to_string(round))));
    EXPECT_LE(resources->open_files.count(), 8u);
    for (auto& one : logs) ASSERT_OK(one->flush());
    EXPECT_LE(resources->open_files.count(), 8u);
  }
  for (auto& one : logs) EXPECT_THAT(read_values(*one, Offset(0)), ElementsAre("0-0", "1-0", "2-0"));
  EXPECT_LE(resources->open_files.count(), 8u);
  disk.crash();
  disk.restart(os::CrashMode::kDrop, 1);
  auto again = PartitionLog::open(disk, clock, "/data/many-7", config, resources);
  ASSERT_OK(again);
  EXPECT_THAT(read_values(**again, Offset(0)), ElementsAre("0-0", "1-0", "2-0"));
  logs.clear();
}

TEST_F(PartitionLogTest, AFailedSyncOfAFileThatHadToBeClosedIsReportedByTheNextFlush) {
  std::shared_ptr<LogResources> resources(new LogResources{.open_files = OpenFiles(1)});
  auto first = PartitionLog::open(disk, clock, "/data/first-0", config, resources);
  auto second = PartitionLog::open(disk, clock, "/data/second-0", config, resources);
  ASSERT_OK(first);
  ASSERT_OK(second);
  ASSERT_OK(append(**first, make_batch("a")));
  disk.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  ASSERT_OK(append(**second, make_batch("b")));
  EXPECT_EQ((*first)->flush().error().code, ErrorCode::kIo);
  EXPECT_EQ((*first)->durable_end().value, 0);
  EXPECT_OK((*second)->flush());
  first->reset();
  second->reset();
}

TEST_F(PartitionLogTest, NoRoomIsPreallocatedOnADiskThatIsNearlyFull) {
  std::shared_ptr<LogResources> resources(new LogResources{.open_files = OpenFiles(8)});
  config.preallocate_bytes_max = 1 << 20;
  auto opened = PartitionLog::open(disk, clock, "/data/lean-0", config, resources);
  ASSERT_OK(opened);
  std::string path = "/data/lean-0/00000000000000000000.log";
  EXPECT_EQ(disk.content(path).size(), 0u) << "not before the first write";
  ASSERT_OK(append(**opened, make_batch("a")));
  EXPECT_EQ(disk.content(path).size(), 16u << 10);
  ASSERT_OK((*opened)->give_back_room());
  resources->preallocate = false;
  ASSERT_OK(append(**opened, make_batch("b")));
  EXPECT_EQ(static_cast<int64_t>(disk.content(path).size()), (*opened)->size_bytes());
  opened->reset();
}

}  // namespace
}  // namespace headrace::log
