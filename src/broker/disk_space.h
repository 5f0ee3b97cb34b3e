// The reserve of disk space: clients' records are refused while less than it is free, so that what must go on (offset
// commits, transaction markers, metadata, indexes, checkpoints, deletion) still finds room. The last quarter of it is
// not for commits and new transactions of clients, either: they could fill any disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "flow/metrics.h"
#include "os/file.h"

namespace headrace::broker {

/// disk_reserve when it is not set: this much, but no more than a kDiskReserveShare-th part of the file system.
inline constexpr int64_t kDiskReserveBytesDefault = 256 << 20;
inline constexpr int64_t kDiskReserveShare = 20;

/// Thread-safe. admit() costs an atomic subtraction while there is room, and a statvfs now and then.
class DiskSpace {
 public:
  /// `reserve_bytes`: 0 keeps none, nothing is the default. `files` and `metrics` outlive this.
  DiskSpace(os::FileSystem& files, std::string directory, std::optional<int64_t> reserve_bytes,
            flow::MetricsRegistry& metrics);

  /// Whether `bytes` of clients' records may be written. kOutOfSpace: they would come out of the reserve; it passes as
  /// soon as there is room again.
  Status admit(int64_t bytes);
  /// Looks at the disk, and says in the log when refusing begins and ends.
  void look();

  /// Whether clients are refused. It ends when an eighth of the reserve (and the batch that did not fit) is free beside
  /// the reserve, so that it does not flap.
  bool refusing() const { return refusing_.load(std::memory_order_relaxed); }
  /// Whether less than twice the reserve is free: no room is preallocated, and topics with on_disk_pressure=drop_oldest
  /// give back their oldest segments until this ends.
  bool low() const { return low_.load(std::memory_order_relaxed); }
  /// Whether less than a quarter of the reserve is free: commits and new transactions are refused, too.
  bool scarce() const { return scarce_.load(std::memory_order_relaxed); }
  int64_t reserve_bytes() const { return reserve_bytes_.load(std::memory_order_relaxed); }
  /// As last seen.
  int64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }
  void count_dropped(int64_t bytes) { dropped_.add(bytes); }

 private:
  void look_held(int64_t wanted_bytes);
  int64_t reserve_of(const os::SpaceInfo& space) const;

  os::FileSystem& files_;
  const std::string directory_;
  const std::optional<int64_t> wanted_reserve_;
  flow::MetricsRegistry& metrics_;
  flow::Metric& free_gauge_;
  flow::Metric& reserve_gauge_;
  flow::Metric& refusing_gauge_;
  flow::Metric& refused_;
  flow::Metric& dropped_;

  std::mutex mutex_;                // One look at a time.
  int64_t resume_at_ = 0;           ///< Free bytes at which refusing ends.
  std::atomic<int64_t> budget_{0};  ///< Bytes that may be admitted before the next look.
  std::atomic<int64_t> reserve_bytes_{0};
  std::atomic<int64_t> free_bytes_{0};
  std::atomic<bool> refusing_{false};
  std::atomic<bool> low_{false};
  std::atomic<bool> scarce_{false};
};

}  // namespace headrace::broker
