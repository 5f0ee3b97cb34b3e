// What the log's tests share: batches of records that say which ones they are.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/logging.h"
#include "log/partition_log.h"
#include "os/simulated_file_system.h"
#include "record/batch_builder.h"
#include "record/producer_fields.h"

namespace headrace::log {

inline constexpr int64_t kTestTimeMs = 1'700'000'000'000;

#define ASSERT_OK(expression)                                                    \
  do {                                                                           \
    auto&& status_ = (expression);                                               \
    ASSERT_TRUE(status_.ok()) << #expression << ": " << status_.error().message; \
  } while (false)
#define EXPECT_OK(expression)                                                    \
  do {                                                                           \
    auto&& status_ = (expression);                                               \
    EXPECT_TRUE(status_.ok()) << #expression << ": " << status_.error().message; \
  } while (false)

/// A batch of `records` records with values "<name>-0", "<name>-1", ..., each a millisecond later.
inline record::Batch make_batch(const std::string& name, int records = 1, int64_t timestamp_ms = kTestTimeMs) {
  record::BatchBuilder builder;
  for (int i = 0; i < records; ++i) builder.add(timestamp_ms + i, "key", name + "-" + std::to_string(i));
  return builder.finish();
}

inline record::Batch of_producer(const record::Batch& batch, int64_t id, int16_t epoch, int32_t sequence,
                                 bool transactional = false) {
  return record::with_producer(batch, {ProducerId(id), epoch, sequence, transactional});
}

inline Result<AppendResult> append(PartitionLog& log, const record::Batch& batch) {
  return log.append(std::span(&batch, 1), LeaderEpoch(0));
}

/// The values of all records from `offset` on; stops at an error, which goes to `error`.
inline std::vector<std::string> read_values(PartitionLog& log, Offset offset, Error* error = nullptr,
                                            size_t bytes_max = 1 << 20) {
  std::vector<std::string> values;
  while (offset < log.log_end_offset()) {
    auto read = log.read(offset, bytes_max, log.log_end_offset());
    if (!read.ok()) {
      if (error) *error = read.error();
      return values;
    }
    if (read->batches.empty()) return values;
    auto batches = record::split_batches(read->batches, /*allow_partial_tail=*/false);
    if (!batches.ok()) {
      if (error) *error = batches.error();
      return values;
    }
    for (const record::Batch& batch : *batches) {
      record::RecordReader reader(batch, 1 << 20);
      Offset expected = std::max(offset, batch.header().base_offset);
      while (const record::RecordView* record = reader.next()) {
        if (record->offset < offset) continue;
        EXPECT_EQ(record->offset.value, expected.value);
        expected = expected + 1;
        values.emplace_back(*record->value);
      }
      EXPECT_TRUE(reader.status().ok());
    }
    offset = read->next_offset;
  }
  return values;
}

/// A log on a simulated disk.
struct TestLog {
  os::SimulatedFileSystem disk;
  os::ManualClock clock{kTestTimeMs};
  LogConfig config;
  std::unique_ptr<PartitionLog> log;
  const std::string directory = "/data/cabs-0";

  TestLog() {
    EXPECT_TRUE(disk.make_directories("/data").ok());
    EXPECT_TRUE(disk.sync_directory("/").ok());
  }
  Status open() {
    log.reset();
    auto opened = PartitionLog::open(disk, clock, directory, config);
    if (!opened.ok()) return opened.error();
    log = *std::move(opened);
    return {};
  }
  std::string file(int64_t offset, std::string_view suffix) const {
    std::string digits = std::to_string(offset);
    return directory + "/" + std::string(20 - digits.size(), '0') + digits + std::string(suffix);
  }
};

}  // namespace headrace::log
