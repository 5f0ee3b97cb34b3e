#include "broker/disk_space.h"

#include <algorithm>
#include <limits>

#include "base/logging.h"
#include "base/units.h"

namespace headrace::broker {
namespace {

/// What may be written between two looks is at most this, and a part of the room above the reserve: other programs
/// write to the disk too.
constexpr int64_t kBudgetBytesMax = 64 << 20;
constexpr int64_t kBudgetShare = 4;
/// Refusing ends when this part of the reserve is free beside it.
constexpr int64_t kResumeShare = 8;
/// And commits are refused when less than this part of the reserve is left.
constexpr int64_t kScarceShare = 4;

int64_t clamp_bytes(uint64_t bytes) {
  return static_cast<int64_t>(std::min<uint64_t>(bytes, std::numeric_limits<int64_t>::max()));
}

}  // namespace

DiskSpace::DiskSpace(os::FileSystem& files, std::string directory, std::optional<int64_t> reserve_bytes,
                     flow::MetricsRegistry& metrics)
    : files_(files),
      directory_(std::move(directory)),
      wanted_reserve_(reserve_bytes),
      metrics_(metrics),
      free_gauge_(metrics.gauge("headrace_disk_free_bytes", {}, "Free bytes of the data directory's file system.")),
      reserve_gauge_(metrics.gauge("headrace_disk_reserve_bytes", {},
                                   "Free bytes below which clients' records are refused (disk_reserve).")),
      refusing_gauge_(metrics.gauge("headrace_disk_refusing", {},
                                    "1 while clients' records are refused because the disk is nearly full, else 0.")),
      refused_(metrics.counter("headrace_disk_refused_total", {},
                               "Appends of clients that were refused because the disk is nearly full.")),
      dropped_(metrics.counter("headrace_disk_dropped_bytes_total", {},
                               "Bytes of records that on_disk_pressure=drop_oldest deleted to make room.")) {}

int64_t DiskSpace::reserve_of(const os::SpaceInfo& space) const {
  if (wanted_reserve_) return *wanted_reserve_;
  return std::min(kDiskReserveBytesDefault, clamp_bytes(space.total_bytes) / kDiskReserveShare);
}

Status DiskSpace::admit(int64_t bytes) {
  if (budget_.fetch_sub(bytes, std::memory_order_relaxed) > bytes) return {};
  std::lock_guard lock(mutex_);
  look_held(bytes);
  if (!refusing()) {
    budget_.fetch_sub(bytes, std::memory_order_relaxed);
    return {};
  }
  refused_.add();
  return Error{ErrorCode::kOutOfSpace,
               "the disk of " + directory_ + " is nearly full: " + format_size(std::max<int64_t>(free_bytes(), 0)) +
                   " free, of which " + format_size(reserve_bytes()) +
                   " are kept back (disk_reserve); delete records or topics, or enlarge the disk"};
}

void DiskSpace::look() {
  std::lock_guard lock(mutex_);
  look_held(0);
}

void DiskSpace::look_held(int64_t wanted_bytes) {
  auto space = files_.space(directory_);
  if (!space.ok()) {
    log_warn("{}", space.error().message);
    budget_.store(kBudgetBytesMax, std::memory_order_relaxed);  // The appends themselves find out.
    return;
  }
  int64_t reserve = reserve_of(*space), free = clamp_bytes(space->free_bytes);
  bool was = refusing();
  int64_t room = free - reserve;
  bool now = was ? free < resume_at_ : room < wanted_bytes || room < 0;
  if (now && !was) resume_at_ = reserve + std::max(reserve / kResumeShare, wanted_bytes);
  reserve_bytes_ = reserve;
  free_bytes_ = free;
  refusing_ = now;
  low_ = reserve > 0 && free / 2 < reserve;
  bool scarce = free < reserve / kScarceShare;
  if (scarce_.exchange(scarce) != scarce) {
    log_error("the disk of {} has {} left: commits and new transactions are {}", directory_, format_size(free),
              scarce ? "refused" : "taken again");
  }
  budget_ = now ? 0 : std::min(kBudgetBytesMax, room / kBudgetShare);
  free_gauge_.set(free);
  reserve_gauge_.set(reserve);
  refusing_gauge_.set(now ? 1 : 0);
  if (now == was) return;
  std::string text = format_size(free) + " free, " + format_size(reserve) + " kept back";
  if (now) {
    log_error("the disk of {} is nearly full ({}): records are refused until there is room; reading and deleting go on",
              directory_, text);
  } else {
    log_info("the disk of {} has room again ({}): records are taken", directory_, text);
  }
  metrics_.set_state("disk", now ? "refusing" : "running",
                     now ? text + ": delete records or topics, or enlarge the disk" : text);
}

}  // namespace headrace::broker
