// Compacts partitions whose topics want it, on a thread of its own (Kafka's log cleaner): the one with the largest
// dirty share first, at a bounded rate and in bounded memory.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/function.h"
#include "broker/disk_space.h"
#include "broker/partition.h"
#include "flow/metrics.h"
#include "os/random.h"

namespace headrace::broker {

struct CompactorOptions {
  std::chrono::milliseconds interval{15000};  ///< Between two rounds (log.cleaner.backoff.ms).
  size_t offset_map_bytes_max = 32 << 20;     ///< log.cleaner.dedupe.buffer.size; allocated as it is needed.
  int64_t bytes_per_second_max = 64 << 20;    ///< Read and written (log.cleaner.io.max.bytes.per.second); 0: no limit.
  std::optional<uint64_t> seed = std::nullopt;  ///< Of the hashes of keys; by default one that nobody can know.
};

class Compactor {
 public:
  /// Gives the partitions there are.
  using Partitions = Function<std::vector<std::shared_ptr<Partition>>()>;

  Compactor(const CompactorOptions& options, os::Clock& clock, flow::MetricsRegistry& metrics, DiskSpace& disk_space,
            Partitions partitions);
  ~Compactor() { stop(); }

  /// Does a round every `interval` until stop().
  void start_thread();
  /// Ends the thread; a compaction that runs stops soon and leaves its log whole.
  void stop();
  /// Compacts every partition whose dirty share reaches min.cleanable.dirty.ratio or whose records waited longer than
  /// max.compaction.lag.ms; how many were compacted. One round at a time.
  int64_t run_round();

 private:
  struct Due {
    std::shared_ptr<Partition> partition;
    log::CompactionBacklog backlog;
  };
  void run();
  std::vector<Due> find_due();
  bool compact(Partition& partition);
  int64_t free_bytes_min();
  /// Waits as the rate wants; false when it is time to stop.
  bool pace(int64_t bytes);
  void note_failure(const std::shared_ptr<Partition>& partition, const Error& error);
  bool stopping();

  const CompactorOptions options_;
  os::Clock& clock_;
  DiskSpace& disk_space_;
  Partitions partitions_;
  flow::Metric& bytes_read_;
  flow::Metric& bytes_reclaimed_;
  flow::Metric& compactions_;
  flow::Metric& dirty_bytes_;
  flow::Metric& last_run_ms_;
  flow::Metric& uncleanable_count_;

  std::mutex round_mutex_;
  os::Random random_;  ///< Under round_mutex_.
  /// Partitions that can't be compacted until the next start: a damaged segment, a disk that fails.
  std::map<const Partition*, std::weak_ptr<Partition>> uncleanable_;
  std::chrono::steady_clock::time_point paid_until_;  ///< When what was read and written so far is paid for.

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace headrace::broker
