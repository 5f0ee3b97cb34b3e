// The files of what has gone from a log, and of logs that have gone.
#include <functional>
#include <future>
#include <thread>
#include <utility>

#include "log/log_test_support.h"

namespace headrace::log {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class Removal : public ::testing::Test, public TestLog {
 protected:
  void SetUp() override { ASSERT_OK(open()); }
};

TEST_F(Removal, FilesThatCannotBeRemovedAreTriedAgain) {
  config.segment_bytes = 200;
  log->set_config(config);
  for (os::DiskCall call : {os::DiskCall::kRename, os::DiskCall::kRemove}) {
    for (int i = 0; i < 5; ++i) ASSERT_OK(append(*log, make_batch(std::string(200, 'x'))));
    ASSERT_OK(log->flush());
    disk.fail(call, 2, os::DiskFault::kIoError);
    Offset start = log->log_end_offset() - 1;
    EXPECT_EQ(log->delete_records(start)->value, start.value) << "they are gone all the same";
    ASSERT_TRUE(disk.fault_happened());
    EXPECT_THAT(*disk.list(directory), SizeIs(::testing::Gt(10u)));
    EXPECT_EQ(*log->delete_old_segments(), 0);
    EXPECT_THAT(*disk.list(directory), SizeIs(::testing::Lt(10u)));
    EXPECT_THAT(*disk.list(directory), Not(Contains(HasSubstr(".deleted"))));
    EXPECT_EQ(log->log_start_offset(), start);
  }
}

TEST_F(Removal, ADeletionThatIsAnsweredHoldsThoughRetentionCouldNotRemoveTheFilesThatItIsAbout) {
  config.segment_bytes = 200;
  config.retention_bytes = 0;
  log->set_config(config);
  for (int i = 0; i < 5; ++i) ASSERT_OK(append(*log, make_batch(std::string(200, 'x'))));
  ASSERT_OK(log->flush());
  disk.fail(os::DiskCall::kRemove, 1, os::DiskFault::kIoError);
  EXPECT_FALSE(log->delete_old_segments().ok());
  disk.fail(os::DiskCall::kRemove, 1, os::DiskFault::kIoError);
  EXPECT_EQ(log->delete_records(Offset(2))->value, 4);
  disk.crash();
  log.reset();
  disk.restart(os::CrashMode::kDrop, 1);
  ASSERT_OK(open());
  EXPECT_EQ(log->log_start_offset().value, 4);
}

// The snapshot of the producers is renamed into its place when a segment is rolled: that fails.
TEST_F(Removal, AProducerIsKnownThoughItsRecordsAreGoneAndItsSnapshotFailedAtFirst) {
  config.segment_bytes = 200;
  log->set_config(config);
  for (uint64_t nth = 1; nth < 8; ++nth) {
    SCOPED_TRACE(nth);
    int64_t id = 100 + static_cast<int64_t>(nth);
    ASSERT_OK(append(*log, of_producer(make_batch(std::string(200, 'x')), id, 0, 0)));
    disk.fail(os::DiskCall::kRename, nth, os::DiskFault::kOutOfSpace);
    ASSERT_OK(append(*log, make_batch(std::string(200, 'x'))));
    ASSERT_OK(log->flush());
    disk.fail(os::DiskCall::kRename, UINT64_MAX, os::DiskFault::kOutOfSpace);
    ASSERT_OK(log->delete_records(log->log_end_offset() - 1));
    disk.crash();
    log.reset();
    disk.restart(os::CrashMode::kDrop, nth);
    ASSERT_OK(open());
    EXPECT_TRUE(log->producer(ProducerId(id)));
  }
}

/// A disk on which something happens at the first call of a kind.
class WatchedFiles final : public os::FileSystem {
 public:
  explicit WatchedFiles(os::FileSystem& files) : files_(files) {}
  Result<std::unique_ptr<os::File>> open(const std::string& path, os::OpenMode mode) override {
    return files_.open(path, mode);
  }
  Result<bool> exists(const std::string& path) override { return files_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }
  Status make_directories(const std::string& path) override { return files_.make_directories(path); }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status remove(const std::string& path) override {
    if (auto happens = std::exchange(at_remove, {})) happens();
    return files_.remove(path);
  }
  Result<std::unique_ptr<os::Directory>> open_directory(const std::string& path) override {
    if (auto happens = std::exchange(at_sync_directory, {})) happens();
    return files_.open_directory(path);
  }
  Result<std::unique_ptr<os::FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<os::SpaceInfo> space(const std::string& path) override { return files_.space(path); }

  std::function<void()> at_remove, at_sync_directory;

 private:
  os::FileSystem& files_;
};

// Everything is deleted, and meanwhile an append rolls: what begins where the deletion ends has no snapshot yet.
TEST_F(Removal, AProducerIsKnownThoughASegmentBeginsWhileItsRecordsAreDeleted) {
  WatchedFiles watched(disk);
  config.segment_bytes = 200;
  log.reset();
  log = *PartitionLog::open(watched, clock, directory, config);
  ASSERT_OK(append(*log, of_producer(make_batch(std::string(200, 'x')), 7, 0, 0)));
  ASSERT_OK(log->flush());
  watched.at_sync_directory = [&] { ASSERT_OK(append(*log, make_batch("y"))); };
  EXPECT_EQ(log->delete_records(Offset(1))->value, 1);
  EXPECT_EQ(log->log_end_offset().value, 2) << "it was appended";
  disk.crash();
  log.reset();
  disk.restart(os::CrashMode::kDrop, 1);
  ASSERT_OK(open());
  EXPECT_TRUE(log->producer(ProducerId(7)));
  EXPECT_EQ(log->log_start_offset().value, 1);
}

TEST_F(Removal, NoFlushWaitsForTheRemovalOfFiles) {
  WatchedFiles slow(disk);
  std::promise<void> begun, go_on;
  slow.at_remove = [&] {
    begun.set_value();
    go_on.get_future().wait();
  };
  config.segment_bytes = 200;
  log.reset();
  log = *PartitionLog::open(slow, clock, directory, config);
  for (int i = 0; i < 3; ++i) ASSERT_OK(append(*log, make_batch(std::string(200, 'x'))));
  ASSERT_OK(log->flush());
  std::thread remover([&] { EXPECT_OK(log->delete_records(Offset(2))); });
  begun.get_future().wait();
  ASSERT_OK(append(*log, make_batch("y")));
  ASSERT_OK(log->flush());
  EXPECT_EQ(log->durable_end().value, 4);
  EXPECT_EQ(log->log_start_offset().value, 2);
  go_on.set_value();
  remover.join();
  EXPECT_FALSE(*disk.exists(file(0, ".log")));
  log.reset();
}

TEST_F(Removal, DestroyLeavesNothing) {
  ASSERT_OK(append(*log, make_batch("a")));
  ASSERT_OK(log->destroy());
  EXPECT_FALSE(*disk.exists(directory));
  DestroyedLogs destroyed(disk, "/data");
  EXPECT_FALSE(destroyed.remove([] { return true; }));
  EXPECT_THAT(*disk.list("/data"), SizeIs(1));
  EXPECT_TRUE(destroyed.remove());
  EXPECT_THAT(*disk.list("/data"), IsEmpty());
  EXPECT_EQ(append(*log, make_batch("b")).error().code, ErrorCode::kClosed);
}

TEST_F(Removal, WhatCannotBeRemovedOfADestroyedLogKeepsNoOtherAndIsTriedAgain) {
  ASSERT_OK(log->destroy());
  ASSERT_OK(open());
  ASSERT_OK(log->destroy());
  DestroyedLogs destroyed(disk, "/data");
  disk.fail(os::DiskCall::kRemove, 1, os::DiskFault::kIoError);
  EXPECT_TRUE(destroyed.remove());
  EXPECT_THAT(*disk.list("/data"), SizeIs(1));
  EXPECT_TRUE(destroyed.remove());
  EXPECT_THAT(*disk.list("/data"), IsEmpty());
}

}  // namespace
}  // namespace headrace::log
