#include "broker/partition.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/logging.h"
#include "base/saturate.h"
#include "broker/disk_space.h"
#include "broker/flusher.h"
#include "record/producer_fields.h"
#include "record/recompress.h"
#include "record/records_summary.h"

namespace headrace::broker {
namespace {

constexpr size_t kPruneWaitingMin = 16;
/// How often flush=interval flushes when flush.ms is not set.
constexpr std::chrono::milliseconds kFlushInterval{1000};
/// How often flush=os does, which bounds what a start has to scan.
constexpr std::chrono::milliseconds kOsFlushInterval{60000};
/// However small segments are, so much may wait for the kernel to write it.
constexpr int64_t kUnflushedBytesMin = 64 << 20;
/// What checking a compressed batch of a compacted topic may decompress to.
constexpr size_t kCheckedBytesMax = 64 << 20;
constexpr int64_t kNoTimestamp = -1;

Error refused(const TopicPartition& tp, ErrorCode code, std::string_view why) {
  return {code, "appending to " + to_string(tp) + ": " + std::string(why)};
}

/// The times that a topic's records may carry, in ms since 1970, both included.
struct TimeBounds {
  int64_t earliest_ms = std::numeric_limits<int64_t>::min();
  int64_t latest_ms = std::numeric_limits<int64_t>::max();
};

TimeBounds time_bounds(const TopicConfig& config, int64_t now_ms) {
  TimeBounds bounds;
  if (config.log.timestamp_type != log::TimestampType::kCreateTime) return bounds;
  bounds.latest_ms = saturating_add(now_ms, config.timestamp_after_max_ms);
  if (config.timestamp_before_max_ms < std::numeric_limits<int64_t>::max())
    bounds.earliest_ms = saturating_subtract(now_ms, config.timestamp_before_max_ms);
  return bounds;
}

Status check_time(const TopicPartition& tp, int64_t timestamp_ms, const TimeBounds& bounds) {
  if (timestamp_ms > bounds.latest_ms)
    return refused(tp, ErrorCode::kOutOfRange, "a timestamp is after message.timestamp.after.max.ms");
  if (timestamp_ms >= 0 && timestamp_ms < bounds.earliest_ms)
    return refused(tp, ErrorCode::kOutOfRange, "a timestamp is before message.timestamp.before.max.ms");
  return {};
}

/// Records can be read to their end, have times within the bounds, and keys where compaction needs them. A compressed
/// batch is only opened when one of these can't be told from its header, or when it is to be compressed anew. The
/// answer is the latest time that the header is to have: that of the records, as Kafka's LogValidator writes it.
Result<int64_t> check_records(const TopicPartition& tp, const record::Batch& batch, const TopicConfig& config,
                              const TimeBounds& bounds) {
  codec::Compression codec = batch.header().compression();
  bool keys_needed = config.log.compact_enabled;
  bool times_needed = bounds.earliest_ms != TimeBounds().earliest_ms;
  bool compressed_anew = config.compression && *config.compression != codec;
  if (codec != codec::Compression::kNone && !keys_needed && !times_needed && !compressed_anew)
    return batch.header().max_timestamp_ms;
  auto records = record::summarize_records(batch, kCheckedBytesMax);
  if (!records.ok()) return records.error().in("appending to " + to_string(tp));
  if (keys_needed && !records->all_have_keys)
    return refused(tp, ErrorCode::kInvalidArgument, "a compacted topic takes no records without key");
  RETURN_IF_ERROR(check_time(tp, records->latest_ms, bounds));
  RETURN_IF_ERROR(check_time(tp, records->earliest_ms, {.earliest_ms = bounds.earliest_ms}));
  bool of_records = config.log.timestamp_type == log::TimestampType::kCreateTime;
  return of_records ? std::max(records->latest_ms, kNoTimestamp) : batch.header().max_timestamp_ms;
}

/// Whether so few bytes can hold as many records as the batch says. A compressed batch is not opened for it: what no
/// compression can reach is enough to keep a few bytes from taking offsets by the billion.
bool can_hold_its_records(const record::Batch& batch) {
  constexpr int64_t kRecordBytesMin = 7;      // Length, attributes, two deltas, no key, no value, no headers.
  constexpr int64_t kRatioMax = 1100;         // Deflate reaches 1032; Snappy and LZ4 less.
  constexpr int64_t kZstdRatioMax = 1 << 17;  // A block of 128 KiB, one byte again and again, takes 4 bytes.
  int64_t ratio = 1;
  if (batch.header().compression() != codec::Compression::kNone) ratio = kRatioMax;
  if (batch.header().compression() == codec::Compression::kZstd) ratio = kZstdRatioMax;
  auto bytes = static_cast<int64_t>(batch.size() - record::kBatchHeaderBytes);
  return batch.header().record_count <= bytes * ratio / kRecordBytesMin;
}

/// The batches in the codec that the topic wants; nothing when they all have it.
Result<std::vector<record::Batch>> recompressed(std::span<const record::Batch> batches, codec::Compression codec) {
  std::vector<record::Batch> changed;
  bool all_have_it = std::all_of(batches.begin(), batches.end(),
                                 [&](const record::Batch& batch) { return batch.header().compression() == codec; });
  if (all_have_it) return changed;
  for (const record::Batch& batch : batches) {
    ASSIGN_OR_RETURN(record::Batch one, record::with_compression(batch, codec, kCheckedBytesMax));
    changed.push_back(std::move(one));
  }
  return changed;
}

int64_t total_bytes(std::span<const record::Batch> batches) {
  int64_t bytes = 0;
  for (const record::Batch& batch : batches) bytes += static_cast<int64_t>(batch.size());
  return bytes;
}

}  // namespace

Partition::Partition(TopicPartition tp, std::unique_ptr<log::PartitionLog> log, const TopicConfig& config,
                     LeaderEpoch epoch, Flusher& flusher, os::Clock& clock, TopicMetricsRef metrics,
                     DiskSpace* disk_space)
    : tp_(std::move(tp)),
      leader_epoch_(epoch),
      log_(std::move(log)),
      flusher_(flusher),
      clock_(clock),
      metrics_(std::move(metrics)),
      disk_space_(disk_space),
      config_(config),
      seen_high_watermark_(log_->high_watermark()),
      seen_last_stable_(log_->last_stable_offset()) {}

Partition::~Partition() = default;

Error Partition::gone() const {
  if (deleted()) return {ErrorCode::kNotFound, to_string(tp_) + " was deleted"};
  return {ErrorCode::kClosed, to_string(tp_) + ": the broker is closing"};
}

Status Partition::check_sizes(std::span<const record::Batch> batches, const TopicConfig& config) const {
  for (const record::Batch& batch : batches) {
    if (static_cast<int64_t>(batch.size()) <= config.max_message_bytes) continue;
    return refused(tp_, ErrorCode::kTooLarge,
                   "a batch of " + std::to_string(batch.size()) +
                       " bytes is over max.message.bytes=" + std::to_string(config.max_message_bytes));
  }
  return {};
}

/// `restamped`: all batches, where the header of one does not tell the latest time of its records; else nothing.
Status Partition::check(std::span<const record::Batch> batches, const TopicConfig& config,
                        std::vector<record::Batch>& restamped) const {
  if (batches.empty()) return refused(tp_, ErrorCode::kInvalidArgument, "no batch");
  RETURN_IF_ERROR(check_sizes(batches, config));
  TimeBounds bounds = time_bounds(config, clock_.wall_ms());
  for (size_t i = 0; i < batches.size(); ++i) {
    const record::Batch& batch = batches[i];
    const record::BatchHeader& header = batch.header();
    if (header.is_control()) return refused(tp_, ErrorCode::kInvalidArgument, "clients write no control batches");
    if (header.attributes & record::kLogAppendTimeBit)
      return refused(tp_, ErrorCode::kOutOfRange, "only the broker says that a batch has the time of its append");
    if (header.delete_horizon_ms())
      return refused(tp_, ErrorCode::kInvalidArgument, "only compaction sets a delete horizon");
    if (header.record_count <= 0 || header.last_offset_delta != header.record_count - 1 ||
        !can_hold_its_records(batch)) {
      return refused(tp_, ErrorCode::kInvalidArgument, "record count and offsets do not fit together");
    }
    RETURN_IF_ERROR(check_time(tp_, header.max_timestamp_ms, {.latest_ms = bounds.latest_ms}));
    RETURN_IF_ERROR(check_time(tp_, header.base_timestamp_ms, bounds));
    ASSIGN_OR_RETURN(int64_t latest_ms, check_records(tp_, batch, config, bounds));
    if (latest_ms == header.max_timestamp_ms) continue;
    if (restamped.empty()) restamped.assign(batches.begin(), batches.end());
    restamped[i] = record::with_max_timestamp(batch, latest_ms);
  }
  return {};
}

void Partition::produce(std::span<const record::Batch> batches, ProducedCallback done) {
  TopicConfig config = this->config();
  std::vector<record::Batch> restamped;
  Status status = check(batches, config, restamped);
  if (!restamped.empty()) batches = restamped;
  if (status.ok() && disk_space_ && !closed_) status = disk_space_->admit(total_bytes(batches));
  if (!status.ok()) return done(status.error());
  if (!config.compression) return append(batches, /*on_disk=*/false, std::move(done));
  auto changed = recompressed(batches, *config.compression);
  if (!changed.ok()) return done(changed.error().in("appending to " + to_string(tp_)));
  if (changed->empty()) return append(batches, /*on_disk=*/false, std::move(done));
  if (Status sizes = check_sizes(*changed, config); !sizes.ok()) return done(sizes.error());
  append(*changed, /*on_disk=*/false, std::move(done));
}

void Partition::append_marker(const record::Batch& marker, ProducedCallback done) {
  append(std::span(&marker, 1), /*on_disk=*/true, std::move(done));
}

void Partition::append(std::span<const record::Batch> batches, bool on_disk, ProducedCallback done) {
  int64_t bytes = total_bytes(batches);
  std::optional<Error> failure;
  bool wait_for_disk = true, flush_due = false;
  {
    std::shared_lock life(life_mutex_);
    std::lock_guard lock(append_mutex_);
    if (closed_) {
      failure = gone();
    } else if (refusal_ && !on_disk) {
      failure = refusal_;
    } else {
      // A transaction is decided only when its records are on the disk, or a power loss could take a part of it.
      bool in_transaction = std::any_of(batches.begin(), batches.end(),
                                        [](const auto& batch) { return batch.header().is_transactional(); });
      wait_for_disk = on_disk || in_transaction || config_.log.flush_policy == log::FlushPolicy::kBeforeAck;
      auto appended = log_->append(batches, leader_epoch_);
      if (!appended.ok()) {
        failure = appended.error().in("appending to " + to_string(tp_));
      } else {
        Produced produced{appended->base_offset, appended->append_time_ms, log_->log_start_offset(),
                          appended->duplicate};
        if (!wait_for_disk) flush_due = count_unflushed(batches, bytes);
        std::lock_guard wait_lock(wait_mutex_);
        pending_.push_back({appended->log_end, bytes, wait_for_disk, produced, std::move(done)});
      }
    }
  }
  if (failure) return done(*failure);
  count(batches);
  if (wait_for_disk) {
    flusher_.enqueue(shared_from_this());
  } else {
    acknowledge(log_->durable_end(), log_->high_watermark(), std::nullopt);
    if (flush_due) flusher_.enqueue(shared_from_this());
  }
}

void Partition::refuse_records(Error why) {
  std::lock_guard lock(append_mutex_);
  refusal_ = std::move(why);
}

/// Whether flush.messages records came since the last time that it said so, or as many bytes as a segment has: a start
/// scans what was never flushed.
bool Partition::count_unflushed(std::span<const record::Batch> batches, int64_t bytes) {
  for (const record::Batch& batch : batches) unflushed_records_ += batch.header().record_count;
  unflushed_bytes_ += bytes;
  bool much = unflushed_bytes_ >= std::max(config_.log.segment_bytes, kUnflushedBytesMin);
  if (unflushed_records_ < config_.flush_messages && !much) return false;
  unflushed_records_ = unflushed_bytes_ = 0;
  return true;
}

void Partition::count(std::span<const record::Batch> batches) {
  int64_t records = 0, bytes = 0;
  for (const record::Batch& batch : batches) {
    records += batch.header().record_count;
    bytes += static_cast<int64_t>(batch.size());
  }
  metrics_->records_in->add(records);
  metrics_->bytes_in->add(bytes);
}

bool Partition::flush_now() {
  Status status;
  Offset durable, visible;
  {
    std::shared_lock life(life_mutex_);
    if (closed_) return true;
    status = log_->flush();
    if (status.ok() && flush_policy_due_) {
      std::lock_guard lock(append_mutex_);
      status = take_up_config();
    }
    durable = log_->durable_end();
    visible = log_->high_watermark();
  }
  bool delayed = !status.ok() && status.error().code == ErrorCode::kUnavailable;
  bool told = std::exchange(flush_delayed_, delayed);
  if (delayed) {
    if (!told) log_warn("flushing {}: {}; it is tried again", to_string(tp_), status.error().message);
    return false;
  }
  std::optional<Error> failure;
  if (!status.ok()) {
    failure = status.error().in("flushing " + to_string(tp_));
    log_error("{}; it takes no more records", failure->message);
  }
  acknowledge(durable, visible, failure);
  return true;
}

void Partition::acknowledge(Offset durable, Offset visible, const std::optional<Error>& failure) {
  std::vector<PendingAck> answered;
  std::deque<PendingAck> failed;
  int64_t bytes = 0;
  {
    std::lock_guard lock(wait_mutex_);
    while (!pending_.empty() && pending_.front().end <= (pending_.front().on_disk ? durable : visible)) {
      bytes += pending_.front().bytes;
      answered.push_back(std::move(pending_.front()));
      pending_.pop_front();
    }
    if (failure) failed.swap(pending_);
  }
  for (PendingAck& ack : answered) ack.done(ack.produced);
  for (PendingAck& ack : failed) ack.done(*failure);
  wake_readers(bytes);
}

void Partition::wake_readers(int64_t bytes) {
  std::vector<std::pair<std::shared_ptr<DataWaiter>, int64_t>> woken;
  {
    std::lock_guard lock(wait_mutex_);
    Offset high_watermark = log_->high_watermark(), last_stable = log_->last_stable_offset();
    bool were_level = seen_last_stable_ == seen_high_watermark_;
    bool high_moved = high_watermark > seen_high_watermark_, stable_moved = last_stable > seen_last_stable_;
    seen_high_watermark_ = std::max(seen_high_watermark_, high_watermark);
    seen_last_stable_ = std::max(seen_last_stable_, last_stable);
    if (!high_moved && !stable_moved) return;
    // How many bytes a moved last stable offset freed is not counted: those readers look for themselves.
    constexpr int64_t kEnough = std::numeric_limits<int64_t>::max() / 2;
    for (Waiting& waiting : waiting_) {
      bool committed = waiting.isolation == bus::Isolation::kReadCommitted;
      if (!(committed ? stable_moved : high_moved)) continue;
      bool exact = !committed || (were_level && last_stable == high_watermark && high_moved);
      woken.emplace_back(waiting.waiter, exact ? std::max<int64_t>(bytes, 1) : kEnough);
    }
  }
  for (auto& [waiter, n] : woken) waiter->add_bytes(n);
  std::lock_guard lock(wait_mutex_);
  std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.waiter->done(); });
}

void Partition::add_waiter(std::shared_ptr<DataWaiter> waiter, Offset seen_end, bus::Isolation isolation) {
  bool fire = false;
  {
    std::lock_guard lock(wait_mutex_);
    fire = closed_ || readable_end(isolation) > seen_end;
    if (!fire) {
      if (waiting_.size() >= prune_waiting_at_) {
        std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.waiter->done(); });
        prune_waiting_at_ = std::max(kPruneWaitingMin, waiting_.size() * 2);
      }
      waiting_.push_back({waiter, isolation});
    }
  }
  if (fire) waiter->fire();
}

void Partition::fire_all_waiters() {
  std::vector<Waiting> all;
  {
    std::lock_guard lock(wait_mutex_);
    all.swap(waiting_);
  }
  for (Waiting& waiting : all) waiting.waiter->fire();
}

Result<FetchedData> Partition::read(Offset offset, log::ReadLimits limits, bus::Isolation isolation) {
  std::shared_lock life(life_mutex_);
  if (closed_) return gone();
  FetchedData data;
  // The last stable offset first: it never passes a high watermark that is read after it.
  data.last_stable = log_->last_stable_offset();
  data.high_watermark = log_->high_watermark();
  bool committed = isolation == bus::Isolation::kReadCommitted;
  Offset upper = committed ? data.last_stable : data.high_watermark;
  log::ReadResult read;
  for (std::optional<uint64_t> replacements; replacements != log_->replacements();) {
    replacements = log_->replacements();
    ASSIGN_OR_RETURN(read, log_->read(offset, limits, upper));
    bool found = !read.batches.empty() || !read.range.empty();
    if (!committed || !found) break;
    // Where retention took the segment away meanwhile, this is out of range, and so is the read.
    ASSIGN_OR_RETURN(data.aborted, log_->aborted_transactions(offset, read.next_offset));
  }
  data.log_start = log_->log_start_offset();
  metrics_->bytes_out->add(static_cast<int64_t>(read.batches.size() + read.range.size));
  data.batches = std::move(read.batches);
  data.range = std::move(read.range);
  data.next_offset = read.next_offset;
  return data;
}

Result<log::TimestampOffset> Partition::offset_for(bus::OffsetQuery query, bus::Isolation isolation) {
  std::shared_lock life(life_mutex_);
  if (closed_) return gone();
  Offset end = readable_end(isolation);
  switch (query.kind) {
    case bus::OffsetQuery::Kind::kEarliest: return log::TimestampOffset{log_->log_start_offset(), -1};
    case bus::OffsetQuery::Kind::kLatest: return log::TimestampOffset{end, -1};
    case bus::OffsetQuery::Kind::kTimestamp: break;
  }
  ASSIGN_OR_RETURN(std::optional<log::TimestampOffset> found, log_->offset_for_timestamp(query.timestamp_ms));
  if (found && found->offset < end) return *found;
  return log::TimestampOffset{end, -1};
}

void Partition::set_config(const TopicConfig& config) {
  std::shared_lock life(life_mutex_);
  std::lock_guard lock(append_mutex_);
  config_ = config;
  if (closed_) return;
  Status status = take_up_config();
  if (!status.ok())
    log_warn("flushing {}: {}; it goes on as before until it is", to_string(tp_), status.error().message);
  if (flush_policy_due_) flusher_.enqueue(shared_from_this());
}

/// What readers have seen stays to be seen: a log that shows what is not on the disk goes on so until it could be
/// flushed, as its high watermark never goes back.
Status Partition::take_up_config() {
  using log::FlushPolicy;
  log::LogConfig config = config_.log;
  FlushPolicy before = log_->config().flush_policy;
  bool stricter = before == FlushPolicy::kOs && config.flush_policy != FlushPolicy::kOs;
  Status flushed = stricter ? log_->flush() : Status();
  if (!flushed.ok()) config.flush_policy = before;
  flush_policy_due_ = !flushed.ok();
  log_->set_config(config);
  return flushed;
}

TopicConfig Partition::config() const {
  std::lock_guard lock(append_mutex_);
  return config_;
}

int64_t Partition::apply_retention() {
  std::shared_lock life(life_mutex_);
  if (closed_) return 0;
  auto removed = log_->delete_old_segments();
  if (!removed.ok()) log_warn("removing old segments of {}: {}", to_string(tp_), removed.error().message);
  log_->release_idle_resources();
  return removed.ok() ? *removed : 0;
}

Result<log::CompactionBacklog> Partition::compaction_backlog() {
  std::shared_lock life(life_mutex_);
  if (closed_) return gone();
  return log_->compaction_backlog();
}

Result<log::CompactionReport> Partition::compact(log::CompactionOptions options) {
  std::shared_lock life(life_mutex_);
  if (closed_) return gone();
  options.pace = [this, pace = std::move(options.pace)](int64_t bytes) mutable {
    return !closed_ && (!pace || pace(bytes));
  };
  auto report = log_->compact(std::move(options));
  log_->release_idle_resources();
  return report;
}

int64_t Partition::drop_oldest_segment() {
  std::shared_lock life(life_mutex_);
  if (closed_) return 0;
  auto dropped = log_->drop_oldest_segment();
  if (dropped.ok()) return *dropped;
  log_warn("deleting the oldest records of {}: {}", to_string(tp_), dropped.error().message);
  return 0;
}

void Partition::give_back_room() {
  std::shared_lock life(life_mutex_);
  if (closed_) return;
  Status cut = log_->give_back_room();
  if (!cut.ok()) log_warn("{}: {}", to_string(tp_), cut.error().message);
}

bool Partition::lazy_flush_due(std::chrono::nanoseconds now) {
  TopicConfig config = this->config();
  if (config.log.flush_policy != log::FlushPolicy::kOs || now < lazy_flush_at_) return false;
  auto fallback = config.flush_by_interval ? kFlushInterval : kOsFlushInterval;
  lazy_flush_at_ = now + config.flush_interval.value_or(fallback);
  return log_->durable_end() < log_->log_end_offset();
}

Status Partition::shut_down(bool destroy) {
  {
    std::lock_guard lock(append_mutex_);
    if (closed_) return {};
    deleted_ = destroy;
    closed_ = true;
  }
  acknowledge(kNoOffset, kNoOffset, gone());
  fire_all_waiters();
  std::unique_lock life(life_mutex_);
  return destroy ? log_->destroy() : log_->close();
}

}  // namespace headrace::broker
