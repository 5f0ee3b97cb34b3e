// Finding things in the log: by time, by transaction, by producer.
#include <algorithm>

#include "log/partition_log_impl.h"

namespace headrace::log {

namespace {

constexpr size_t kDecompressedBytesMax = 64 << 20;

// The first record of a batch at or after both `timestamp_ms` and `start`. Of a batch that decompresses to too much it
// is the first record that may be meant, so that who reads from there misses nothing.
Result<std::optional<TimestampOffset>> find_in_batch(const record::BatchHeader& header, BytesView bytes,
                                                     int64_t timestamp_ms, Offset start) {
  if (header.attributes & record::kLogAppendTimeBit) {
    return std::optional(TimestampOffset{std::max(header.base_offset, start), header.max_timestamp_ms});
  }
  ASSIGN_OR_RETURN(auto batch, record::Batch::parse_trusted(SharedBytes(nullptr, bytes)));
  record::RecordReader reader(batch, kDecompressedBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (record->offset < start || record->timestamp_ms < timestamp_ms) continue;
    return std::optional(TimestampOffset{record->offset, record->timestamp_ms});
  }
  if (reader.status().ok()) return std::optional<TimestampOffset>();
  if (reader.status().error().code != ErrorCode::kTooLarge) return reader.status().error();
  return std::optional(TimestampOffset{std::max(header.base_offset, start), header.max_timestamp_ms});
}

ProducerInfo describe(ProducerId id, const ProducerState& state) {
  const ProducerBatch* last = state.last();
  return {.producer_id = id,
          .epoch = state.epoch,
          .last_sequence = last ? last->last_sequence : -1,
          .last_offset = last ? last->last_offset : kNoOffset,
          .last_timestamp_ms = state.last_timestamp_ms,
          .coordinator_epoch = state.coordinator_epoch,
          .transaction_first_offset = state.transaction_first_offset};
}

}  // namespace

Result<std::optional<TimestampOffset>> PartitionLogImpl::offset_for_timestamp(int64_t timestamp_ms) {
  while (true) {
    ASSIGN_OR_RETURN(TimestampSearch search, search_timestamp(timestamp_ms));
    if (!search.stale) return search.found;
  }
}

// One search over the segments as they are; stale when one of them went away amid it.
Result<PartitionLogImpl::TimestampSearch> PartitionLogImpl::search_timestamp(int64_t timestamp_ms) {
  std::vector<std::pair<SegmentPtr, uint64_t>> candidates;
  Offset start, watermark;
  {
    std::lock_guard lock(mutex_);
    start = log_start_;
    watermark = high_watermark_held();
    for (const auto& [base, segment] : segments_) candidates.emplace_back(segment, segment->size());
  }
  for (const auto& [segment, limit] : candidates) {
    auto found = find_in_segment(*segment, timestamp_ms, start, limit);
    if (segment != candidates.back().first) note_read(segment);
    if (was_removed(segment)) return TimestampSearch{.stale = true};
    // Sectors that can't be read are passed over as damaged bytes are.
    bool unreadable = !found.ok() && found.error().code == ErrorCode::kIo;
    if (!found.ok() && !unreadable) return found.error();
    if (unreadable || !*found) continue;
    if ((*found)->offset >= watermark) return TimestampSearch{};
    return TimestampSearch{.found = *found};
  }
  return TimestampSearch{};
}

Result<std::optional<TimestampOffset>> PartitionLogImpl::find_in_segment(Segment& segment, int64_t timestamp_ms,
                                                                         Offset start, uint64_t limit) {
  ASSIGN_OR_RETURN(TimeIndexEntry latest, segment.max_timestamp());
  if (limit == 0 || latest.timestamp_ms < timestamp_ms) return std::optional<TimestampOffset>();
  ASSIGN_OR_RETURN(SeekPoint from, segment.seek_time(timestamp_ms));
  ASSIGN_OR_RETURN(auto file, segment.file());
  BatchScanner scanner(*file, from.position, limit, {segment.base(), /*gaps=*/true});
  while (true) {
    ASSIGN_OR_RETURN(auto found, scanner.next());
    if (found == BatchScanner::Found::kEnd) return std::optional<TimestampOffset>();
    if (found == BatchScanner::Found::kBad) {
      ASSIGN_OR_RETURN(bool more, scanner.resync());
      if (!more) return std::optional<TimestampOffset>();
      continue;
    }
    if (scanner.header().max_timestamp_ms < timestamp_ms || scanner.header().last_offset() < start) continue;
    ASSIGN_OR_RETURN(auto record, find_in_batch(scanner.header(), scanner.batch(), timestamp_ms, start));
    if (record) return record;
  }
}

Result<std::optional<TimestampOffset>> PartitionLogImpl::max_timestamp() {
  while (true) {
    ASSIGN_OR_RETURN(auto latest, latest_timestamp());
    if (!latest) continue;  // Segments went away amid it.
    if (*latest < 0) return std::optional<TimestampOffset>();
    return offset_for_timestamp(*latest);
  }
}

// The largest timestamp that can be read, -1 without records; nothing when a segment went away amid it.
Result<std::optional<int64_t>> PartitionLogImpl::latest_timestamp() {
  std::vector<SegmentPtr> segments;
  Offset start;
  int64_t latest = -1;
  {
    // What is synced is below the high watermark then. Of rolled segments all is, but for the newest.
    std::lock_guard flushing(flush_mutex_);
    bool all_readable;
    {
      std::lock_guard lock(mutex_);
      start = log_start_;
      all_readable = config_.flush_policy == FlushPolicy::kOs;
      for (const auto& [base, segment] : segments_) segments.push_back(segment);
    }
    SegmentPtr active = segments.back();
    while (!segments.empty() && (segments.back() == active || !(all_readable || segments.back()->is_synced()))) {
      Segment& segment = *segments.back();
      ASSIGN_OR_RETURN(TimeIndexEntry entry, all_readable ? segment.max_timestamp() : segment.max_synced_timestamp());
      ASSIGN_OR_RETURN(int64_t time, latest_timestamp_in(segment, start, entry));
      latest = std::max(latest, time);
      segments.pop_back();
    }
  }
  for (const SegmentPtr& segment : segments) {
    auto entry = segment->max_timestamp();
    auto time = entry.ok() ? latest_timestamp_in(*segment, start, *entry) : Result<int64_t>(entry.error());
    note_read(segment);
    if (was_removed(segment)) return std::optional<int64_t>();
    if (!time.ok()) return time.error();
    latest = std::max(latest, *time);
  }
  return std::optional(latest);
}

Result<int64_t> PartitionLogImpl::latest_timestamp_in(Segment& segment, Offset start, const TimeIndexEntry& latest) {
  bool below = latest.timestamp_ms >= 0 && segment.base() + latest.relative_offset < start;
  return below ? latest_timestamp_from(segment, start) : Result<int64_t>(latest.timestamp_ms);
}

// Of the records at or after `start`, which the indexes don't tell from those before.
Result<int64_t> PartitionLogImpl::latest_timestamp_from(Segment& segment, Offset start) {
  ASSIGN_OR_RETURN(SeekPoint from, segment.seek(start));
  ASSIGN_OR_RETURN(auto file, segment.file());
  BatchScanner scanner(*file, from.position, segment.size(), {segment.base(), /*gaps=*/true});
  int64_t latest = -1;
  while (true) {
    ASSIGN_OR_RETURN(auto found, scanner.next());
    if (found == BatchScanner::Found::kEnd) return latest;
    if (found == BatchScanner::Found::kBad) {
      ASSIGN_OR_RETURN(bool more, scanner.resync());
      if (!more) return latest;
    } else if (scanner.header().last_offset() >= start) {
      latest = std::max(latest, scanner.header().max_timestamp_ms);
    }
  }
}

Result<std::vector<AbortedTransaction>> PartitionLogImpl::aborted_transactions(Offset from, Offset to) {
  std::lock_guard lock(mutex_);
  if (from < log_start_) return outside(from);  // What ended there went with its segments.
  std::vector<AbortedTransaction> found;
  auto at = segments_.upper_bound(from);
  if (at != segments_.begin()) --at;
  // A transaction ends in this segment or a later one, and may have begun long before.
  while (at != segments_.end() && at->second->find_aborted(from, to, found)) ++at;
  return found;
}

std::optional<ProducerInfo> PartitionLogImpl::producer(ProducerId id) const {
  std::lock_guard lock(mutex_);
  const ProducerState* state = producers_.find(id);
  if (state == nullptr) return std::nullopt;
  return describe(id, *state);
}

std::vector<ProducerInfo> PartitionLogImpl::producers() const {
  std::lock_guard lock(mutex_);
  std::vector<ProducerInfo> infos;
  infos.reserve(producers_.all().size());
  for (const auto& [id, state] : producers_.all()) infos.push_back(describe(id, state));
  return infos;
}

}  // namespace headrace::log
