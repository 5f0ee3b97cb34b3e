#include "broker/state_log.h"

#include <chrono>
#include <cstdint>
#include <thread>

#include "base/logging.h"
#include "record/batch_builder.h"

namespace headrace::broker {
namespace {

constexpr size_t kReplayBytes = 1 << 20;
constexpr size_t kRecordsBytesMax = 256 << 20;
constexpr int64_t kSegmentBytes = 16 << 20;
constexpr std::chrono::milliseconds kFlushPause{50};
constexpr int kFlushesMax = 200;

log::LogConfig state_log_config() {
  log::LogConfig config;
  config.segment_bytes = kSegmentBytes;
  config.retention_ms = -1;
  config.retention_bytes = -1;
  config.delete_enabled = false;
  config.preallocate_bytes_max = 64 << 10;
  return config;
}

/// What was appended counts as soon as it is on the disk, so that it must not be given up for want of a descriptor.
Status flush_patiently(log::PartitionLog& log) {
  Status flushed = log.flush();
  for (int i = 1; i < kFlushesMax && !flushed.ok() && flushed.error().code == ErrorCode::kUnavailable; ++i) {
    std::this_thread::sleep_for(kFlushPause);
    flushed = log.flush();
  }
  return flushed;
}

Status visit_all(SharedBytes batches, VisitBatch& visit) {
  while (!batches.empty()) {
    ASSIGN_OR_RETURN(record::Batch batch, record::Batch::parse_trusted(batches));
    batches = batches.slice(batch.size(), batches.size() - batch.size());
    RETURN_IF_ERROR(visit(batch));
  }
  return {};
}

}  // namespace

Status for_each_batch(log::PartitionLog& log, VisitBatch visit) {
  Offset at = log.log_start_offset();
  while (at < log.log_end_offset()) {
    ASSIGN_OR_RETURN(log::ReadResult read, log.read(at, kReplayBytes, log.log_end_offset()));
    if (read.next_offset <= at) break;
    RETURN_IF_ERROR(visit_all(std::move(read.batches), visit));
    at = read.next_offset;
  }
  return {};
}

Status for_each_readable_batch(log::PartitionLog& log, VisitBatch visit) {
  Offset at = log.log_start_offset();
  while (at < log.log_end_offset()) {
    auto read = log.read(at, kReplayBytes, log.log_end_offset());
    bool damaged = !read.ok() && read.error().code == ErrorCode::kCorrupt;
    Offset next = damaged ? log.behind_damage(at) : at;
    if (damaged && next > at) {
      log_error("what was written there is left out: {}", read.error().message);
      at = next;
      continue;
    }
    if (!read.ok()) return read.error();
    if (read->next_offset <= at) break;
    RETURN_IF_ERROR(visit_all(std::move(read->batches), visit));
    at = read->next_offset;
  }
  return {};
}

void tell_left_out(const TopicPartition& tp, Offset offset, const Error& error) {
  log_error("the record at offset {} of {} is left out: {}", offset.value, to_string(tp), error.message);
}

Result<std::unique_ptr<StateLog>> StateLog::open(os::FileSystem& files, os::Clock& clock, const std::string& directory,
                                                 Replay replay, std::shared_ptr<log::HealthListener> health) {
  // By itself, so that nothing else makes it close its files.
  std::shared_ptr<log::LogResources> resources(
      new log::LogResources{.open_files = log::OpenFiles(SIZE_MAX), .health = std::move(health)});
  ASSIGN_OR_RETURN(auto log, log::PartitionLog::open(files, clock, directory, state_log_config(), resources));
  Status replayed = for_each_batch(*log, [&](const record::Batch& batch) -> Status {
    record::RecordReader reader(batch, kRecordsBytesMax);
    while (const record::RecordView* record = reader.next()) {
      if (record->key) RETURN_IF_ERROR(replay(*record->key, record->value));
    }
    return reader.status();
  });
  if (!replayed.ok()) return replayed.error().in("reading " + directory);
  return std::unique_ptr<StateLog>(new StateLog(std::move(log), clock));
}

record::Batch batch_of(std::span<const StateLog::Entry> entries, int64_t now_ms) {
  record::BatchBuilder builder;
  for (const StateLog::Entry& entry : entries) {
    std::optional<std::string_view> value;
    if (entry.value) value = as_text(*entry.value);
    builder.add(now_ms, entry.key, value);
  }
  return builder.finish();
}

Result<Offset> StateLog::append(std::span<const Entry> entries) {
  record::Batch batch = batch_of(entries, clock_.wall_ms());
  ASSIGN_OR_RETURN(log::AppendResult appended, log_->append(std::span(&batch, 1), LeaderEpoch(0)));
  return appended.base_offset;
}

Status StateLog::write(std::span<const Entry> entries) {
  if (entries.empty()) return {};
  if (in_doubt_) {
    return Error{ErrorCode::kIo, "a change before this one could not be flushed, and would be done with it; restart"};
  }
  RETURN_IF_ERROR(append(entries));
  Status flushed = flush_patiently(*log_);
  in_doubt_ = !flushed.ok();
  return flushed;
}

Status StateLog::rewrite(std::span<const Entry> state) {
  if (state.empty()) return {};
  ASSIGN_OR_RETURN(Offset first, append(state));
  RETURN_IF_ERROR(flush_patiently(*log_));
  auto start = log_->delete_records(first);
  return start.ok() ? Status() : Status(start.error());
}

}  // namespace headrace::broker
