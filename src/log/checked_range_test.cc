// Reads that hand out a range of the segment's file: always the bytes that a read into memory gives, on real files.
#include <unistd.h>

#include <filesystem>

#include "base/temp_directory.h"
#include "log/file_names.h"
#include "log/log_test_support.h"
#include "os/random.h"

namespace headrace::log {
namespace {

constexpr size_t kMiB = 1 << 20;

class CheckedRangeTest : public ::testing::Test {
 protected:
  CheckedRangeTest() {
    set_log_level(LogLevel::kError);
    config_.segment_bytes = 700 << 10;
    open();
  }
  void open() {
    log_.reset();
    auto log = PartitionLog::open(files_, clock_, directory_.path() + "/cabs-0", config_);
    CHECK(log.ok());
    log_ = *std::move(log);
  }
  void fill(int batches) {
    for (int i = 0; i < batches; ++i) {
      int records = 1 + static_cast<int>(random_.below(4));
      std::string value(random_.below(random_.chance(0.1) ? 20'000 : 500), static_cast<char>('a' + i % 26));
      ASSERT_OK(append(*log_, make_batch(value, records)));
    }
    ASSERT_OK(log_->flush());
  }
  Result<ReadResult> read(Offset at, size_t range_max = kMiB) {
    return log_->read(at, {.memory_max = kMiB, .range_max = range_max}, log_->log_end_offset());
  }
  Bytes content(const FileRange& range) {
    Bytes bytes(range.size);
    ssize_t got = ::pread(range.descriptor, bytes.data(), bytes.size(), static_cast<off_t>(range.offset));
    EXPECT_EQ(got, static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
  /// Reads the log from `at` on both ways and compares; how many ranges there were.
  int compare_from(Offset at) {
    int ranges = 0;
    while (at < log_->log_end_offset()) {
      auto read = this->read(at, 1 + random_.below(kMiB));
      EXPECT_TRUE(read.ok());
      if (!read.ok() || read->next_offset <= at) return -1;
      if (!read->range.empty()) {
        ++ranges;
        EXPECT_TRUE(read->batches.empty());
        auto copied = log_->read(at, read->range.size, log_->log_end_offset());
        EXPECT_TRUE(copied.ok());
        EXPECT_EQ(content(read->range), Bytes(copied->batches.view().begin(), copied->batches.view().end()));
        EXPECT_EQ(read->next_offset, copied->next_offset);
      }
      at = read->next_offset;
    }
    return ranges;
  }

  os::FileSystem& files_ = os::real_file_system();
  os::ManualClock clock_{kTestTimeMs};
  os::Random random_{7};
  LogConfig config_;
  TempDirectory directory_;
  std::unique_ptr<PartitionLog> log_;
};

TEST_F(CheckedRangeTest, HoldsWhatAReadIntoMemoryGives) {
  fill(3000);
  EXPECT_GT(log_->stats().segments, 3);
  EXPECT_GT(compare_from(Offset(0)), 10);
  for (int i = 0; i < 50; ++i) {
    EXPECT_GE(compare_from(Offset(static_cast<int64_t>(random_.below(log_->log_end_offset().value)))), 0);
  }
}

TEST_F(CheckedRangeTest, EndsBelowTheUpperBound) {
  fill(1000);
  for (int i = 0; i < 200; ++i) {
    Offset upper(1 + static_cast<int64_t>(random_.below(log_->log_end_offset().value)));
    auto read = log_->read(Offset(0), {.memory_max = kMiB, .range_max = kMiB}, upper);
    ASSERT_OK(read);
    if (read->range.empty()) continue;
    auto copied = log_->read(Offset(0), read->range.size, upper);
    ASSERT_OK(copied);
    EXPECT_EQ(copied->batches.size(), read->range.size);
    EXPECT_EQ(copied->next_offset, read->next_offset);
  }
}

TEST_F(CheckedRangeTest, WhatAnotherProcessWroteIsReadAndCheckedOnce) {
  fill(1000);
  ASSERT_OK(log_->close());
  open();
  auto first = read(Offset(0));
  ASSERT_OK(first);
  EXPECT_TRUE(first->range.empty());
  auto again = read(Offset(0));
  ASSERT_OK(again);
  ASSERT_FALSE(again->range.empty());
  EXPECT_LE(again->range.size, first->batches.size()) << "no further than what was checked";
}

TEST_F(CheckedRangeTest, DamageThatARecoveryFoundIsNeverPartOfOne) {
  config_.segment_bytes = 100 << 20;
  open();
  fill(1000);
  ASSERT_OK(log_->close());
  std::string path = directory_.path() + "/cabs-0/" + file_name(Offset(0), kLogSuffix);
  auto file = files_.open(path, os::OpenMode::kReadWrite);
  ASSERT_OK(file);
  uint8_t byte = 0x55;
  ASSERT_OK((*file)->write_at(200'000, BytesView(&byte, 1)));
  std::filesystem::remove(directory_.path() + "/cabs-0/headrace.checkpoint");
  open();
  ASSERT_EQ(log_->damaged_ranges().size(), 1u);
  DamagedRange damage = log_->damaged_ranges()[0];
  for (int round = 0; round < 2; ++round) {
    for (Offset at(0); at < damage.from;) {
      auto read = this->read(at);
      ASSERT_OK(read);
      EXPECT_LE(read->next_offset, damage.from);
      at = read->next_offset;
    }
    EXPECT_EQ(read(damage.from).error().code, ErrorCode::kCorrupt);
    EXPECT_GE(compare_from(damage.to), 1);
  }
}

TEST_F(CheckedRangeTest, OutlivesItsSegment) {
  config_.retention_bytes = 1;
  open();
  fill(3000);
  auto held = read(Offset(0));
  ASSERT_OK(held);
  ASSERT_FALSE(held->range.empty());
  Bytes before = content(held->range);
  auto removed = log_->delete_old_segments();
  ASSERT_OK(removed);
  EXPECT_GT(*removed, 0);
  EXPECT_EQ(content(held->range), before);
}

TEST_F(CheckedRangeTest, SmallReadsAreCopies) {
  fill(20);
  auto read = log_->read(Offset(0), {.memory_max = kMiB, .range_max = 4096}, log_->log_end_offset());
  ASSERT_OK(read);
  EXPECT_TRUE(read->range.empty());
}

}  // namespace
}  // namespace headrace::log
