// Finding things in the log: by time, by transaction, by producer.
#include <algorithm>

#include "log/partition_log_impl.h"

namespace headrace::log {

namespace {

constexpr size_t kDecompressedBytesMax = 64 << 20;
// Batches whose headers tell a time that none of their records has: so many of them are opened for one search.
constexpr int kOpenedInVainMax = 16;

// What stands for a batch that is not looked into: the first record that may be meant, so that who reads from there
// misses nothing.
TimestampOffset whole_batch(const record::BatchHeader& header, Offset start) {
  return {std::max(header.base_offset, start), header.max_timestamp_ms};
}

// The record of a batch that `choose` comes to choose, as it is shown those at or after `start` until it answers false.
// A batch of which all have one time, or that decompresses to too much, is chosen whole, and any when too many were
// opened in vain.
template <typename Choose>
Result<std::optional<TimestampOffset>> choose_in_batch(const record::BatchHeader& header, BytesView bytes, Offset start,
                                                       int& in_vain, Choose choose) {
  if (header.attributes & record::kLogAppendTimeBit || in_vain == kOpenedInVainMax)
    return std::optional(whole_batch(header, start));
  std::optional<TimestampOffset> chosen;
  ASSIGN_OR_RETURN(auto batch, record::Batch::parse_trusted(SharedBytes(nullptr, bytes)));
  record::RecordReader reader(batch, kDecompressedBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (record->offset >= start && !choose(TimestampOffset{record->offset, record->timestamp_ms}, chosen))
      return chosen;
  }
  if (reader.status().ok() && !chosen) ++in_vain;
  if (reader.status().ok()) return chosen;
  if (reader.status().error().code != ErrorCode::kTooLarge) return reader.status().error();
  return std::optional(whole_batch(header, start));
}

// The first record of a batch at or after both `timestamp_ms` and `start`.
Result<std::optional<TimestampOffset>> find_in_batch(const record::BatchHeader& header, BytesView bytes,
                                                     int64_t timestamp_ms, Offset start, int& in_vain) {
  return choose_in_batch(header, bytes, start, in_vain, [&](TimestampOffset record, auto& chosen) {
    if (record.timestamp_ms >= timestamp_ms) chosen = record;
    return !chosen;
  });
}

// The first of the records at or after `start` with the latest time, if that is later than `than_ms`.
Result<std::optional<TimestampOffset>> latest_in_batch(const record::BatchHeader& header, BytesView bytes,
                                                       int64_t than_ms, Offset start, int& in_vain) {
  return choose_in_batch(header, bytes, start, in_vain, [&](TimestampOffset record, auto& chosen) {
    if (record.timestamp_ms > (chosen ? chosen->timestamp_ms : than_ms)) chosen = record;
    return true;
  });
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
  int in_vain = 0;
  {
    std::lock_guard lock(mutex_);
    start = log_start_;
    watermark = high_watermark_held();
    for (const auto& [base, segment] : segments_) candidates.emplace_back(segment, segment->size());
  }
  for (const auto& [segment, limit] : candidates) {
    auto found = find_in_segment(*segment, timestamp_ms, start, limit, in_vain);
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
                                                                         Offset start, uint64_t limit, int& in_vain) {
  ASSIGN_OR_RETURN(TimeIndexEntry latest, segment.max_timestamp());
  if (limit == 0 || latest.timestamp_ms < timestamp_ms) return std::optional<TimestampOffset>();
  ASSIGN_OR_RETURN(SeekPoint from, segment.seek_time(timestamp_ms));
  ASSIGN_OR_RETURN(auto file, segment.file());
  BatchScanner scanner(*file, from.position, limit, {segment.base(), /*gaps=*/true});
  while (true) {
    ASSIGN_OR_RETURN(bool more, scanner.next_good());
    if (!more) return std::optional<TimestampOffset>();
    const record::BatchHeader& header = scanner.header();
    bool empty = header.record_count == 0;  // By compaction.
    if (empty || header.max_timestamp_ms < timestamp_ms || header.last_offset() < start) continue;
    ASSIGN_OR_RETURN(auto record, find_in_batch(header, scanner.batch(), timestamp_ms, start, in_vain));
    if (record) return record;
  }
}

Result<std::optional<TimestampOffset>> PartitionLogImpl::max_timestamp() {
  while (true) {
    ASSIGN_OR_RETURN(TimestampSearch search, search_latest());
    if (!search.stale) return search.found;
  }
}

Result<PartitionLogImpl::TimestampSearch> PartitionLogImpl::search_latest() {
  ASSIGN_OR_RETURN(LatestTimes latest, latest_times());
  TimestampSearch best{.stale = latest.stale};
  int in_vain = 0;
  for (const TimedSegment& each : latest.segments) {
    if (best.stale || (best.found && each.latest_ms <= best.found->timestamp_ms)) break;
    auto found = find_latest(each, latest.start, latest.watermark, best.found ? best.found->timestamp_ms : -1, in_vain);
    if (each.may_be_released) note_read(each.segment);
    best.stale = was_removed(each.segment);
    if (best.stale) break;
    if (!found.ok()) return found.error();
    if (*found) best.found = *found;
  }
  return best;
}

// What the indexes of the segments tell, latest first: of what acknowledgements wait for, no more than is synced.
Result<PartitionLogImpl::LatestTimes> PartitionLogImpl::latest_times() {
  LatestTimes all;
  std::vector<SegmentPtr> segments;
  SegmentPtr newest;
  auto add = [&](const SegmentPtr& segment, const TimeIndexEntry& entry) {
    if (entry.timestamp_ms < 0) return;
    all.segments.push_back({segment, segment->size(), entry.timestamp_ms, segment != newest});
  };
  {
    std::lock_guard flushing(flush_mutex_);  // What is synced is below the high watermark then.
    bool all_readable;
    {
      std::lock_guard lock(mutex_);
      all.start = log_start_;
      all.watermark = high_watermark_held();
      all_readable = config_.flush_policy == FlushPolicy::kOs;
      for (const auto& [base, segment] : segments_) segments.push_back(segment);
    }
    newest = segments.back();
    while (!segments.empty() && (segments.back() == newest || !(all_readable || segments.back()->is_synced()))) {
      Segment& segment = *segments.back();
      ASSIGN_OR_RETURN(TimeIndexEntry entry, all_readable ? segment.max_timestamp() : segment.max_synced_timestamp());
      add(segments.back(), entry);
      segments.pop_back();
    }
  }
  for (const SegmentPtr& segment : segments) {
    auto entry = segment->max_timestamp();
    note_read(segment);
    if (was_removed(segment)) return LatestTimes{.stale = true};
    if (!entry.ok()) return entry.error();
    add(segment, *entry);
  }
  std::sort(all.segments.begin(), all.segments.end(), [](const TimedSegment& a, const TimedSegment& b) {
    return a.latest_ms != b.latest_ms ? a.latest_ms > b.latest_ms : a.segment->base() < b.segment->base();
  });
  return all;
}

// The first record with the segment's largest time in [start, watermark), if that is later than `than_ms`. Where the
// record that the index means is not among them (it was deleted, compacted or damaged), the segment is read.
Result<std::optional<TimestampOffset>> PartitionLogImpl::find_latest(const TimedSegment& in, Offset start,
                                                                     Offset watermark, int64_t than_ms, int& in_vain) {
  auto indexed = find_in_segment(*in.segment, in.latest_ms, start, in.limit, in_vain);
  if (!indexed.ok() && indexed.error().code == ErrorCode::kIo) return std::optional<TimestampOffset>();
  if (!indexed.ok() || (*indexed && (*indexed)->offset < watermark)) return indexed;
  std::optional<TimestampOffset> latest;
  ASSIGN_OR_RETURN(SeekPoint from, in.segment->seek(std::max(start, in.segment->base())));
  ASSIGN_OR_RETURN(auto file, in.segment->file());
  BatchScanner scanner(*file, from.position, in.limit, {in.segment->base(), /*gaps=*/true});
  while (true) {
    ASSIGN_OR_RETURN(bool more, scanner.next_good());
    const record::BatchHeader& header = scanner.header();
    if (!more || header.base_offset >= watermark) return latest;
    if (header.last_offset() < start || header.record_count == 0 || header.max_timestamp_ms <= than_ms) continue;
    ASSIGN_OR_RETURN(auto record, latest_in_batch(header, scanner.batch(), than_ms, start, in_vain));
    if (!record) continue;
    latest = record;
    than_ms = record->timestamp_ms;
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
