// Getting old records out of the log.
#include <algorithm>

#include "base/logging.h"
#include "log/partition_log_impl.h"

namespace headrace::log {

Result<int64_t> PartitionLogImpl::delete_old_segments() {
  auto detached = detach_old_segments();
  Status removed = remove_detached();
  if (detached.ok() && !removed.ok()) return removed.error();
  return detached;
}

Result<int64_t> PartitionLogImpl::detach_old_segments() {
  std::lock_guard flushing(flush_mutex_);
  std::vector<SizedSegment> all;
  LogConfig config;
  Offset watermark, log_start;
  {
    std::lock_guard lock(mutex_);
    producers_.expire(uptime_ms() - config_.producer_id_expiration_ms);
    config = config_;
    watermark = high_watermark_held();
    log_start = log_start_;
    for (const auto& [base, segment] : segments_) all.emplace_back(segment, segment->size());
  }
  int64_t now_ms = clock_.wall_ms();
  int64_t bytes = 0;
  for (const auto& [segment, size] : all) bytes += static_cast<int64_t>(size);

  Offset keep_from = all.front().first->base();
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& [segment, size] = all[i];
    bool last = i + 1 == all.size();
    Offset end = last ? log_end_offset() : all[i + 1].first->base();
    if (end > watermark || (last && size == 0)) break;
    bool inside_start = end <= log_start;
    ASSIGN_OR_RETURN(int64_t newest_ms, newest_time(std::span<const SizedSegment>(all).subspan(i)));
    bool too_old =
        config.delete_enabled && config.retention_ms >= 0 && newest_ms >= 0 && now_ms - newest_ms > config.retention_ms;
    bool too_much = config.delete_enabled && !last && config.retention_bytes >= 0 &&
                    bytes - static_cast<int64_t>(size) >= config.retention_bytes;
    bool emptied = config.delete_enabled && size == 0;  // By compaction.
    if (!inside_start && !too_old && !too_much && !emptied) break;
    bytes -= static_cast<int64_t>(size);
    keep_from = end;
  }
  if (keep_from == all.front().first->base()) return int64_t{0};

  return move_start(keep_from);
}

/// When the first of the segments was written to last, -1 where nobody knows. Records without a time are as old as
/// their segment, or as this process's knowledge of it; those whose time the disk doesn't give are no younger than the
/// next. kUnavailable: descriptors or memory have run out.
Result<int64_t> PartitionLogImpl::newest_time(std::span<const SizedSegment> segments) {
  for (const auto& [segment, size] : segments) {
    auto latest = segment->max_timestamp();
    if (!latest.ok() && latest.error().code == ErrorCode::kUnavailable) return latest.error();
    if (latest.ok()) return latest->timestamp_ms >= 0 ? latest->timestamp_ms : segment->created_ms();
  }
  return -1;
}

Result<int64_t> PartitionLogImpl::drop_oldest_segment() {
  auto bytes = detach_oldest_segment();
  Status removed = remove_detached();
  if (bytes.ok() && !removed.ok()) return removed.error();
  return bytes;
}

Result<int64_t> PartitionLogImpl::detach_oldest_segment() {
  std::lock_guard flushing(flush_mutex_);
  Offset end;
  int64_t bytes;
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
    if (segments_.size() == 1) {
      if (active()->size() > 0) RETURN_IF_ERROR(roll(clock_.wall_ms()));
      return int64_t{0};
    }
    end = std::next(segments_.begin())->first;
    if (end > high_watermark_held()) return int64_t{0};
    bytes = static_cast<int64_t>(segments_.begin()->second->size());
  }
  ASSIGN_OR_RETURN(int64_t detached, move_start(end));
  return detached > 0 ? bytes : 0;
}

// Detaches the segments that end at or before `keep_from`; with flush_mutex_ held.
Result<int64_t> PartitionLogImpl::move_start(Offset keep_from) {
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
    // The active segment goes too, unless records came in meanwhile.
    if (keep_from > active()->base() && keep_from == log_end_) RETURN_IF_ERROR(roll(clock_.wall_ms()));
    keep_from = std::min(keep_from, active()->base());
  }
  RETURN_IF_ERROR(prepare_detaching());
  std::lock_guard lock(mutex_);
  log_start_ = std::max(log_start_, keep_from);
  std::vector<SegmentPtr> detached = detach_before(log_start_);
  detached_.insert(detached_.end(), detached.begin(), detached.end());
  return static_cast<int64_t>(detached.size());
}

// The successor and its producer snapshot must be on the disk before the predecessors go.
Status PartitionLogImpl::prepare_detaching() {
  RETURN_IF_ERROR(flush_held(Checkpointing::kWhenDue));
  return finish_snapshots();
}

// The records are gone when the start has moved; their files may be later.
Result<Offset> PartitionLogImpl::delete_records(Offset before) {
  auto start = detach_records(before);
  if (Status removed = remove_detached(); !removed.ok()) log_warn("{}; it is tried again", removed.error().message);
  return start;
}

Result<Offset> PartitionLogImpl::detach_records(Offset before) {
  std::lock_guard flushing(flush_mutex_);
  Offset last_base;  // Of the segments that are prepared here; a later one may be rolled to meanwhile.
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
    last_base = active()->base();
    Offset watermark = high_watermark_held();
    if (before == kNoOffset) before = watermark;
    if (before < Offset(0) || before > watermark) {
      return Error{ErrorCode::kOutOfRange, "can't delete records up to offset " + std::to_string(before.value) +
                                               ": the log ends at " + std::to_string(watermark.value)};
    }
    // Where retention has moved the start, but could not remove the files, a crash would take it back.
    before = std::max(before, log_start_);
    if (before <= promised_start_) return log_start_;
  }
  // Under FlushPolicy::kOs the records below the new start may not be on the disk yet; a start beyond the end would be
  // the result of a crash.
  RETURN_IF_ERROR(prepare_detaching());
  checkpoint_.log_start = before;
  RETURN_IF_ERROR(checkpoint_file_->write(checkpoint_, /*synced=*/true));
  RETURN_IF_ERROR(files_.sync_directory(directory_));
  promised_start_ = before;
  std::lock_guard lock(mutex_);
  log_start_ = before;
  std::vector<SegmentPtr> detached = detach_before(std::min(log_start_, last_base));
  if (ranges_told_ > damaged_in_reach().size()) tell_health();
  detached_.insert(detached_.end(), detached.begin(), detached.end());
  return log_start_;
}

// Takes segments that end at or before `offset` out of the map, oldest first; never the active one.
std::vector<PartitionLogImpl::SegmentPtr> PartitionLogImpl::detach_before(Offset offset) {
  std::vector<SegmentPtr> detached;
  while (segments_.size() > 1 && std::next(segments_.begin())->first <= offset) {
    detached.push_back(segments_.begin()->second);
    segments_.erase(segments_.begin());
    std::erase(loaded_, detached.back());
  }
  size_t gone =
      std::erase_if(damaged_, [this](const DamagedRange& range) { return range.to <= segments_.begin()->first; });
  if (gone > 0) tell_health();
  return detached;
}

PartitionLogImpl::SegmentPtr PartitionLogImpl::next_detached() const {
  std::lock_guard lock(mutex_);
  return closed_ || detached_.empty() ? nullptr : detached_.front();
}

// Without flush_mutex_, as to unlink large files takes the disk a while. In their order, and no further than to one
// that can't be removed: a log whose segments were there up to a hole would be a damaged one.
Status PartitionLogImpl::remove_detached() {
  std::lock_guard removing(removal_mutex_);
  while (SegmentPtr segment = next_detached()) {
    log_info("removing {}", segment->log_path());
    removal_unsynced_ = true;
    RETURN_IF_ERROR(segment->remove_files());
    std::lock_guard lock(mutex_);
    detached_.pop_front();
  }
  if (!removal_unsynced_ || is_closed()) return {};
  RETURN_IF_ERROR(files_.sync_directory(directory_));
  removal_unsynced_ = false;
  std::lock_guard flushing(flush_mutex_);  // There is room now.
  return is_closed() ? Status() : finish_snapshots();
}

bool PartitionLogImpl::is_closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace headrace::log
