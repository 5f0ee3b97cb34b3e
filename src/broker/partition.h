// One partition as the broker serves it: the log, the producers that wait for the disk, the readers that wait for
// records.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/function.h"
#include "base/ids.h"
#include "base/result.h"
#include "broker/data_waiter.h"
#include "broker/flusher.h"
#include "broker/topic_config.h"
#include "bus/bus.h"
#include "flow/metrics.h"
#include "log/partition_log.h"
#include "record/batch.h"

namespace headrace::broker {

class DiskSpace;

/// An acknowledged append.
struct Produced {
  Offset base_offset;
  int64_t append_time_ms = -1;  ///< The broker's time under LogAppendTime, else -1.
  Offset log_start;
  bool duplicate = false;
};
using ProducedCallback = Function<void(Result<Produced>)>;

/// What a fetch sees of a partition.
struct FetchedData {
  SharedBytes batches;  ///< Whole batches; the first may begin before the offset asked for. Empty: nothing there yet.
  FileRange range;      ///< The same in place of `batches`; only when that was asked for.
  Offset next_offset;   ///< Where to read on.
  Offset high_watermark;
  Offset last_stable;
  Offset log_start;
  /// Under kReadCommitted: transactions that were aborted in the range read.
  std::vector<log::AbortedTransaction> aborted;
};

/// Counters of one topic, which its partitions hold together.
struct TopicMetrics {
  std::shared_ptr<flow::Metric> records_in, bytes_in, bytes_out;
};
using TopicMetricsRef = std::shared_ptr<const TopicMetrics>;

/// Thread-safe. Lives as long as somebody holds it; once its topic is deleted everything answers kNotFound.
class Partition : public std::enable_shared_from_this<Partition> {
 public:
  /// `disk_space`: what clients' records need room in; null for the broker's own topics, which use the reserve.
  Partition(TopicPartition tp, std::unique_ptr<log::PartitionLog> log, const TopicConfig& config, LeaderEpoch epoch,
            Flusher& flusher, os::Clock& clock, TopicMetricsRef metrics, DiskSpace* disk_space);
  ~Partition();

  const TopicPartition& tp() const { return tp_; }
  /// What batches that come now carry (leader_epochs.h).
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  /// Before anybody else has it.
  void begin_leader_epoch(LeaderEpoch epoch) { leader_epoch_ = epoch; }

  /// Appends `batches` (parsed, so their CRCs hold) and calls `done` once, when they are as durable as the topic wants:
  /// from a flusher thread after the fdatasync that covers them, or inside this call on an error and under flush=os.
  /// Batches are re-encoded where compression.type says so.
  /// kTooLarge: a batch over max.message.bytes. kOutOfRange: a timestamp outside the topic's bounds. kInvalidArgument:
  /// control batches, no batches. kOutOfSpace: the disk is nearly full, try later. kFenced, kOutOfOrder, kUnavailable,
  /// kIo: see PartitionLog::append. Transactional batches must come through TransactionCoordinator::produce, which
  /// checks that their transaction is open.
  void produce(std::span<const record::Batch> batches, ProducedCallback done);
  /// For the broker's own control batches, which are on the disk when `done` is called whatever the topic wants: the
  /// coordinator then says for good that the transaction has ended.
  void append_marker(const record::Batch& marker, ProducedCallback done);

  /// Reads whole batches from `offset`: see PartitionLog::read. Never returns anything at or above the high watermark
  /// (kReadUncommitted) or the last stable offset (kReadCommitted).
  Result<FetchedData> read(Offset offset, log::ReadLimits limits, bus::Isolation isolation);
  Result<FetchedData> read(Offset offset, size_t bytes_max, bus::Isolation isolation) {
    return read(offset, log::ReadLimits{.memory_max = bytes_max}, isolation);
  }

  /// Counts for `waiter` what becomes readable from now on. `seen_end` is the readable end that the caller has read up
  /// to or judged (FetchedData's high_watermark or last_stable): the waiter fires at once when that is history already.
  void add_waiter(std::shared_ptr<DataWaiter> waiter, Offset seen_end, bus::Isolation isolation);

  Offset log_start() const { return log_->log_start_offset(); }
  Offset high_watermark() const { return log_->high_watermark(); }
  Offset last_stable() const { return log_->last_stable_offset(); }
  /// The end that a consumer of this isolation sees.
  Offset readable_end(bus::Isolation isolation) const {
    return isolation == bus::Isolation::kReadCommitted ? last_stable() : high_watermark();
  }
  /// The position for a query; kTimestamp: the first record at or after the time, with its own timestamp, or the high
  /// watermark with timestamp -1.
  Result<log::TimestampOffset> offset_for(bus::OffsetQuery query, bus::Isolation isolation);
  /// For stats, DeleteRecords, DescribeProducers; append and flush are the partition's own.
  log::PartitionLog& log() { return *log_; }
  const log::PartitionLog& log() const { return *log_; }

  void set_config(const TopicConfig& config);
  TopicConfig config() const;
  bool deleted() const { return deleted_.load(std::memory_order_acquire); }

  /// Removes what retention no longer covers and gives back idle resources; segments removed. Blocks for the disk.
  int64_t apply_retention();
  /// See PartitionLog. kNotFound, kClosed: the partition goes away, which also ends a compaction that runs.
  Result<log::CompactionBacklog> compaction_backlog();
  Result<log::CompactionReport> compact(log::CompactionOptions options);
  /// Removes the oldest segment to make room; its bytes, 0 when there is none to remove. Blocks for the disk.
  int64_t drop_oldest_segment();
  /// Gives back room that was preallocated.
  void give_back_room();
  /// Under flush=interval or os: whether the time for the next flush has come, which begins anew then. One thread.
  bool lazy_flush_due(std::chrono::nanoseconds now);
  /// flush() of the log, then acknowledgements and waiters. False: files could not be opened, everybody goes on
  /// waiting, and it is to be done again. The flusher's, one thread at a time; blocks for the disk.
  bool flush_now();
  /// Clients' records are refused with `why` from now on.
  void refuse_records(Error why);
  /// Answers everybody who waits with kNotFound (deleted) or kClosed, then destroys or closes the log.
  Status shut_down(bool destroy);

 private:
  friend class Flusher;
  struct PendingAck {
    Offset end;
    int64_t bytes;
    bool on_disk;  ///< Not answered before, even where others are.
    Produced produced;
    ProducedCallback done;
  };
  struct Waiting {
    std::shared_ptr<DataWaiter> waiter;
    bus::Isolation isolation;
  };

  Status check(std::span<const record::Batch> batches, const TopicConfig& config,
               std::vector<record::Batch>& restamped) const;
  Status check_sizes(std::span<const record::Batch> batches, const TopicConfig& config) const;
  void append(std::span<const record::Batch> batches, bool on_disk, ProducedCallback done);
  void count(std::span<const record::Batch> batches);
  bool count_unflushed(std::span<const record::Batch> batches, int64_t bytes);
  /// Has the log do as config_ says; with append_mutex_ held. The errors of flush().
  Status take_up_config();
  /// Acknowledges everything below `durable` and, unless it has to be on the disk, below `visible`, in order; fails
  /// everything else when `failure` says so. Then wakes readers.
  void acknowledge(Offset durable, Offset visible, const std::optional<Error>& failure);
  void wake_readers(int64_t bytes);
  void fire_all_waiters();
  Error gone() const;

  const TopicPartition tp_;
  LeaderEpoch leader_epoch_;
  const std::unique_ptr<log::PartitionLog> log_;
  Flusher& flusher_;
  os::Clock& clock_;
  const TopicMetricsRef metrics_;
  DiskSpace* const disk_space_;
  std::atomic<bool> deleted_{false};
  std::atomic<bool> closed_{false};

  /// Shared by whoever uses the log, exclusive to close it. Taken first.
  mutable std::shared_mutex life_mutex_;
  mutable std::mutex append_mutex_;  ///< Appends in order; taken before wait_mutex_.
  TopicConfig config_;
  std::atomic<bool> flush_policy_due_{false};  ///< The log's is not config_'s yet.
  std::optional<Error> refusal_;               ///< Of clients' records.
  /// Of a topic that is not flushed before it is acknowledged; append_mutex_ guards it.
  int64_t unflushed_records_ = 0;
  int64_t unflushed_bytes_ = 0;

  std::mutex wait_mutex_;
  std::deque<PendingAck> pending_;
  std::vector<Waiting> waiting_;
  size_t prune_waiting_at_ = 16;
  Offset seen_high_watermark_;  ///< When readers were last woken.
  Offset seen_last_stable_;

  std::chrono::nanoseconds lazy_flush_at_{0};  ///< The maintenance thread's.
  bool flush_delayed_ = false;                 ///< The flusher's.
  FlushTurn flush_turn_;
};

}  // namespace headrace::broker
