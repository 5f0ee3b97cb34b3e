// One partition's durable log: segments of v2 record batches in Kafka's file layout, with what is needed to append to
// them (idempotent producers, transactions), to find things in them (indexes) and to get old things out of them.
//
//   <dir>/00000000000000000000.log        batches; named by the offset of its first one
//   <dir>/00000000000000000000.index      offset -> position, sparse
//   <dir>/00000000000000000000.timeindex  time -> offset, sparse
//   <dir>/00000000000000000000.txnindex   aborted transactions that end in the segment
//   <dir>/00000000000000000000.snapshot   producer state before that offset
//   <dir>/headrace.checkpoint             recovery point and log start offset
//
// Ends, always log_start <= last_stable <= high_watermark <= log_end and durable_end <= log_end:
//   log_end         after the last appended batch
//   durable_end     after the last batch that an fdatasync covered
//   high_watermark  what consumers may see: durable_end, or log_end under FlushPolicy::kOs
//   last_stable     what read_committed consumers may see: nothing at or after it belongs to an open transaction
//
// Threads: every function may be called from any thread; a partition has one owner at a time (a mutex, held without
// waiting for fsync or reads of the disk). Appends and reads go on during a flush().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_range.h"
#include "base/function.h"
#include "base/ids.h"
#include "base/result.h"
#include "log/log_config.h"
#include "log/log_health.h"
#include "log/open_files.h"
#include "log/transaction_index.h"
#include "os/clock.h"
#include "os/file.h"
#include "record/batch.h"

namespace headrace::log {

/// How much a read may return, in bytes.
struct ReadLimits {
  size_t memory_max = 0;
  /// When it is not 0, batches may be returned as a range of the segment's file: when they are in the page cache, this
  /// process has checked them before, and they are enough for that to pay.
  size_t range_max = 0;
  bool range_only = false;  ///< Nothing is read where no range can be given.
};

struct AppendResult {
  Offset base_offset;           ///< Of the first batch; of the original one for a duplicate.
  Offset last_offset;           ///< Of the last record.
  Offset log_end;               ///< Acknowledge when durable_end() has reached this (a duplicate's end included).
  int64_t append_time_ms = -1;  ///< The time given to the batches under kLogAppendTime, else -1.
  bool duplicate = false;       ///< Nothing was written: the producer's batch is in the log already.
};

struct ReadResult {
  SharedBytes batches;  ///< Whole batches, CRC-checked (Batch::parse_trusted will do); empty at the upper bound.
  FileRange range;      ///< The same where they lie, in place of `batches`; only when that was asked for.
  Offset next_offset;   ///< The offset to read next: after the last batch in `batches`, or the offset asked for, or the
                        ///< upper bound where compaction left nothing below it.
};

struct TimestampOffset {
  Offset offset;
  int64_t timestamp_ms;
};

/// What is known of a producer that wrote to this partition.
struct ProducerInfo {
  ProducerId producer_id;
  int16_t epoch;
  int32_t last_sequence;  ///< -1 when there is none in this epoch.
  Offset last_offset;
  int64_t last_timestamp_ms;
  int32_t coordinator_epoch;
  Offset transaction_first_offset;  ///< kNoOffset outside of a transaction.
};

struct LogStats {
  int64_t segments = 0;
  int64_t bytes = 0;
  int64_t producers = 0;
  int64_t appends = 0;
  int64_t flushes = 0;
  int64_t scanned_bytes_at_open = 0;
};

/// What compaction would find to do now.
struct CompactionBacklog {
  Offset first_dirty;       ///< Records from here on were never compacted...
  Offset end;               ///< ...and those up to here may be.
  int64_t clean_bytes = 0;  ///< Of segments below first_dirty.
  int64_t dirty_bytes = 0;  ///< Of the others below `end`.
  bool overdue = false;     ///< The oldest of them waits longer than max.compaction.lag.ms.
  double dirty_ratio() const;
};

struct CompactionOptions {
  size_t offset_map_bytes_max = 32 << 20;  ///< 24 bytes a key; more keys take more passes.
  uint64_t seed = 0;                       ///< Of the keys' hashes.
  /// Told of bytes that were read or written; may wait. False ends the work with kClosed.
  Function<bool(int64_t bytes)> pace;
  /// Whether so much more may be written to the disk. False ends the work with kOutOfSpace, to be done later.
  Function<bool(int64_t bytes)> room;
};

struct CompactionReport {
  Offset compacted_to;  ///< Records below were compared with all others below.
  Offset end;           ///< Up to where they could have been.
  int64_t passes = 0;
  int64_t bytes_before = 0;  ///< Of what was written anew, over all passes...
  int64_t bytes_after = 0;   ///< ...and what it became.
  int64_t segments_replaced = 0;
  int64_t segments_written = 0;
  int64_t unreadable_batches = 0;  ///< Kept as they are.
};

class PartitionLog {
 public:
  /// Opens the log in `directory` ("<data>/<topic>-<partition>"), creating it when missing, and recovers it: cuts a
  /// torn tail, takes damaged ranges out of service, rebuilds what is missing or wrong of the indexes and producer
  /// state. `files` and `clock` outlive the log.
  /// `resources`, where there are any, are shared with other logs.
  static Result<std::unique_ptr<PartitionLog>> open(os::FileSystem& files, os::Clock& clock, std::string directory,
                                                    const LogConfig& config,
                                                    std::shared_ptr<LogResources> resources = nullptr);
  virtual ~PartitionLog() = default;

  /// Appends `batches` (already checked: sizes, CRC, magic) with one write, all or none, and assigns their offsets and
  /// `epoch`. Not durable before flush(). The batches' own bytes are left alone.
  /// kFenced: an older producer epoch. kOutOfOrder: a gap in the producer's sequence numbers. kInvalidArgument: several
  /// batches of which only some are duplicates; a transactional batch without producer id. kOutOfSpace,
  /// kUnavailable (files could not be opened): nothing was appended, try later. kIo: the log is out of service for
  /// writing.
  virtual Result<AppendResult> append(std::span<const record::Batch> batches, LeaderEpoch epoch) = 0;

  /// Makes everything appended before the call durable. Cheap when it is already. Concurrent calls share the work.
  /// kUnavailable: files could not be opened; nothing is lost, and the next call goes on with it. Any other error takes
  /// the log out of service for writing: it is never tried again, and append() answers kIo from then on.
  virtual Status flush() = 0;

  /// Reads whole batches, the first being the one that contains `offset`, up to `limits` (the first batch always) and
  /// only batches that start before `upper` (high_watermark() or last_stable_offset()).
  /// kOutOfRange: outside [log_start_offset(), log_end_offset()]. kCorrupt: a damaged range, named by file and byte.
  virtual Result<ReadResult> read(Offset offset, ReadLimits limits, Offset upper) = 0;
  Result<ReadResult> read(Offset offset, size_t bytes_max, Offset upper) {
    return read(offset, ReadLimits{.memory_max = bytes_max}, upper);
  }

  virtual Offset log_start_offset() const = 0;
  virtual Offset log_end_offset() const = 0;
  virtual Offset durable_end() const = 0;
  virtual Offset high_watermark() const = 0;
  virtual Offset last_stable_offset() const = 0;
  /// Bytes of batches on the disk (preallocated room excluded).
  virtual int64_t size_bytes() const = 0;
  virtual LeaderEpoch latest_epoch() const = 0;
  virtual LogStats stats() const = 0;

  /// The first record at or after `timestamp_ms` below the high watermark; nothing when all are older.
  virtual Result<std::optional<TimestampOffset>> offset_for_timestamp(int64_t timestamp_ms) = 0;
  /// The record with the largest timestamp below the high watermark (ListOffsets -3); nothing when there is none. The
  /// offset is that of the first such record that the time index knows.
  virtual Result<std::optional<TimestampOffset>> max_timestamp() = 0;
  /// Aborted transactions that overlap [from, to), by last_offset. kOutOfRange: `from` is below the log's start, where
  /// they are not known any more: who has read from there while the start moved must not use what was read.
  virtual Result<std::vector<AbortedTransaction>> aborted_transactions(Offset from, Offset to) = 0;
  virtual std::optional<ProducerInfo> producer(ProducerId id) const = 0;
  virtual std::vector<ProducerInfo> producers() const = 0;
  virtual std::vector<DamagedRange> damaged_ranges() const = 0;
  /// Where the damage at `offset` ends; `offset` itself where none is known.
  Offset behind_damage(Offset offset) const;
  /// The error that took the log out of service for writing, if one did. Of a sound log, waits for nobody.
  virtual std::optional<Error> out_of_service() const = 0;

  /// Removes segments that retention.ms or retention.bytes no longer covers (never the active one, except that it is
  /// rolled first when all of it expired); the segments removed.
  virtual Result<int64_t> delete_old_segments() = 0;
  /// How much there is to compact. Loads indexes under min.compaction.lag.ms.
  virtual Result<CompactionBacklog> compaction_backlog() = 0;
  /// Compacts all that may be compacted, whatever its share; in as many passes as the map's room wants. Reads, appends
  /// and flushes go on beside it; one compaction at a time. kCorrupt: a segment is damaged, nothing more was done.
  /// kUnavailable, kOutOfSpace (retention took segments away, files can't be opened): later. What is done is whole.
  virtual Result<CompactionReport> compact(CompactionOptions options) = 0;
  /// How often compaction has put a segment in the place of others: what was read before and what is read after it do
  /// not belong together.
  virtual uint64_t replacements() const = 0;
  /// Removes the oldest segment that readers have seen the end of, whatever retention says, to make room on the disk;
  /// the bytes that it held, 0 when the log is empty. With nothing but the active one left, that is rolled and goes by
  /// the next call.
  virtual Result<int64_t> drop_oldest_segment() = 0;
  /// Moves the log start to `before` (at most the high watermark; -1 means that); durable on return. The new log start.
  /// Files that can't be removed now are by a later call of these three.
  virtual Result<Offset> delete_records(Offset before) = 0;
  /// Applies from now on; segments on the disk stay as they are until they are rolled or expire.
  virtual void set_config(const LogConfig& config) = 0;
  virtual LogConfig config() const = 0;

  /// Writes a checkpoint (indexes, producer snapshot, recovery point), so that a start has nothing to scan.
  virtual Status checkpoint() = 0;
  /// Gives back the room that was preallocated for the active segment.
  virtual Status give_back_room() = 0;
  /// Gives back file descriptors and loaded indexes of segments that are not being read. Call it now and then.
  virtual void release_idle_resources() = 0;
  /// flush, checkpoint, give back preallocated room. No call but the destructor may follow.
  virtual Status close() = 0;
  /// Takes the log out of service and its directory's name away. For good once the directory above is synced, which is
  /// the caller's to do, once for many logs; DestroyedLogs then removes the files.
  virtual Status destroy() = 0;
};

/// What destroy() left under `data_directory`. One thread at a time.
class DestroyedLogs {
 public:
  DestroyedLogs(os::FileSystem& files, std::string data_directory)
      : files_(files), data_directory_(std::move(data_directory)) {}

  /// Removes it, until `pausing` says so. False when that came before the end: the next call goes on. What can't be
  /// removed is told of once, and tried again by the round that follows.
  bool remove(Function<bool()> pausing = {});

 private:
  os::FileSystem& files_;
  const std::string data_directory_;
  std::set<std::string> tried_;  // In vain, in this round.
  std::set<std::string> told_;   // Of these.
};

}  // namespace headrace::log
