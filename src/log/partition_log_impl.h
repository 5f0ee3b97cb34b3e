// The one implementation of PartitionLog. Its functions are grouped in files by what they are for: partition_log.cc
// (append, read), flush.cc, recovery.cc, lookup.cc, retention.cc, compaction.cc.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <span>

#include "log/checkpoint_file.h"
#include "log/partition_log.h"
#include "log/producer_state.h"
#include "log/segment.h"

namespace headrace::log {

/// Inactive segments that keep their file open and their indexes in memory after a read.
inline constexpr size_t kLoadedSegmentsMax = 4;
/// Room for one segment's positions, which indexes hold in 32 bits.
inline constexpr uint64_t kSegmentBytesMax = INT32_MAX;

class PartitionLogImpl final : public PartitionLog {
 public:
  PartitionLogImpl(os::FileSystem& files, os::Clock& clock, std::string directory, const LogConfig& config,
                   std::shared_ptr<LogResources> resources);
  ~PartitionLogImpl() override;
  /// Reads what the directory holds and makes it fit to serve. Once, before anything else.
  Status recover();

  Result<AppendResult> append(std::span<const record::Batch> batches, LeaderEpoch epoch) override;
  Status flush() override;
  Result<ReadResult> read(Offset offset, ReadLimits limits, Offset upper) override;
  using PartitionLog::read;
  Offset log_start_offset() const override;
  Offset log_end_offset() const override;
  Offset durable_end() const override;
  Offset high_watermark() const override;
  Offset last_stable_offset() const override;
  int64_t size_bytes() const override;
  LeaderEpoch latest_epoch() const override;
  LogStats stats() const override;
  Result<std::optional<TimestampOffset>> offset_for_timestamp(int64_t timestamp_ms) override;
  Result<std::optional<TimestampOffset>> max_timestamp() override;
  Result<std::vector<AbortedTransaction>> aborted_transactions(Offset from, Offset to) override;
  std::optional<ProducerInfo> producer(ProducerId id) const override;
  std::vector<ProducerInfo> producers() const override;
  std::vector<DamagedRange> damaged_ranges() const override;
  std::optional<Error> out_of_service() const override;
  Result<int64_t> delete_old_segments() override;
  Result<CompactionBacklog> compaction_backlog() override;
  Result<CompactionReport> compact(CompactionOptions options) override;
  uint64_t replacements() const override { return replacements_; }
  Result<int64_t> drop_oldest_segment() override;
  Result<Offset> delete_records(Offset before) override;
  void set_config(const LogConfig& config) override;
  LogConfig config() const override;
  Status checkpoint() override;
  Status give_back_room() override;
  void release_idle_resources() override;
  Status close() override;
  Status destroy() override;

 private:
  using SegmentPtr = std::shared_ptr<Segment>;
  using Segments = std::map<Offset, SegmentPtr>;

  // A segment that was rolled, and the producers as they were then: flush() makes both durable.
  struct Rolled {
    SegmentPtr segment;
    Bytes snapshot;  // Empty: it is there.
    Offset end;
  };
  // What one flush covers, taken under the mutex.
  struct FlushPass {
    Offset target;
    std::vector<Rolled> rolled;
    SegmentPtr active;
    uint64_t position = 0;
    bool sync_directory = false;
    bool sync_parent = false;
    bool checkpoint = false;
    bool checkpoint_synced = true;
    int64_t bytes_since_checkpoint = 0;  // As they were before it.
    bool no_producers = false;
    int32_t leader_epoch = 0;
    Bytes snapshot;
    std::optional<Segment::IndexImage> image;
  };
  // What append() is about to write, in buffers that are used again.
  struct Staging {
    std::vector<record::BatchHeader> headers;
    std::vector<std::optional<record::TransactionMarker>> markers;
    std::vector<std::array<uint8_t, record::kBatchHeaderBytes>> front;
    std::vector<BytesView> parts;
    uint64_t bytes = 0;
  };

  // Appending; these want mutex_.
  Status writable() const;
  Status stage(std::span<const record::Batch> batches, LeaderEpoch epoch);
  Result<std::optional<AppendResult>> find_duplicates() const;
  AppendResult duplicate_of(const ProducerBatch& first, const ProducerBatch& last) const;
  void stage_bytes(std::span<const record::Batch> batches, int64_t append_time_ms);
  bool must_roll(int64_t now_ms) const;
  SegmentPtr make_segment(Offset base) const;
  Status roll(int64_t now_ms);
  void take_over();
  /// By the monotonic clock, which tells nothing of the time before a start: producers are forgotten by it.
  int64_t uptime_ms() const;
  Error fail(const Error& error);
  void tell_health();
  std::vector<DamagedRange> damaged_in_reach() const;
  void mark_closed();
  bool is_closed() const;
  Offset high_watermark_held() const;
  const SegmentPtr& active() const { return segments_.rbegin()->second; }

  // Reading.
  Error outside(Offset offset) const;
  std::optional<Error> damage_at(Offset offset) const;
  void note_read(const SegmentPtr& segment);
  bool was_removed(const SegmentPtr& segment) const;
  Error take_out_of_service(const Segment& segment, const SegmentRead& found);

  // Flushing; these want flush_mutex_.
  /// When to write a checkpoint. An unsynced one is right after a clean stop, and found wanting after a power loss: the
  /// next start checks the indexes that it counts on, and scans where they are not there.
  enum class Checkpointing { kWhenDue, kNow, kUnsynced };
  Status flush_held(Checkpointing checkpointing);
  bool checkpoint_is_current() const;
  std::optional<FlushPass> begin_pass(Checkpointing checkpointing);
  void take_back(FlushPass pass);
  Status sync_pass(const FlushPass& pass);
  Status finish_rolled(Rolled& rolled);
  Status finish_snapshot(Rolled& rolled);
  Status finish_snapshots();
  Status finish_unfinished();
  bool begins_segment(Offset offset) const;
  Status write_checkpoint(const FlushPass& pass);
  std::string snapshot_path(Offset offset) const;

  friend class Recovery;

  // Compaction.
  friend class Compaction;
  // Segments that may be compacted, and how much of that is to be done.
  struct CompactionScope {
    std::vector<SegmentPtr> segments;
    CompactionBacklog backlog;
  };
  Result<CompactionScope> compaction_scope();
  Status leave_out_young(CompactionScope& scope, const LogConfig& config);
  Status judge_age(CompactionScope& scope, const LogConfig& config);
  Status note_compacted(Offset to);
  Error stop_compacting(const Error& error);
  Error damaged_source(const Segment& segment, uint64_t position) const;

  // Retention and lookup.
  Result<int64_t> detach_old_segments();
  Result<int64_t> detach_oldest_segment();
  Result<Offset> detach_records(Offset before);
  using SizedSegment = std::pair<SegmentPtr, uint64_t>;
  static Result<int64_t> newest_time(std::span<const SizedSegment> segments);
  Result<int64_t> move_start(Offset keep_from);
  Status prepare_detaching();
  std::vector<SegmentPtr> detach_before(Offset offset);
  SegmentPtr next_detached() const;
  Status remove_detached();
  struct TimestampSearch {
    std::optional<TimestampOffset> found;
    bool stale = false;
  };
  Result<TimestampSearch> search_timestamp(int64_t timestamp_ms);
  /// `in_vain` counts the batches of this search that were opened and had nothing.
  Result<std::optional<TimestampOffset>> find_in_segment(Segment& segment, int64_t timestamp_ms, Offset start,
                                                         uint64_t limit, int& in_vain);
  struct TimedSegment {
    SegmentPtr segment;
    uint64_t limit;  ///< Bytes of it that are batches.
    int64_t latest_ms;
    bool may_be_released;  ///< Its indexes, when others are read.
  };
  struct LatestTimes {
    std::vector<TimedSegment> segments;
    Offset start, watermark;  ///< What can be read.
    bool stale = false;       ///< A segment went away amid it.
  };
  Result<LatestTimes> latest_times();
  Result<TimestampSearch> search_latest();
  Result<std::optional<TimestampOffset>> find_latest(const TimedSegment& in, Offset start, Offset watermark,
                                                     int64_t than_ms, int& in_vain);

  os::FileSystem& files_;
  os::Clock& clock_;
  const std::string directory_;
  const std::shared_ptr<LogResources> resources_;  // Outlives the segments.

  std::mutex compaction_mutex_;  // Taken before flush_mutex_. One compaction at a time.
  std::atomic<uint64_t> replacements_{0};
  std::mutex removal_mutex_;       // Taken before flush_mutex_. Held while files of detached segments are removed.
  bool removal_unsynced_ = false;  // Under removal_mutex_.
  std::mutex flush_mutex_;  // Taken before mutex_. Guards the checkpoint file and what is written beside the log.
  std::unique_ptr<CheckpointFile> checkpoint_file_;
  Checkpoint checkpoint_;
  bool checkpoint_synced_ = false;  // As the file has it now; not known after a start.
  std::vector<Rolled> unfinished_;  // Whose indexes could not be written. Under flush_mutex_, as these.
  Offset promised_start_{0};        // The log never starts below, whatever the crash.

  mutable std::mutex mutex_;
  LogConfig config_;
  Segments segments_;  // By base offset; the last one is active.
  ProducerStates producers_;
  Offset log_start_{0};
  Offset log_end_{0};
  Offset durable_end_{0};
  LeaderEpoch latest_epoch_{0};
  std::optional<Error> failure_;
  std::atomic<bool> failed_{false};  // Whether there is one, for those who must not wait for the mutex.
  std::optional<Error> compaction_failure_;
  Offset cleaned_to_{0};  // Compaction has dealt with what is below.
  bool closed_ = false;
  bool has_gaps_ = false;
  bool directory_dirty_ = false;
  bool parent_dirty_ = false;
  std::vector<Rolled> rolled_;
  std::vector<DamagedRange> damaged_;
  size_t ranges_told_ = 0;           ///< Of them, what the listener knows.
  std::deque<SegmentPtr> detached_;  // Out of the log; their files go oldest first.
  std::vector<SegmentPtr> loaded_;   // Inactive segments read lately, latest last.
  int64_t bytes_since_checkpoint_ = 0;
  Staging staging_;
  LogStats stats_;
};

}  // namespace headrace::log
