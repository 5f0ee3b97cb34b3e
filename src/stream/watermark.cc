#include "stream/watermark.h"

#include <algorithm>

namespace headrace::stream {

void WatermarkTracker::add_partition(PartitionId id, Monotonic now, int64_t wall_ms) {
  Partition& partition = partitions_[id];
  if (partition.assigned) return;
  partition.assigned = true;
  partition.idle = false;
  partition.last_record = now;
  anchor_ = now;
  anchor_wall_ms_ = wall_ms;
}

void WatermarkTracker::observe(PartitionId id, int64_t max_event_time_ms, Monotonic now, int64_t wall_ms) {
  Partition& partition = partitions_[id];
  partition.assigned = true;
  partition.idle = false;
  partition.last_record = now;
  partition.max_event_time_ms = std::max(partition.max_event_time_ms, max_event_time_ms);
  anchor_ = now;
  anchor_wall_ms_ = wall_ms;
}

std::vector<PartitionId> WatermarkTracker::idle_candidates(Monotonic now) const {
  std::vector<PartitionId> candidates;
  for (const auto& [id, partition] : partitions_) {
    if (partition.assigned && !partition.idle && now - partition.last_record >= options_.idle_timeout) {
      candidates.push_back(id);
    }
  }
  return candidates;
}

void WatermarkTracker::set_idle(PartitionId id) { partitions_[id].idle = true; }

void WatermarkTracker::keep_active(PartitionId id, Monotonic now) { partitions_[id].last_record = now; }

bool WatermarkTracker::silent() const {
  return !partitions_.empty() && std::ranges::all_of(partitions_, [](const auto& entry) {
    return entry.second.idle || !entry.second.assigned;
  });
}

int64_t WatermarkTracker::wall_bound_ms(Monotonic now) const {
  if (!silent()) return kNoEventTime;
  int64_t since_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - anchor_).count();
  return anchor_wall_ms_ + since_ms - options_.delay.count() - options_.idle_timeout.count();
}

bool WatermarkTracker::advance() {
  int64_t lowest = std::numeric_limits<int64_t>::max();
  bool any = false;
  for (const auto& [id, partition] : partitions_) {
    if (partition.idle || !partition.assigned) continue;
    if (partition.max_event_time_ms == kNoEventTime) return false;
    lowest = std::min(lowest, partition.max_event_time_ms);
    any = true;
  }
  if (!any) return false;
  int64_t watermark = lowest - options_.delay.count();
  if (watermark <= watermark_ms_) return false;
  watermark_ms_ = watermark;
  return true;
}

void WatermarkTracker::raise(int64_t ms) { watermark_ms_ = std::max(watermark_ms_, ms); }

std::map<PartitionId, int64_t> WatermarkTracker::event_times() const {
  std::map<PartitionId, int64_t> times;
  for (const auto& [id, partition] : partitions_) {
    if (partition.max_event_time_ms != kNoEventTime) times[id] = partition.max_event_time_ms;
  }
  return times;
}

void WatermarkTracker::restore(PartitionId id, int64_t max_event_time_ms) {
  partitions_[id].max_event_time_ms = max_event_time_ms;
}

void WatermarkTracker::reset() {
  partitions_.clear();
  watermark_ms_ = kNoEventTime;
}

}  // namespace headrace::stream
