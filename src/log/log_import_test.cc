// Folders as Kafka writes them, read by the importer. tests/interop holds it against a real Kafka.
#include "log/log_import.h"

#include "log/log_test_support.h"

namespace headrace::log {
namespace {

class LogImportTest : public ::testing::Test {
 protected:
  LogImportTest() {
    set_log_level(LogLevel::kError);
    source_.config.segment_bytes = 600;
    source_.config.preallocate_bytes_max = 0;
    EXPECT_OK(source_.open());
  }
  ~LogImportTest() override { set_log_level(LogLevel::kInfo); }

  // What Kafka leaves: the same files without our checkpoint.
  void stop_source() {
    ASSERT_OK(source_.log->close());
    source_.log.reset();
    ASSERT_OK(source_.disk.remove(source_.directory + "/headrace.checkpoint"));
  }
  Result<ImportedLog> import(Offset log_start = kNoOffset) { return import({.log_start = log_start}); }
  Result<ImportedLog> import(LogImport options) {
    options.from = source_.directory;
    options.to = "/data/new-0";
    return import_log(source_.disk, source_.clock, std::move(options));
  }
  void open_imported() {
    auto opened = PartitionLog::open(source_.disk, source_.clock, "/data/new-0", source_.config);
    ASSERT_OK(opened);
    source_.log = *std::move(opened);
  }

  TestLog source_;
};

TEST_F(LogImportTest, BringsRecordsProducersAndAbortedTransactions) {
  for (int i = 0; i < 20; ++i) {
    auto batch = record::with_producer(make_batch("v" + std::to_string(i), 2), {ProducerId(11), 0, i * 2, false});
    ASSERT_OK(source_.log->append(std::span(&batch, 1), LeaderEpoch(7)));
  }
  ASSERT_OK(append(*source_.log, of_producer(make_batch("t"), 21, 3, 0, true)));
  auto marker = record::end_transaction_marker(record::ControlType::kAbort, ProducerId(21), 3, 0, kTestTimeMs);
  ASSERT_OK(append(*source_.log, marker));
  auto values = read_values(*source_.log, Offset(0));
  auto aborted = *source_.log->aborted_transactions(Offset(0), Offset(100));
  ASSERT_EQ(aborted.size(), 1u);
  stop_source();

  auto report = import();
  ASSERT_OK(report);
  EXPECT_EQ(report->log_end, Offset(42));
  EXPECT_EQ(report->batches, 22);
  open_imported();
  EXPECT_EQ(source_.log->stats().scanned_bytes_at_open, 0);
  EXPECT_EQ(read_values(*source_.log, Offset(0)), values);
  EXPECT_EQ(*source_.log->aborted_transactions(Offset(0), Offset(100)), aborted);
  EXPECT_EQ(source_.log->producer(ProducerId(11))->last_sequence, 39);
  EXPECT_EQ(source_.log->producer(ProducerId(21))->epoch, 3);
  EXPECT_EQ(source_.log->latest_epoch(), LeaderEpoch(0));
  ASSERT_OK(append(*source_.log, of_producer(make_batch("on"), 11, 0, 40)));
}

TEST_F(LogImportTest, ForgetsWhatProducersWroteWhoseIdsAreOthersHere) {
  ASSERT_OK(append(*source_.log, of_producer(make_batch("theirs"), 3, 0, 0)));
  ASSERT_OK(append(*source_.log, of_producer(make_batch("kept"), 4, 0, 0)));
  stop_source();
  auto report = import({.producers_from = ProducerId(4)});
  ASSERT_OK(report);
  EXPECT_EQ(report->producer_max, ProducerId(4));
  open_imported();
  auto duplicate = append(*source_.log, of_producer(make_batch("kept"), 4, 0, 0));
  ASSERT_OK(duplicate);
  EXPECT_EQ(duplicate->base_offset, Offset(1));
  auto another = append(*source_.log, of_producer(make_batch("ours"), 3, 0, 0));
  ASSERT_OK(another);
  EXPECT_EQ(another->base_offset, Offset(2));
}

TEST_F(LogImportTest, AnOpenTransactionIsAnErrorOrAborted) {
  ASSERT_OK(append(*source_.log, make_batch("plain")));
  ASSERT_OK(append(*source_.log, of_producer(make_batch("open", 3), 21, 3, 0, true)));
  stop_source();
  auto refused = import();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("producer 21 from offset 1"), std::string::npos) << refused.error().message;

  ASSERT_OK(os::remove_tree(source_.disk, "/data/new-0"));
  auto report = import({.abort_open_transactions = true});
  ASSERT_OK(report);
  EXPECT_EQ(report->aborted_transactions, 1);
  EXPECT_EQ(report->log_end, Offset(5));
  open_imported();
  EXPECT_EQ(source_.log->last_stable_offset(), Offset(5));
  auto aborted = *source_.log->aborted_transactions(Offset(0), Offset(100));
  ASSERT_EQ(aborted.size(), 1u);
  EXPECT_EQ(aborted[0].first_offset, Offset(1));
}

TEST_F(LogImportTest, KeepsTheLogStart) {
  for (int i = 0; i < 20; ++i) ASSERT_OK(append(*source_.log, make_batch(std::to_string(i))));
  stop_source();
  EXPECT_EQ(import(Offset(13))->log_start, Offset(13));
  open_imported();
  EXPECT_EQ(source_.log->log_start_offset(), Offset(13));
}

TEST_F(LogImportTest, LeavesATornTailOut) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(append(*source_.log, make_batch(std::to_string(i))));
  stop_source();
  Bytes bytes = source_.disk.content(source_.file(0, ".log"));
  bytes.resize(bytes.size() - 5);
  source_.disk.set_content(source_.file(0, ".log"), bytes);
  auto report = import();
  ASSERT_OK(report);
  EXPECT_EQ(report->log_end, Offset(2));
  EXPECT_GT(report->torn_bytes, 0);
}

TEST_F(LogImportTest, RefusesWhatIsDamagedOldOrAmidCompaction) {
  for (int i = 0; i < 20; ++i) ASSERT_OK(append(*source_.log, make_batch(std::to_string(i), 2)));
  stop_source();
  Bytes good = source_.disk.content(source_.file(0, ".log"));
  Bytes bytes = good;
  bytes[70] ^= 1;
  source_.disk.set_content(source_.file(0, ".log"), bytes);
  EXPECT_EQ(import().error().code, ErrorCode::kCorrupt);
  bytes = good;
  bytes[16] = 1;
  source_.disk.set_content(source_.file(0, ".log"), bytes);
  EXPECT_EQ(import().error().code, ErrorCode::kUnsupported);
  source_.disk.set_content(source_.file(0, ".log"), good);
  source_.disk.set_content(source_.file(0, ".log.swap"), good);
  EXPECT_EQ(import().error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace headrace::log
