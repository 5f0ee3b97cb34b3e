#include "log/compaction.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "base/saturate.h"
#include "log/compaction_batch.h"
#include "log/compaction_swap.h"
#include "log/file_names.h"

namespace headrace::log {

namespace {

constexpr size_t kWriteChunkBytes = 1 << 20;

}  // namespace

Compaction::Compaction(PartitionLogImpl& log, CompactionOptions& options)
    : log_(log), options_(options), now_ms_(log.clock_.wall_ms()), map_(options.offset_map_bytes_max, options.seed) {}

Status Compaction::run(CompactionReport& report) {
  report_ = &report;
  ASSIGN_OR_RETURN(PartitionLogImpl::CompactionScope scope, log_.compaction_scope());
  report.end = scope.backlog.end;
  report.compacted_to = first_dirty_ = scope.backlog.first_dirty;
  if (scope.backlog.first_dirty >= scope.backlog.end) return {};
  for (size_t i = 0; i < scope.segments.size(); ++i) {
    Offset end = i + 1 < scope.segments.size() ? scope.segments[i + 1]->base() : scope.backlog.end;
    sources_.push_back({scope.segments[i], end, scope.segments[i]->size()});
  }
  RETURN_IF_ERROR(prepare());
  RETURN_IF_ERROR(fill_map());
  transactions_ = CompactionTransactions(aborted_from(sources_.front().segment->base()));
  // Segments that begin beyond the map's end hold nothing that it knows of.
  std::erase_if(sources_, [&](const Source& source) { return source.segment->base() >= map_end_; });
  for (Group group : group_sources()) RETURN_IF_ERROR(write_group(group));
  RETURN_IF_ERROR(log_.note_compacted(map_end_));
  report.compacted_to = map_end_;
  ++report.passes;
  return {};
}

// From here on the log says of itself that offsets may be missing, and recovery does not begin in what changes.
Status Compaction::prepare() {
  {
    std::lock_guard flushing(log_.flush_mutex_);
    bool known = std::exchange(log_.checkpoint_.has_gaps, true);
    Status noted = log_.flush_held(PartitionLogImpl::Checkpointing::kNow);
    if (noted.ok() && !known) noted = log_.checkpoint_file_->write(log_.checkpoint_, /*synced=*/true);
    if (!noted.ok()) {
      log_.checkpoint_.has_gaps = known;
      return noted.error().in("before compacting");
    }
    if (log_.checkpoint_.checkpoint.segment < sources_.back().end) {
      return Error{ErrorCode::kUnavailable, "no checkpoint of the log in " + log_.directory_ + " could be written"};
    }
  }
  std::lock_guard lock(log_.mutex_);
  log_.has_gaps_ = true;
  config_ = log_.config_;
  log_start_ = log_.log_start_;
  if (auto damaged = log_.damaged_in_reach(); !damaged.empty())
    return log_.damage_at(damaged.front().from)->in("not compacted");
  for (const auto& [id, state] : log_.producers_.all()) {
    const ProducerBatch* last = state.last();
    last_of_[id] = {last ? last->last_offset : kNoOffset, state.epoch};
  }
  return {};
}

std::vector<TransactionIndexEntry> Compaction::aborted_from(Offset offset) const {
  std::lock_guard lock(log_.mutex_);
  std::vector<TransactionIndexEntry> found;
  for (const auto& [base, segment] : log_.segments_) {
    for (const TransactionIndexEntry& entry : segment->aborted()) {
      if (entry.last_offset >= offset) found.push_back(entry);
    }
  }
  return found;
}

Status Compaction::fill_map() {
  transactions_ = CompactionTransactions(aborted_from(first_dirty_));
  map_end_ = sources_.back().end;
  for (const Source& source : sources_) {
    if (source.end <= first_dirty_) continue;
    ASSIGN_OR_RETURN(auto file, source.segment->file());
    BatchScanner scanner(*file, 0, source.bytes, {source.segment->base(), /*gaps=*/true});
    while (true) {
      ASSIGN_OR_RETURN(auto found, scanner.next());
      if (found == BatchScanner::Found::kEnd) break;
      if (found == BatchScanner::Found::kBad) {
        RETURN_IF_ERROR(skip_deleted(source, scanner));
        continue;
      }
      RETURN_IF_ERROR(pace(scanner.batch().size()));
      if (scanner.header().last_offset() < first_dirty_) continue;
      ASSIGN_OR_RETURN(auto batch, record::Batch::parse_trusted(SharedBytes(nullptr, scanner.batch())));
      ASSIGN_OR_RETURN(bool room, add_keys(batch));
      if (!room) return {};
    }
    log_.note_read(source.segment);
  }
  return {};
}

// False when the map is full: then map_end_ is the first offset that it does not cover.
Result<bool> Compaction::add_keys(const record::Batch& batch) {
  const record::BatchHeader& header = batch.header();
  if (header.is_control()) {
    transactions_.end(header);
    return true;
  }
  if (transactions_.is_aborted(header)) return true;
  record::RecordReader reader(batch, kCompactedBatchBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (record->offset < first_dirty_ || !record->key) continue;
    if (map_.put(*record->key, record->offset)) continue;
    map_end_ = record->offset;
    return false;
  }
  // A batch that can't be read stays as it is, and its records replace nobody's.
  if (!reader.status().ok()) {
    log_warn("compacting {}: {}; the batch stays as it is", log_.directory_, reader.status().error().message);
    ++report_->unreadable_batches;
  }
  return true;
}

// Neighbours that fit into one segment together.
std::vector<Compaction::Group> Compaction::group_sources() const {
  auto bytes_max = std::min<uint64_t>(static_cast<uint64_t>(config_.segment_bytes), kSegmentBytesMax);
  std::vector<Group> groups;
  for (size_t first = 0; first < sources_.size();) {
    size_t count = 1;
    uint64_t bytes = sources_[first].bytes;
    Offset base = sources_[first].segment->base();
    for (; first + count < sources_.size(); ++count) {
      const Source& next = sources_[first + count];
      if (bytes + next.bytes > bytes_max || next.end - base > INT32_MAX) break;
      bytes += next.bytes;
    }
    groups.emplace_back(&sources_[first], count);
    first += count;
  }
  return groups;
}

Status Compaction::write_group(Group group) {
  Offset base = group.front().segment->base();
  Output output;
  output.segment = log_.make_segment(base);
  output.segment->reset_indexes(group.front().segment->created_ms());
  auto write = [&]() -> Status {
    if (group.size() > 1) RETURN_IF_ERROR(start_writing(group.front(), output));
    for (const Source& source : group) RETURN_IF_ERROR(copy_source(source, output));
    return drain(output);
  };
  Status written = write();
  if (written.ok() && output.file) return commit(group, output);
  if (!output.file) return written;
  output.segment.reset();
  (void)discard_cleaned(log_.files_, log_.directory_, base);
  return written;
}

// Creates the file, with the batches that did not change so far.
Status Compaction::start_writing(const Source& source, Output& output) {
  std::string path =
      log_.directory_ + "/" + file_name(output.segment->base(), kLogSuffix) + std::string(kCleanedSuffix);
  ASSIGN_OR_RETURN(output.file, log_.files_.open(path, os::OpenMode::kCreateTruncated));
  output.segment->take_file(output.file);
  ASSIGN_OR_RETURN(auto from, source.segment->file());
  Bytes chunk;
  for (uint64_t at = 0; at < output.position; at += chunk.size()) {
    chunk.resize(std::min<uint64_t>(kWriteChunkBytes, output.position - at));
    ASSIGN_OR_RETURN(size_t got, from->read_at(at, chunk));
    if (got < chunk.size()) return log_.damaged_source(*source.segment, at + got);
    RETURN_IF_ERROR(write(output, at, chunk));
  }
  return {};
}

Status Compaction::copy_source(const Source& source, Output& output) {
  ASSIGN_OR_RETURN(auto file, source.segment->file());
  BatchScanner scanner(*file, 0, source.bytes, {source.segment->base(), /*gaps=*/true});
  while (true) {
    ASSIGN_OR_RETURN(auto found, scanner.next());
    if (found == BatchScanner::Found::kEnd) break;
    if (found == BatchScanner::Found::kBad) {
      if (!output.file) RETURN_IF_ERROR(start_writing(source, output));
      RETURN_IF_ERROR(skip_deleted(source, scanner));
      continue;
    }
    RETURN_IF_ERROR(pace(scanner.batch().size()));
    ASSIGN_OR_RETURN(auto batch, record::Batch::parse_trusted(SharedBytes(nullptr, scanner.batch())));
    ASSIGN_OR_RETURN(BytesView kept, compacted(batch, output));
    bool same = kept.data() == scanner.batch().data();
    if (!same && !output.file) RETURN_IF_ERROR(start_writing(source, output));
    report_->bytes_before += static_cast<int64_t>(batch.size());
    report_->bytes_after += static_cast<int64_t>(kept.size());
    if (!kept.empty()) RETURN_IF_ERROR(put(kept, output));
  }
  log_.note_read(source.segment);
  return {};
}

// Over bad bytes that are of nothing but what DeleteRecords took.
Status Compaction::skip_deleted(const Source& source, BatchScanner& scanner) {
  uint64_t bad = scanner.position();
  ASSIGN_OR_RETURN(bool more, scanner.resync());
  return more && scanner.expected() <= log_start_ ? Status() : Status(log_.damaged_source(*source.segment, bad));
}

// What stays of a batch; empty when nothing does.
Result<BytesView> Compaction::compacted(const record::Batch& batch, Output& output) {
  const record::BatchHeader& header = batch.header();
  if (header.is_control()) return compacted_marker(batch, output);
  bool last_of_producer = is_last_of_producer(header);
  if (transactions_.is_aborted(header)) {
    if (!last_of_producer) return BytesView();
    return header.record_count == 0 ? batch.bytes().view() : empty_batch(batch, scratch_);
  }
  if (header.base_offset >= map_end_) return batch.bytes().view();
  auto horizon = header.delete_horizon_ms();
  bool tombstones_stay = !horizon || now_ms_ < *horizon || unreadable_before_;
  KeepRecord keep = [&](const record::RecordView& record) {
    if (record.offset >= map_end_) return true;
    if (!record.key) return false;
    if (map_.find(*record.key) > record.offset) return false;
    return record.value || tombstones_stay;
  };
  BatchFilter filter{.keep = keep, .delete_horizon_ms = {}, .keep_empty = last_of_producer};
  // The horizon is set by the pass that takes the older values away, not before.
  if (header.next_offset() <= map_end_) filter.delete_horizon_ms = saturating_add(now_ms_, config_.delete_retention_ms);
  auto kept = filter_batch(batch, filter, scratch_);
  if (kept.ok()) {
    if (header.record_count == 0 && last_of_producer) return batch.bytes().view();
    return kept;
  }
  // It may hold older values of keys that were deleted.
  unreadable_before_ = true;
  return batch.bytes().view();
}

Result<BytesView> Compaction::compacted_marker(const record::Batch& batch, Output& output) {
  const record::BatchHeader& header = batch.header();
  CompactionTransactions::Marker marker = transactions_.end(header);
  if (marker.aborted) output.aborted.push_back(*marker.aborted);
  if (!marker.empty || header.next_offset() > map_end_) return batch.bytes().view();
  auto horizon = header.delete_horizon_ms();
  if (!horizon) {
    auto marked = with_delete_horizon(batch, saturating_add(now_ms_, config_.delete_retention_ms), scratch_);
    return marked.ok() ? *marked : batch.bytes().view();
  }
  return now_ms_ < *horizon || is_last_of_producer(header) ? batch.bytes().view() : BytesView();
}

bool Compaction::is_last_of_producer(const record::BatchHeader& header) const {
  auto found = last_of_.find(header.producer_id);
  if (header.producer_id.value < 0 || found == last_of_.end()) return false;
  const LastOf& last = found->second;
  if (last.last_offset != kNoOffset) return header.last_offset() == last.last_offset;
  return header.is_control() && header.producer_epoch == last.epoch;
}

Status Compaction::put(BytesView batch, Output& output) {
  if (output.position + output.buffer.size() + batch.size() > kSegmentBytesMax) {
    return Error{ErrorCode::kTooLarge, "a compacted segment of " + log_.directory_ + " passes 2 GiB"};
  }
  ASSIGN_OR_RETURN(record::BatchHeader header, record::read_header(batch));
  output.segment->note(header, config_.index_interval_bytes);
  if (!output.file) {
    output.position += batch.size();
    return {};
  }
  output.buffer.insert(output.buffer.end(), batch.begin(), batch.end());
  return output.buffer.size() >= kWriteChunkBytes ? drain(output) : Status();
}

Status Compaction::drain(Output& output) {
  if (output.buffer.empty()) return {};
  RETURN_IF_ERROR(write(output, output.position, output.buffer));
  output.position += output.buffer.size();
  output.buffer.clear();
  return {};
}

Status Compaction::write(Output& output, uint64_t position, BytesView bytes) {
  if (options_.room && !options_.room(static_cast<int64_t>(bytes.size()))) {
    return Error{ErrorCode::kOutOfSpace, "there is too little room on the disk to compact " + log_.directory_};
  }
  RETURN_IF_ERROR(output.file->write_at(position, bytes));
  return pace(bytes.size());
}

// Makes the new segment durable, then puts it in the place of its sources.
Status Compaction::commit(Group group, Output& output) {
  Offset base = group.front().segment->base();
  output.segment->set_aborted(std::move(output.aborted));
  auto sync = [&]() -> Status {
    RETURN_IF_ERROR(output.segment->sync());
    ASSIGN_OR_RETURN(auto image, output.segment->index_image());
    return write_cleaned_indexes(log_.files_, log_.directory_, base, image);
  };
  Status synced = sync();
  if (!synced.ok()) {
    output.segment.reset();
    (void)discard_cleaned(log_.files_, log_.directory_, base);
    return synced;
  }
  return replace(group, output);
}

Status Compaction::replace(Group group, Output& output) {
  Offset base = group.front().segment->base();
  std::lock_guard flushing(log_.flush_mutex_);
  auto all_there = [&] {
    return std::all_of(group.begin(), group.end(), [&](const Source& source) {
      auto at = log_.segments_.find(source.segment->base());
      return at != log_.segments_.end() && at->second == source.segment;
    });
  };
  {
    std::lock_guard lock(log_.mutex_);
    // What a crash could bring back may be older than tombstones that go now.
    bool removing = !log_.detached_.empty();
    if (log_.closed_ || removing || !all_there()) {
      (void)discard_cleaned(log_.files_, log_.directory_, base);
      return Error{ErrorCode::kUnavailable, "segments of " + log_.directory_ + " were deleted while it was compacted"};
    }
  }
  auto directory = log_.files_.open_directory(log_.directory_);
  if (!directory.ok()) {
    (void)discard_cleaned(log_.files_, log_.directory_, base);
    return directory.error();
  }
  Status published = publish_swap(log_.files_, **directory, log_.directory_, base);
  if (!published.ok()) return log_.stop_compacting(published.error());
  std::vector<Offset> replaced;
  {
    std::lock_guard lock(log_.mutex_);
    for (const Source& source : group) {
      std::erase(log_.loaded_, source.segment);
      log_.segments_.erase(source.segment->base());
      if (source.segment->base() != base) replaced.push_back(source.segment->base());
    }
    log_.segments_[base] = output.segment;
    ++log_.replacements_;
  }
  // Readers that hold an old segment fail from here on, see that it is gone and look again.
  for (const Source& source : group) source.segment->release();
  Status finished = finish_swap(log_.files_, **directory, log_.directory_, base, replaced);
  if (!finished.ok()) return log_.stop_compacting(finished.error());
  output.segment->file_in_place();
  output.segment->release();
  ++report_->segments_written;
  report_->segments_replaced += static_cast<int64_t>(group.size());
  return {};
}

Status Compaction::pace(uint64_t bytes) {
  if (!options_.pace || options_.pace(static_cast<int64_t>(bytes))) return {};
  return Error{ErrorCode::kClosed, "compaction of " + log_.directory_ + " was stopped"};
}

// --- What the log itself says and keeps of its compaction.

double CompactionBacklog::dirty_ratio() const {
  int64_t all = clean_bytes + dirty_bytes;
  return all == 0 ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(all);
}

Result<CompactionReport> PartitionLogImpl::compact(CompactionOptions options) {
  std::lock_guard compacting(compaction_mutex_);
  CompactionReport report;
  RETURN_IF_ERROR(Compaction(*this, options).run(report));
  // What comes meanwhile is for the next time: else appends could keep this one going for ever.
  Offset goal = report.end;
  while (report.compacted_to < goal) {
    Offset before = report.compacted_to;
    RETURN_IF_ERROR(Compaction(*this, options).run(report));
    if (report.compacted_to <= before) break;  // The topic's configuration, or the clock, leaves less to compact now.
  }
  report.end = goal;
  return report;
}

Result<CompactionBacklog> PartitionLogImpl::compaction_backlog() {
  ASSIGN_OR_RETURN(CompactionScope scope, compaction_scope());
  return scope.backlog;
}

// The segments that may be compacted now, and how much of them never was.
Result<PartitionLogImpl::CompactionScope> PartitionLogImpl::compaction_scope() {
  CompactionScope scope;
  LogConfig config;
  Offset bound;
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
    if (compaction_failure_) return *compaction_failure_;
    config = config_;
    bound = std::min(durable_end_, producers_.last_stable(durable_end_, durable_end_));
    scope.backlog.first_dirty = std::max(cleaned_to_, log_start_);
    for (auto at = segments_.begin(); std::next(at) != segments_.end(); ++at) {
      if (std::next(at)->first > bound) break;
      scope.segments.push_back(at->second);
      scope.backlog.end = std::next(at)->first;
    }
  }
  RETURN_IF_ERROR(leave_out_young(scope, config));
  CompactionBacklog& backlog = scope.backlog;
  for (size_t i = 0; i < scope.segments.size(); ++i) {
    Offset end = i + 1 < scope.segments.size() ? scope.segments[i + 1]->base() : backlog.end;
    auto bytes = static_cast<int64_t>(scope.segments[i]->size());
    (end <= backlog.first_dirty ? backlog.clean_bytes : backlog.dirty_bytes) += bytes;
  }
  RETURN_IF_ERROR(judge_age(scope, config));
  return scope;
}

// min.compaction.lag.ms: nothing from the first segment on that holds a record younger than that.
Status PartitionLogImpl::leave_out_young(CompactionScope& scope, const LogConfig& config) {
  if (config.min_compaction_lag_ms <= 0) return {};
  int64_t latest_ms = clock_.wall_ms() - config.min_compaction_lag_ms;
  for (size_t i = 0; i < scope.segments.size(); ++i) {
    ASSIGN_OR_RETURN(TimeIndexEntry entry, scope.segments[i]->max_timestamp());
    note_read(scope.segments[i]);
    if (entry.timestamp_ms <= latest_ms) continue;
    scope.backlog.end = scope.segments[i]->base();
    scope.segments.resize(i);
  }
  return {};
}

// max.compaction.lag.ms: whether the oldest record that was never compacted has waited that long.
Status PartitionLogImpl::judge_age(CompactionScope& scope, const LogConfig& config) {
  if (config.max_compaction_lag_ms == INT64_MAX) return {};
  for (const SegmentPtr& segment : scope.segments) {
    if (segment->base() < scope.backlog.first_dirty || segment->size() == 0) continue;
    ASSIGN_OR_RETURN(auto file, segment->file());
    uint8_t bytes[record::kBatchHeaderBytes];
    ASSIGN_OR_RETURN(size_t got, file->read_at(0, bytes));
    note_read(segment);
    auto header = record::read_header({bytes, got});
    if (!header.ok()) return {};
    int64_t age_ms = saturating_subtract(clock_.wall_ms(), header->max_timestamp_ms);
    scope.backlog.overdue = age_ms > config.max_compaction_lag_ms;
    return {};
  }
  return {};
}

Status PartitionLogImpl::note_compacted(Offset to) {
  std::lock_guard flushing(flush_mutex_);
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
    cleaned_to_ = to;
  }
  checkpoint_.cleaned_to = to;
  return checkpoint_file_->write(checkpoint_, /*synced=*/false);
}

// Nobody knows which of the old and the new files there are. What is in memory still reads right; a start sorts it out.
Error PartitionLogImpl::stop_compacting(const Error& error) {
  std::lock_guard lock(mutex_);
  compaction_failure_ = error.in("the log in " + directory_ + " is not compacted until the next start");
  return *compaction_failure_;
}

Error PartitionLogImpl::damaged_source(const Segment& segment, uint64_t position) const {
  return Error{ErrorCode::kCorrupt, segment.log_path() + " is damaged at byte " + std::to_string(position) +
                                        ": the log is not compacted, so that nothing more is lost"};
}

}  // namespace headrace::log
