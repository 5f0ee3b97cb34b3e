// Making the log durable: group commit, what follows a roll, checkpoints, the end.
#include <fmt/format.h>

#include <atomic>

#include "base/logging.h"
#include "log/file_names.h"
#include "log/partition_log_impl.h"
#include "log/producer_snapshot.h"

namespace headrace::log {

Status PartitionLogImpl::flush() {
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
    if (durable_end_ == log_end_) return {};
  }
  std::lock_guard flushing(flush_mutex_);
  return flush_held(Checkpointing::kWhenDue);
}

Status PartitionLogImpl::checkpoint() {
  std::lock_guard flushing(flush_mutex_);
  return flush_held(Checkpointing::kNow);
}

Status PartitionLogImpl::flush_held(Checkpointing checkpointing) {
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(writable());
  }
  if (checkpointing != Checkpointing::kWhenDue && checkpoint_is_current()) return {};
  auto pass = begin_pass(checkpointing);
  if (!pass) return {};
  Status synced = sync_pass(*pass);
  if (!synced.ok() && synced.error().code == ErrorCode::kUnavailable) {
    take_back(*std::move(pass));
    return synced.error();
  }
  if (!synced.ok()) {
    // Into the page cache, which is what the next start must not trust; a restart of the machine empties it.
    checkpoint_.sync_failed = true;
    if (checkpoint_file_) (void)checkpoint_file_->write(checkpoint_, /*synced=*/false);
    std::lock_guard lock(mutex_);
    return fail(synced.error());
  }
  {
    std::lock_guard lock(mutex_);
    durable_end_ = pass->target;
    ++stats_.flushes;
    checkpoint_.log_start = log_start_;
    producers_.forget_ended_before(high_watermark_held());
  }
  checkpoint_.durable = {pass->target, pass->active->base(), pass->position};
  bool rolled = !pass->rolled.empty();
  unfinished_.insert(unfinished_.end(), std::move_iterator(pass->rolled.begin()),
                     std::move_iterator(pass->rolled.end()));
  if (rolled) (void)finish_unfinished();
  // A roll is noted for certain: recovery judges a segment that others follow by it.
  Status noted = pass->checkpoint ? write_checkpoint(*pass) : checkpoint_file_->write(checkpoint_, /*synced=*/rolled);
  // The log itself is safe: all that is lost is a shorter scan at the next start.
  if (!noted.ok()) log_warn("no checkpoint of the log in {}: {}", directory_, noted.error().message);
  return pass->checkpoint && checkpointing != Checkpointing::kWhenDue ? noted : Status();
}

// Whether the next start would find all as it is now, with nothing to scan. A log that never held anything needs no
// checkpoint, nor that its name is durable.
bool PartitionLogImpl::checkpoint_is_current() const {
  std::lock_guard lock(mutex_);
  if (durable_end_ != log_end_ || !rolled_.empty()) return false;
  if (log_end_ == Offset(0)) return true;
  return checkpoint_.checkpoint.segment == active()->base() && checkpoint_.checkpoint.offset == log_end_ &&
         checkpoint_.log_start == log_start_;
}

// Takes what there is to do; nothing when all is durable.
std::optional<PartitionLogImpl::FlushPass> PartitionLogImpl::begin_pass(Checkpointing checkpointing) {
  std::lock_guard lock(mutex_);
  bool checkpoint = checkpointing != Checkpointing::kWhenDue;
  if (bytes_since_checkpoint_ >= config_.checkpoint_bytes) checkpoint = true;
  if (durable_end_ == log_end_ && rolled_.empty() && !directory_dirty_ && !checkpoint) return std::nullopt;
  FlushPass pass{.target = log_end_, .rolled = std::move(rolled_), .active = active()};
  rolled_.clear();
  pass.position = pass.active->size();
  pass.sync_directory = std::exchange(directory_dirty_, false);
  pass.sync_parent = std::exchange(parent_dirty_, false);
  if (!checkpoint) return pass;
  producers_.expire(uptime_ms() - config_.producer_id_expiration_ms);
  pass.checkpoint = true;
  pass.checkpoint_synced = checkpointing != Checkpointing::kUnsynced;
  pass.no_producers = producers_.all().empty();
  pass.leader_epoch = latest_epoch_.value;
  if (!pass.no_producers) pass.snapshot = encode_producer_snapshot(producers_);
  auto image = pass.active->index_image();
  if (image.ok()) pass.image = *std::move(image);
  pass.bytes_since_checkpoint = std::exchange(bytes_since_checkpoint_, 0);
  return pass;
}

// Of a pass that could not open its files: the next one does the same and more.
void PartitionLogImpl::take_back(FlushPass pass) {
  std::lock_guard lock(mutex_);
  rolled_.insert(rolled_.begin(), std::move_iterator(pass.rolled.begin()), std::move_iterator(pass.rolled.end()));
  directory_dirty_ = directory_dirty_ || pass.sync_directory;
  parent_dirty_ = parent_dirty_ || pass.sync_parent;
  bytes_since_checkpoint_ += pass.bytes_since_checkpoint;
}

// Every fsync that stands between the bytes and an acknowledgement, older segments first.
Status PartitionLogImpl::sync_pass(const FlushPass& pass) {
  for (const Rolled& rolled : pass.rolled) {
    RETURN_IF_ERROR(rolled.segment->trim());
    RETURN_IF_ERROR(rolled.segment->sync());
  }
  RETURN_IF_ERROR(pass.active->sync());
  if (pass.sync_directory) RETURN_IF_ERROR(files_.sync_directory(directory_));
  if (pass.sync_parent) RETURN_IF_ERROR(files_.sync_directory(os::parent_directory(directory_)));
  return {};
}

// Indexes and producers of a rolled segment, written once for good. Where that fails they can be made again from the
// batches: no checkpoint is written behind the segment until it is done. The producers are what the next segment begins
// with, and are wanted longer than this one.
Status PartitionLogImpl::finish_rolled(Rolled& rolled) {
  RETURN_IF_ERROR(finish_snapshot(rolled));
  if (!was_removed(rolled.segment)) {
    ASSIGN_OR_RETURN(auto image, rolled.segment->index_image());
    RETURN_IF_ERROR(rolled.segment->write_indexes(image));
  }
  rolled.segment->release();
  return {};
}

Status PartitionLogImpl::finish_snapshot(Rolled& rolled) {
  if (!rolled.snapshot.empty() && begins_segment(rolled.end)) {
    RETURN_IF_ERROR(os::write_file_atomically(files_, snapshot_path(rolled.end), rolled.snapshot));
  }
  rolled.snapshot.clear();
  return {};
}

// The first error, when all were tried.
Status PartitionLogImpl::finish_unfinished() {
  Status all;
  std::vector<Rolled> left;
  for (Rolled& rolled : unfinished_) {
    Status finished = finish_rolled(rolled);
    if (finished.ok()) continue;
    log_warn("after rolling {}: {}", rolled.segment->log_path(), finished.error().message);
    if (all.ok()) all = finished;
    left.push_back(std::move(rolled));
  }
  unfinished_ = std::move(left);
  return all;
}

// What is wanted before predecessors go. For want of room it may come later: that they go makes room.
Status PartitionLogImpl::finish_snapshots() {
  Status all;
  for (Rolled& rolled : unfinished_) {
    Status finished = finish_snapshot(rolled);
    if (!finished.ok() && finished.error().code != ErrorCode::kOutOfSpace && all.ok()) all = finished;
  }
  return all;
}

bool PartitionLogImpl::begins_segment(Offset offset) const {
  std::lock_guard lock(mutex_);
  return segments_.contains(offset);
}

Status PartitionLogImpl::write_checkpoint(const FlushPass& pass) {
  RETURN_IF_ERROR(finish_unfinished());
  if (!pass.image) return Error{ErrorCode::kIo, "the indexes of " + pass.active->log_path() + " can't be read"};
  RETURN_IF_ERROR(pass.active->write_indexes(*pass.image, pass.checkpoint_synced));
  if (!pass.no_producers) {
    RETURN_IF_ERROR(os::write_file_atomically(files_, snapshot_path(pass.target), pass.snapshot));
  } else if (pass.checkpoint_synced) {
    RETURN_IF_ERROR(files_.sync_directory(directory_));
  }
  Offset before = checkpoint_.checkpoint.offset;
  Checkpoint next = checkpoint_;
  next.checkpoint = next.durable;
  next.index_entries = pass.image->counts.offsets;
  next.time_entries = pass.image->counts.times;
  next.transaction_entries = pass.image->counts.transactions;
  next.no_producers = pass.no_producers;
  next.leader_epoch = pass.leader_epoch;
  RETURN_IF_ERROR(checkpoint_file_->write(next, pass.checkpoint_synced));
  checkpoint_ = next;
  bool of_segment;
  {
    std::lock_guard lock(mutex_);
    of_segment = segments_.contains(before);
  }
  if (before == kNoOffset || before == pass.target || of_segment) return {};
  return os::remove_if_exists(files_, snapshot_path(before));
}

std::string PartitionLogImpl::snapshot_path(Offset offset) const {
  return directory_ + "/" + file_name(offset, kSnapshotSuffix);
}

Status PartitionLogImpl::give_back_room() {
  std::lock_guard lock(mutex_);
  if (closed_ || failure_) return {};
  return active()->trim();
}

void PartitionLogImpl::release_idle_resources() {
  std::lock_guard flushing(flush_mutex_);
  checkpoint_file_->release();
  std::lock_guard lock(mutex_);
  loaded_.clear();
  for (const auto& [base, segment] : segments_) segment->release();
}

Status PartitionLogImpl::close() {
  std::lock_guard removing(removal_mutex_);
  std::lock_guard flushing(flush_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (closed_) return {};
  }
  Status flushed = flush_held(Checkpointing::kUnsynced);
  std::lock_guard lock(mutex_);
  mark_closed();
  if (!flushed.ok()) return flushed;
  return active()->trim();  // Lost in a power loss, it leaves zeros, which recovery takes for the end.
}

Status PartitionLogImpl::destroy() {
  std::lock_guard removing(removal_mutex_);
  std::lock_guard flushing(flush_mutex_);
  std::lock_guard lock(mutex_);
  mark_closed();
  loaded_.clear();
  for (const auto& [base, segment] : segments_) segment->release();
  checkpoint_file_->release();
  static std::atomic<uint64_t> destroyed{0};  // A topic may come and go twice in a millisecond.
  std::string suffix = fmt::format(".{}.{}{}", clock_.wall_ms(), destroyed.fetch_add(1), kDestroyedSuffix);
  return files_.rename(directory_, renamed(directory_, suffix));
}

bool DestroyedLogs::remove(Function<bool()> pausing) {
  auto tell = [this](const std::string& name, const Error& error) {
    if (told_.insert(name).second) log_warn("removing files of deleted topics: {}; it is tried again", error.message);
  };
  auto names = files_.list(data_directory_);
  if (!names.ok()) {
    tell(data_directory_, names.error());
    return true;
  }
  for (const std::string& name : *names) {
    if (!name.ends_with(kDestroyedSuffix) || tried_.contains(name)) continue;
    if (pausing && pausing()) return false;
    Status removed = os::remove_tree(files_, data_directory_ + "/" + name);
    if (removed.ok()) continue;
    tried_.insert(name);
    tell(name, removed.error());
  }
  tried_.clear();
  return true;
}

}  // namespace headrace::log
