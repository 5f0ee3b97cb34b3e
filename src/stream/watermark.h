// Event-time progress of one pipeline: how far every partition of the source has come, and from that the time before
// which nothing more is expected.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "base/ids.h"

namespace headrace::stream {

/// Event times and watermarks are milliseconds since 1970, as everywhere in a plan.
inline constexpr int64_t kNoEventTime = std::numeric_limits<int64_t>::min();

struct WatermarkOptions {
  std::chrono::milliseconds delay{0};             ///< How much later than the newest event a record may still come.
  std::chrono::milliseconds idle_timeout{30000};  ///< Silence after which a partition is no longer waited for.
};

/// The watermark of a pipeline:
/// - of a partition: its highest event time minus `delay`;
/// - of the pipeline: the lowest of its active partitions' watermarks; it never goes back;
/// - a partition is active from when it is added until `idle_timeout` passed without a record while it was read to its
///   end, and again from its next record on;
/// - when every partition is idle the source is silent, and wall_bound() tells up to where the wall clock closes
///   windows instead.
/// Wall time during silence is the wall clock at the last sign of life plus monotonic time since, so a clock that
/// jumps while nothing comes closes nothing. One thread.
class WatermarkTracker {
 public:
  explicit WatermarkTracker(WatermarkOptions options) : options_(options) {}

  using Monotonic = std::chrono::nanoseconds;

  /// Starts to wait for `partition`; one that is known keeps its event time.
  void add_partition(PartitionId partition, Monotonic now, int64_t wall_ms);
  /// Records of `partition` were read, the newest at `max_event_time_ms` (kNoEventTime: none of them had a time).
  void observe(PartitionId partition, int64_t max_event_time_ms, Monotonic now, int64_t wall_ms);

  /// Active partitions that were silent for `idle_timeout`: whoever owns the tracker makes sure that they were read to
  /// their end and then calls set_idle(), or keep_active() where records wait to be read.
  std::vector<PartitionId> idle_candidates(Monotonic now) const;
  void set_idle(PartitionId partition);
  void keep_active(PartitionId partition, Monotonic now);

  /// True when every partition is idle.
  bool silent() const;
  /// The end of the latest window that the wall clock closes: a window closes when its end plus `delay` plus
  /// `idle_timeout` has passed. kNoEventTime while the source is not silent.
  int64_t wall_bound_ms(Monotonic now) const;

  /// The pipeline's watermark; kNoEventTime until every active partition has had an event.
  int64_t watermark_ms() const { return watermark_ms_; }
  /// Recomputes the watermark from the partitions; true when it moved.
  bool advance();
  /// Raises the watermark to `ms` (a window was closed on the wall clock, or state was restored).
  void raise(int64_t ms);

  /// The highest event time by partition, for the changelog.
  std::map<PartitionId, int64_t> event_times() const;
  void restore(PartitionId partition, int64_t max_event_time_ms);
  /// Forgets everything, as after construction.
  void reset();

 private:
  struct Partition {
    int64_t max_event_time_ms = kNoEventTime;
    Monotonic last_record{0};
    bool idle = false;
    bool assigned = false;
  };

  WatermarkOptions options_;
  std::map<PartitionId, Partition> partitions_;
  int64_t watermark_ms_ = kNoEventTime;
  Monotonic anchor_{0};
  int64_t anchor_wall_ms_ = 0;
};

}  // namespace headrace::stream
