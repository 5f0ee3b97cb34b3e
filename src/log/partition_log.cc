// Appending to a partition's log and reading from it.
#include "log/partition_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/logging.h"
#include "codec/crc32c.h"
#include "log/file_names.h"
#include "log/partition_log_impl.h"
#include "log/producer_snapshot.h"

namespace headrace::log {

Result<std::unique_ptr<PartitionLog>> PartitionLog::open(os::FileSystem& files, os::Clock& clock, std::string directory,
                                                         const LogConfig& config,
                                                         std::shared_ptr<LogResources> resources) {
  auto log = std::make_unique<PartitionLogImpl>(files, clock, directory, config, std::move(resources));
  Status recovered = log->recover();
  if (!recovered.ok()) return recovered.error().in("opening the log in " + directory);
  return std::unique_ptr<PartitionLog>(std::move(log));
}

PartitionLogImpl::PartitionLogImpl(os::FileSystem& files, os::Clock& clock, std::string directory,
                                   const LogConfig& config, std::shared_ptr<LogResources> resources)
    : files_(files),
      clock_(clock),
      directory_(std::move(directory)),
      resources_(std::move(resources)),
      config_(config) {}

PartitionLogImpl::~PartitionLogImpl() {
  std::lock_guard lock(mutex_);
  mark_closed();
}

int64_t PartitionLogImpl::uptime_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic()).count();
}

Status PartitionLogImpl::writable() const {
  if (closed_) return Error{ErrorCode::kClosed, "the log in " + directory_ + " is closed"};
  if (failure_) {
    return Error{ErrorCode::kIo, fmt::format("the log in {} takes no more writes ({}); check the disk and restart",
                                             directory_, failure_->message)};
  }
  return {};
}

Result<AppendResult> PartitionLogImpl::append(std::span<const record::Batch> batches, LeaderEpoch epoch) {
  CHECK(!batches.empty());
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(writable());
  RETURN_IF_ERROR(stage(batches, epoch));
  ASSIGN_OR_RETURN(auto duplicate, find_duplicates());
  if (duplicate) return *duplicate;
  int64_t now_ms = clock_.wall_ms();
  if (must_roll(now_ms)) RETURN_IF_ERROR(roll(now_ms));
  bool stamp_time = config_.timestamp_type == TimestampType::kLogAppendTime;
  stage_bytes(batches, stamp_time ? now_ms : -1);
  bool preallocate = !resources_ || resources_->preallocate.load(std::memory_order_relaxed);
  Status written = active()->write(staging_.parts, staging_.bytes, preallocate ? config_.preallocate_bytes_max : 0);
  if (!written.ok()) {
    ErrorCode code = written.error().code;
    bool passes = code == ErrorCode::kOutOfSpace || code == ErrorCode::kUnavailable;
    if (passes) return written.error();
    return fail(written.error());
  }
  AppendResult result{.base_offset = log_end_, .append_time_ms = stamp_time ? now_ms : -1};
  take_over();
  result.last_offset = log_end_ - 1;
  result.log_end = log_end_;
  return result;
}

// Reads the headers into staging_, with their offsets assigned.
Status PartitionLogImpl::stage(std::span<const record::Batch> batches, LeaderEpoch epoch) {
  staging_.headers.clear();
  staging_.markers.clear();
  staging_.bytes = 0;
  Offset next = log_end_;
  for (const record::Batch& batch : batches) {
    if (batch.size() > kBatchBytesMax) {
      return Error{ErrorCode::kTooLarge,
                   fmt::format("a batch of {} bytes, over the log's limit of {}", batch.size(), kBatchBytesMax)};
    }
    ASSIGN_OR_RETURN(auto marker, record::read_marker(batch.header(), batch.bytes().view()));
    record::BatchHeader header = batch.header();
    header.base_offset = next;
    header.partition_leader_epoch = epoch;
    next = header.next_offset();
    staging_.bytes += batch.size();
    staging_.headers.push_back(header);
    staging_.markers.push_back(marker);
  }
  if (staging_.bytes > kSegmentBytesMax) return Error{ErrorCode::kTooLarge, "an append larger than a segment can be"};
  return {};
}

// Checks what is staged against the producers; the answer when all of it was appended before.
Result<std::optional<AppendResult>> PartitionLogImpl::find_duplicates() const {
  std::map<ProducerId, ProducerState> pending;  // As producers would be after the batches checked so far.
  std::optional<ProducerBatch> first, last;
  size_t duplicates = 0;
  for (const record::BatchHeader& header : staging_.headers) {
    auto ahead = pending.find(header.producer_id);
    const ProducerState* state = ahead != pending.end() ? &ahead->second : producers_.find(header.producer_id);
    ASSIGN_OR_RETURN(auto check, producers_.check(header, state));
    if (check.duplicate) {
      if (!first) first = *check.duplicate;
      last = *check.duplicate;
      ++duplicates;
    } else if (staging_.headers.size() > 1 && header.producer_id.value >= 0 && !header.is_control()) {
      ProducerState next = state ? *state : ProducerState();
      apply_data(next, header);
      pending[header.producer_id] = next;
    }
  }
  if (duplicates == 0) return std::optional<AppendResult>();
  if (duplicates != staging_.headers.size()) {
    return Error{ErrorCode::kInvalidArgument, "some of the batches were appended before, others not"};
  }
  return std::optional(duplicate_of(*first, *last));
}

AppendResult PartitionLogImpl::duplicate_of(const ProducerBatch& first, const ProducerBatch& last) const {
  AppendResult result{.base_offset = first.first_offset(), .last_offset = last.last_offset, .duplicate = true};
  result.log_end = last.last_offset + 1;
  if (config_.timestamp_type == TimestampType::kLogAppendTime) result.append_time_ms = last.timestamp_ms;
  return result;
}

// Prepares the bytes to write: the front of each batch from a copy that carries what the broker assigns, the rest from
// the batch itself.
void PartitionLogImpl::stage_bytes(std::span<const record::Batch> batches, int64_t append_time_ms) {
  staging_.front.resize(batches.size());
  staging_.parts.clear();
  for (size_t i = 0; i < batches.size(); ++i) {
    BytesView bytes = batches[i].bytes().view();
    record::BatchHeader& header = staging_.headers[i];
    auto& front = staging_.front[i];
    BytesView rest = bytes.subspan(record::kBatchHeaderBytes);
    if (append_time_ms >= 0) {
      header.attributes |= record::kLogAppendTimeBit;
      header.max_timestamp_ms = append_time_ms;
      record::write_header(header, front);
      header.crc = codec::crc32c(rest, codec::crc32c(BytesView(front).subspan(record::kBatchCrcFrom)));
      record::write_header(header, front);
    } else {
      std::memcpy(front.data(), bytes.data(), front.size());
      record::stamp(front, header.base_offset, header.partition_leader_epoch);
    }
    staging_.parts.push_back(front);
    if (!rest.empty()) staging_.parts.push_back(rest);
  }
}

bool PartitionLogImpl::must_roll(int64_t now_ms) const {
  const Segment& segment = *active();
  uint64_t size = segment.size();
  if (size == 0) return false;
  const record::BatchHeader& last = staging_.headers.back();
  if (size + staging_.bytes > std::min<uint64_t>(static_cast<uint64_t>(config_.segment_bytes), kSegmentBytesMax))
    return true;
  if (last.last_offset() - segment.base() > INT32_MAX) return true;
  // Time passes as the records will say, where they say it, so that replayed history rolls as it once did.
  int64_t latest_ms = config_.timestamp_type == TimestampType::kLogAppendTime ? now_ms : last.max_timestamp_ms;
  bool by_records = segment.first_timestamp_ms() >= 0 && latest_ms >= 0;
  int64_t age = by_records ? latest_ms - segment.first_timestamp_ms() : now_ms - segment.created_ms();
  // A record must be able to get out of the active segment in time to be compacted.
  int64_t age_max = config_.segment_ms;
  if (config_.compact_enabled) age_max = std::min(age_max, config_.max_compaction_lag_ms);
  return age > age_max;
}

PartitionLogImpl::SegmentPtr PartitionLogImpl::make_segment(Offset base) const {
  return std::make_shared<Segment>(files_, directory_, base, resources_ ? &resources_->open_files : nullptr);
}

// Starts a new segment at the log's end. Nothing changes when that fails.
Status PartitionLogImpl::roll(int64_t now_ms) {
  SegmentPtr next = make_segment(log_end_);
  RETURN_IF_ERROR(next->create(now_ms));
  rolled_.push_back({active(), encode_producer_snapshot(producers_), log_end_});
  segments_[log_end_] = std::move(next);
  directory_dirty_ = true;
  return {};
}

// What was staged is in the file: counts it in.
void PartitionLogImpl::take_over() {
  Segment& segment = *active();
  int64_t now_ms = uptime_ms();
  for (size_t i = 0; i < staging_.headers.size(); ++i) {
    const record::BatchHeader& header = staging_.headers[i];
    segment.note(header, config_.index_interval_bytes);
    if (auto aborted = producers_.apply(header, staging_.markers[i], now_ms)) segment.note_aborted(*aborted);
  }
  log_end_ = staging_.headers.back().next_offset();
  latest_epoch_ = staging_.headers.back().partition_leader_epoch;
  bytes_since_checkpoint_ += static_cast<int64_t>(staging_.bytes);
  ++stats_.appends;
  producers_.forget_ended_before(high_watermark_held());
}

Error PartitionLogImpl::fail(const Error& error) {
  if (!failure_) {
    failure_ = error;
    failed_.store(true, std::memory_order_release);
    tell_health();
    log_error("the log in {} is out of service for writing: {}", directory_, error.message);
  }
  return writable().error();
}

void PartitionLogImpl::tell_health() {
  if (!resources_ || !resources_->health || closed_) return;
  LogHealth health{failure_, damaged_in_reach()};
  ranges_told_ = health.damaged.size();
  resources_->health->health_changed(directory_, health);
}

// What lies below the start is asked for by nobody.
std::vector<DamagedRange> PartitionLogImpl::damaged_in_reach() const {
  std::vector<DamagedRange> ranges = damaged_;
  std::erase_if(ranges, [this](const DamagedRange& range) { return range.to <= log_start_; });
  return ranges;
}

// What was wrong with a log that is gone is nobody's trouble: its directory may be another one's by now.
void PartitionLogImpl::mark_closed() {
  bool told = resources_ && resources_->health && !closed_ && (failure_ || !damaged_.empty());
  closed_ = true;
  if (told) resources_->health->health_changed(directory_, {});
}

Result<ReadResult> PartitionLogImpl::read(Offset offset, ReadLimits limits, Offset upper) {
  while (true) {
    SegmentPtr segment;
    uint64_t limit;
    bool gaps, inactive;
    {
      std::lock_guard lock(mutex_);
      if (closed_) return Error{ErrorCode::kClosed, "the log in " + directory_ + " is closed"};
      if (offset < log_start_ || offset > log_end_) return outside(offset);
      upper = std::min(upper, log_end_);
      if (offset >= upper) return ReadResult{{}, {}, offset};
      if (auto damage = damage_at(offset)) return *damage;
      auto at = std::prev(segments_.upper_bound(offset));
      segment = at->second;
      limit = segment->size();
      gaps = has_gaps_;
      inactive = std::next(at) != segments_.end();
    }
    if (auto there = segment->checked_range(offset, limits.range_max, upper, limit, gaps)) {
      if (inactive) note_read(segment);
      return ReadResult{{}, std::move(there->range), there->next_offset};
    }
    if (limits.range_only) return ReadResult{{}, {}, offset};
    auto found = segment->read(offset, limits.memory_max, upper, limit, gaps);
    if (inactive) note_read(segment);
    bool useless = !found.ok() || found->batches.empty();
    if (useless && was_removed(segment)) continue;
    if (!found.ok()) return found.error().in("reading offset " + std::to_string(offset.value));
    if (found->batches.empty() && !gaps && !found->bad_position) found->bad_position = limit;  // The file was cut.
    if (found->bad_position) return take_out_of_service(*segment, *found);
    if (!found->batches.empty()) return ReadResult{std::move(found->batches), {}, found->next_offset};
    // Compaction may have emptied the segment's end; the search goes on in the next one.
    std::lock_guard lock(mutex_);
    auto next = segments_.upper_bound(offset);
    if (!gaps) return ReadResult{{}, {}, offset};
    if (next == segments_.end() || next->first >= upper) return ReadResult{{}, {}, upper};
    offset = next->first;
  }
}

Error PartitionLogImpl::outside(Offset offset) const {
  return {ErrorCode::kOutOfRange, fmt::format("offset {} is outside of [{}, {}] in {}", offset.value, log_start_.value,
                                              log_end_.value, directory_)};
}

Offset PartitionLog::behind_damage(Offset offset) const {
  for (const DamagedRange& range : damaged_ranges()) {
    if (range.from <= offset && offset < range.to) return range.to;
  }
  return offset;
}

std::optional<Error> PartitionLogImpl::damage_at(Offset offset) const {
  for (const DamagedRange& range : damaged_) {
    if (offset < range.from || offset >= range.to) continue;
    return Error{ErrorCode::kCorrupt,
                 fmt::format("{} is damaged at byte {}: offsets {} to {} can't be read, {} can", range.file,
                             range.position, range.from.value, range.to.value - 1, range.to.value)};
  }
  return std::nullopt;
}

Error PartitionLogImpl::take_out_of_service(const Segment& segment, const SegmentRead& found) {
  std::lock_guard lock(mutex_);
  auto next = segments_.upper_bound(segment.base());
  Offset to = found.good_from;
  if (to == kNoOffset) to = next == segments_.end() ? log_end_ : next->first;
  DamagedRange range{found.bad_from, std::max(to, found.bad_from + 1), segment.log_path(), *found.bad_position};
  if (!damage_at(range.from)) {
    damaged_.push_back(range);
    tell_health();
    log_error("{}", damage_at(range.from)->message);
  }
  return *damage_at(range.from);
}

// Whether retention took the segment away while somebody was reading it.
bool PartitionLogImpl::was_removed(const SegmentPtr& segment) const {
  std::lock_guard lock(mutex_);
  auto at = segments_.find(segment->base());
  return at == segments_.end() || at->second != segment;
}

// Keeps few inactive segments open.
void PartitionLogImpl::note_read(const SegmentPtr& segment) {
  SegmentPtr oldest;
  {
    std::lock_guard lock(mutex_);
    std::erase(loaded_, segment);
    auto at = segments_.find(segment->base());
    if (at == segments_.end() || at->second != segment) return;
    loaded_.push_back(segment);
    if (loaded_.size() <= kLoadedSegmentsMax) return;
    oldest = loaded_.front();
    loaded_.erase(loaded_.begin());
  }
  oldest->release();
}

Offset PartitionLogImpl::high_watermark_held() const {
  return config_.flush_policy == FlushPolicy::kOs ? log_end_ : durable_end_;
}

Offset PartitionLogImpl::log_start_offset() const {
  std::lock_guard lock(mutex_);
  return log_start_;
}
Offset PartitionLogImpl::log_end_offset() const {
  std::lock_guard lock(mutex_);
  return log_end_;
}
Offset PartitionLogImpl::durable_end() const {
  std::lock_guard lock(mutex_);
  return durable_end_;
}
Offset PartitionLogImpl::high_watermark() const {
  std::lock_guard lock(mutex_);
  return high_watermark_held();
}
Offset PartitionLogImpl::last_stable_offset() const {
  std::lock_guard lock(mutex_);
  Offset watermark = high_watermark_held();
  return std::max(log_start_, producers_.last_stable(watermark, watermark));
}
LeaderEpoch PartitionLogImpl::latest_epoch() const {
  std::lock_guard lock(mutex_);
  return latest_epoch_;
}
LogConfig PartitionLogImpl::config() const {
  std::lock_guard lock(mutex_);
  return config_;
}
void PartitionLogImpl::set_config(const LogConfig& config) {
  std::lock_guard lock(mutex_);
  config_ = config;
}

int64_t PartitionLogImpl::size_bytes() const {
  std::lock_guard lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [base, segment] : segments_) bytes += static_cast<int64_t>(segment->size());
  return bytes;
}

LogStats PartitionLogImpl::stats() const {
  int64_t bytes = size_bytes();
  std::lock_guard lock(mutex_);
  LogStats stats = stats_;
  stats.bytes = bytes;
  stats.segments = static_cast<int64_t>(segments_.size());
  stats.producers = static_cast<int64_t>(producers_.all().size());
  return stats;
}

std::vector<DamagedRange> PartitionLogImpl::damaged_ranges() const {
  std::lock_guard lock(mutex_);
  return damaged_;
}

std::optional<Error> PartitionLogImpl::out_of_service() const {
  if (!failed_.load(std::memory_order_acquire)) return std::nullopt;
  std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace headrace::log
