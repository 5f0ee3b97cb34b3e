#include "broker/compactor.h"

#include <algorithm>
#include <random>

#include "base/logging.h"

namespace headrace::broker {
namespace {

/// Waits shorter than this are put together.
constexpr std::chrono::milliseconds kPauseMin{10};
/// The longest pause, so that a partition that is being closed does not wait for it.
constexpr std::chrono::milliseconds kPauseMax{100};

uint64_t random_seed() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

}  // namespace

Compactor::Compactor(const CompactorOptions& options, os::Clock& clock, flow::MetricsRegistry& metrics,
                     DiskSpace& disk_space, Partitions partitions)
    : options_(options),
      clock_(clock),
      disk_space_(disk_space),
      partitions_(std::move(partitions)),
      bytes_read_(
          metrics.counter("headrace_compaction_bytes_total", {}, "Bytes of batches that compaction went over.")),
      bytes_reclaimed_(metrics.counter("headrace_compaction_reclaimed_bytes_total", {},
                                       "Bytes of batches that compaction took away.")),
      compactions_(metrics.counter("headrace_compactions_total", {}, "Compactions of a partition.")),
      dirty_bytes_(metrics.gauge("headrace_compaction_dirty_bytes", {},
                                 "Bytes that could be compacted and were not yet, as of the last round.")),
      last_run_ms_(metrics.gauge("headrace_compaction_last_run_timestamp_ms", {},
                                 "When compaction last looked for work, in ms since 1970.")),
      uncleanable_count_(metrics.gauge("headrace_compaction_uncleanable_partitions", {},
                                       "Partitions that can't be compacted until the next start.")),
      random_(options.seed ? *options.seed : random_seed()) {}

void Compactor::start_thread() {
  thread_ = std::thread([this] { run(); });
}

void Compactor::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Compactor::stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

void Compactor::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, options_.interval, [&] { return stopping_; })) return;
    }
    run_round();
  }
}

int64_t Compactor::run_round() {
  std::lock_guard round(round_mutex_);
  std::erase_if(uncleanable_, [](const auto& item) { return item.second.expired(); });
  int64_t done = 0;
  for (const Due& due : find_due()) {
    if (stopping()) break;
    if (compact(*due.partition)) ++done;
  }
  uncleanable_count_.set(static_cast<int64_t>(uncleanable_.size()));
  last_run_ms_.set(clock_.wall_ms());
  return done;
}

std::vector<Compactor::Due> Compactor::find_due() {
  std::vector<Due> due;
  int64_t dirty_bytes = 0;
  for (auto& partition : partitions_()) {
    TopicConfig config = partition->config();
    if (!config.log.compact_enabled || uncleanable_.contains(partition.get())) continue;
    auto backlog = partition->compaction_backlog();
    if (!backlog.ok()) {
      note_failure(partition, backlog.error());
      continue;
    }
    dirty_bytes += backlog->dirty_bytes;
    bool dirty = backlog->dirty_bytes > 0 && backlog->dirty_ratio() >= config.min_cleanable_dirty_ratio;
    if (dirty || backlog->overdue) due.push_back({std::move(partition), *backlog});
  }
  dirty_bytes_.set(dirty_bytes);
  std::sort(due.begin(), due.end(), [](const Due& a, const Due& b) {
    return std::pair(a.backlog.overdue, a.backlog.dirty_ratio()) >
           std::pair(b.backlog.overdue, b.backlog.dirty_ratio());
  });
  return due;
}

/// What compaction leaves free: what it writes before it takes something away must not have records refused, nor
/// deleted. Where clients are refused already it may be what helps, and takes no more than half of the reserve.
int64_t Compactor::free_bytes_min() {
  disk_space_.look();
  int64_t reserve = disk_space_.reserve_bytes();
  if (disk_space_.refusing()) return reserve / 2;
  return disk_space_.low() ? reserve : 2 * reserve;
}

bool Compactor::compact(Partition& partition) {
  auto room = [this, free_min = free_bytes_min()](int64_t bytes) {
    disk_space_.look();
    return disk_space_.free_bytes() - bytes >= free_min;
  };
  log::CompactionOptions options{.offset_map_bytes_max = options_.offset_map_bytes_max,
                                 .seed = random_.next(),
                                 .pace = [this](int64_t bytes) { return pace(bytes); },
                                 .room = std::move(room)};
  auto report = partition.compact(std::move(options));
  if (!report.ok()) {
    note_failure(partition.shared_from_this(), report.error());
    return false;
  }
  compactions_.add();
  bytes_read_.add(report->bytes_before);
  bytes_reclaimed_.add(report->bytes_before - report->bytes_after);
  if (report->segments_written > 0) {
    log_info("compacted {} up to offset {}: {} of {} bytes left, {} segments in the place of {}",
             to_string(partition.tp()), report->compacted_to.value, report->bytes_after, report->bytes_before,
             report->segments_written, report->segments_replaced);
  }
  return true;
}

void Compactor::note_failure(const std::shared_ptr<Partition>& partition, const Error& error) {
  if (error.code == ErrorCode::kClosed || error.code == ErrorCode::kNotFound) return;  // It is going away.
  log_warn("compacting {}: {}", to_string(partition->tp()), error.message);
  bool passes = error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kOutOfSpace;
  if (!passes) uncleanable_[partition.get()] = partition;
}

bool Compactor::pace(int64_t bytes) {
  if (options_.bytes_per_second_max > 0) {
    auto now = std::chrono::steady_clock::now();
    auto cost = std::chrono::nanoseconds(bytes * 1'000'000'000 / options_.bytes_per_second_max);
    paid_until_ = std::max(paid_until_, now) + cost;
    auto ahead = std::min<std::chrono::nanoseconds>(paid_until_ - now, kPauseMax);
    if (ahead >= kPauseMin) {
      std::unique_lock lock(mutex_);
      return !wake_.wait_for(lock, ahead, [&] { return stopping_; });
    }
  }
  return !stopping();
}

}  // namespace headrace::broker
