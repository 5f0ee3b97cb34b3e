#include "log/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/logging.h"
#include "log/compaction_swap.h"
#include "log/file_names.h"
#include "log/producer_snapshot.h"

namespace headrace::log {

namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr size_t kSnapshotBytesMax = 256 << 20;
constexpr size_t kTransactionIndexBytesMax = 256 << 20;
constexpr size_t kZeroChunkBytes = 64 << 10;
constexpr size_t kRewriteChunkBytes = 1 << 20;

bool is_leftover(std::string_view name) {
  return name.ends_with(kDeletedSuffix) || name.ends_with(".tmp") || name.ends_with(kCleanedSuffix) ||
         name.ends_with(kSwapSuffix);
}

// Whether the first `bytes` of a batch may be zeros: those of its base offset, which its size follows.
bool may_begin_with_zeros(Offset base, uint64_t bytes) {
  constexpr uint64_t kOffsetBytes = 8, kSizeBytes = 4;
  if (bytes >= kOffsetBytes + kSizeBytes) return false;
  return bytes == 0 || base.value >> (64 - 8 * std::min(bytes, kOffsetBytes)) == 0;
}

// What of a file that can be made again is as good as none, with a word about it.
bool can_do_without(const Error& error) {
  if (error.code == ErrorCode::kNotFound) return true;
  if (error.code != ErrorCode::kTooLarge && error.code != ErrorCode::kIo) return false;
  log_warn("{}; scanning the log instead", error.message);
  return true;
}

// Has the bytes that a file seems to hold written again, and synced.
Status rewrite(os::File& file, uint64_t from, uint64_t to) {
  Bytes chunk(kRewriteChunkBytes);
  for (uint64_t at = from; at < to; at += chunk.size()) {
    chunk.resize(std::min<uint64_t>(chunk.size(), to - at));
    ASSIGN_OR_RETURN(size_t got, file.read_at(at, chunk));
    RETURN_IF_ERROR(file.write_at(at, BytesView(chunk).first(got)));
  }
  return file.sync();
}

// Whether the file holds nothing from `from` on but the room that an append reserved.
Result<bool> only_zeros(os::File& file, uint64_t from, uint64_t to) {
  Bytes chunk(kZeroChunkBytes);
  for (uint64_t at = from; at < to; at += chunk.size()) {
    chunk.resize(std::min<uint64_t>(chunk.size(), to - at));
    ASSIGN_OR_RETURN(size_t got, file.read_at(at, chunk));
    if (!std::all_of(chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(got),
                     [](uint8_t byte) { return byte == 0; }))
      return false;
  }
  return true;
}

}  // namespace

Status PartitionLogImpl::recover() {
  RETURN_IF_ERROR(Recovery(*this).run());
  std::lock_guard lock(mutex_);
  if (!damaged_.empty()) tell_health();
  return {};
}

Status Recovery::run() {
  RETURN_IF_ERROR(take_inventory());
  ASSIGN_OR_RETURN(log_.checkpoint_file_,
                   CheckpointFile::open(log_.files_, log_.directory_ + "/" + std::string(kCheckpointName),
                                        log_.resources_ ? &log_.resources_->open_files : nullptr));
  checkpoint_ = log_.checkpoint_file_->read();
  if (checkpoint_) log_.checkpoint_ = *checkpoint_;
  // Without a word about it, offsets may be missing: bytes that never reached the disk are no batches anyway.
  log_.has_gaps_ = !checkpoint_ || checkpoint_->has_gaps;
  if (bases_.empty()) return start_empty();
  RETURN_IF_ERROR(open_segments());
  ASSIGN_OR_RETURN(bool quick, start_from_checkpoint());
  if (!quick) RETURN_IF_ERROR(start_from_snapshot());
  return settle();
}

Status Recovery::take_inventory() {
  ASSIGN_OR_RETURN(bool exists, log_.files_.exists(log_.directory_));
  if (!exists) {
    RETURN_IF_ERROR(log_.files_.make_directories(log_.directory_));
    log_.parent_dirty_ = log_.directory_dirty_ = true;
    return {};
  }
  RETURN_IF_ERROR(finish_swaps(log_.files_, log_.directory_));
  ASSIGN_OR_RETURN(auto names, log_.files_.list(log_.directory_));
  for (const std::string& name : names) {
    if (is_leftover(name)) RETURN_IF_ERROR(log_.files_.remove(log_.directory_ + "/" + name));
    if (auto offset = offset_of_name(name, kLogSuffix)) bases_.push_back(*offset);
    if (auto offset = offset_of_name(name, kSnapshotSuffix)) snapshots_.insert(*offset);
    if (auto offset = offset_of_name(name, kIndexSuffix)) offset_indexes_.insert(*offset);
    if (auto offset = offset_of_name(name, kTransactionIndexSuffix)) transaction_indexes_.insert(*offset);
  }
  return {};
}

Status Recovery::start_empty() {
  Offset start{0};
  if (checkpoint_) start = std::max(checkpoint_->durable.offset, checkpoint_->log_start);
  if (checkpoint_ && start > checkpoint_->log_start) {
    log_error("{} holds no log files, but had offsets up to {}: they are lost", log_.directory_, start.value);
  }
  auto segment = log_.make_segment(start);
  RETURN_IF_ERROR(segment->create(now_ms_));
  log_.segments_[start] = std::move(segment);
  log_.log_start_ = log_.log_end_ = log_.durable_end_ = start;
  log_.directory_dirty_ = log_.parent_dirty_ = true;
  if (!snapshots_.contains(start)) return {};
  auto loaded = load_producers(start);
  return loaded.ok() ? Status() : loaded.error();
}

Status Recovery::open_segments() {
  for (Offset base : bases_) {
    auto segment = log_.make_segment(base);
    ASSIGN_OR_RETURN(auto file, segment->file());
    ASSIGN_OR_RETURN(uint64_t size, file->size());
    segment->adopt(size);
    segment->set_created(now_ms_);
    segment->release();
    log_.segments_[base] = std::move(segment);
  }
  log_.log_start_ = bases_.front();
  if (checkpoint_) log_.log_start_ = std::max(log_.log_start_, checkpoint_->log_start);
  return {};
}

// The quick way: everything up to the checkpoint is as it says. False, with nothing done, where it is not.
Result<bool> Recovery::start_from_checkpoint() {
  if (!checkpoint_ || checkpoint_->checkpoint.offset == kNoOffset) return false;
  const LogPoint& point = checkpoint_->checkpoint;
  auto at = log_.segments_.find(point.segment);
  if (at == log_.segments_.end() || at->second->size() < point.position) return false;
  ASSIGN_OR_RETURN(bool aborted, load_aborted(at, checkpoint_->transaction_entries));
  if (!aborted) return false;
  if (!checkpoint_->no_producers) {
    ASSIGN_OR_RETURN(bool loaded, load_producers(point.offset));
    if (!loaded) return false;
  }
  uint64_t file_bytes = at->second->size();
  IndexCounts counts{checkpoint_->index_entries, checkpoint_->time_entries, checkpoint_->transaction_entries};
  ASSIGN_OR_RETURN(bool indexed, at->second->load_for_append(point.position, point.offset, counts, now_ms_));
  if (!indexed) {
    at->second->adopt(file_bytes);
    log_.producers_ = ProducerStates();
    return false;
  }
  at->second->set_file_bytes(file_bytes);
  log_.latest_epoch_ = LeaderEpoch(checkpoint_->leader_epoch);
  RETURN_IF_ERROR(scan_from(at, point.position, point.offset));
  return true;
}

// The slow way: from the last segment that starts with a good snapshot of the producers, else from the first one.
Status Recovery::start_from_snapshot() {
  Offset trusted = checkpoint_ ? checkpoint_->checkpoint.segment : kNoOffset;
  for (auto at = std::prev(log_.segments_.end()); at != log_.segments_.begin(); --at) {
    if (at->first > trusted || !snapshots_.contains(at->first)) continue;
    ASSIGN_OR_RETURN(bool aborted, load_aborted(std::prev(at), UINT32_MAX));
    if (!aborted) continue;
    ASSIGN_OR_RETURN(bool loaded, load_producers(at->first));
    if (loaded) return scan_from(at, 0, at->first);
  }
  log_.producers_ = ProducerStates();
  auto first = log_.segments_.begin();
  if (snapshots_.contains(first->first)) {
    auto loaded = load_producers(first->first);
    if (!loaded.ok()) return loaded.error();
  }
  return scan_from(first, 0, first->first);
}

// Loads the aborted transactions of the segments up to `until`, of that one as many as were counted. False where they
// can't be known: a segment without aborted ones has no file of them, but one without any index was never finished, or
// somebody removed its indexes.
Result<bool> Recovery::load_aborted(Segments::iterator until, uint32_t entries_of_last) {
  for (auto at = log_.segments_.begin();; ++at) {
    bool last = at == until;
    bool counted = last && entries_of_last != UINT32_MAX;
    if (!counted && !offset_indexes_.contains(at->first)) return false;
    std::vector<TransactionIndexEntry> entries;
    if (transaction_indexes_.contains(at->first)) {
      std::string path = log_.directory_ + "/" + file_name(at->first, kTransactionIndexSuffix);
      auto bytes = os::read_file(log_.files_, path, kTransactionIndexBytesMax);
      if (!bytes.ok() && can_do_without(bytes.error())) return false;
      if (!bytes.ok()) return bytes.error();
      auto decoded = decode_transaction_index(*bytes);
      if (!decoded.ok()) {
        log_warn("{}: {}; scanning the log instead", path, decoded.error().message);
        return false;
      }
      entries = *std::move(decoded);
    }
    if (counted) {
      if (entries.size() < entries_of_last) return false;
      entries.resize(entries_of_last);
    }
    at->second->set_aborted(std::move(entries));
    if (last) return true;
  }
}

// A bad snapshot is kept aside; the one before it and the log say the same.
Result<bool> Recovery::load_producers(Offset offset) {
  std::string path = log_.snapshot_path(offset);
  auto bytes = os::read_file(log_.files_, path, kSnapshotBytesMax);
  if (!bytes.ok() && can_do_without(bytes.error())) return false;
  if (!bytes.ok()) return bytes.error();
  auto decoded = decode_producer_snapshot(*bytes);
  if (decoded.ok()) {
    log_.producers_ = *std::move(decoded);
    log_.producers_.touch(log_.uptime_ms());
    return true;
  }
  log_warn("{}: {}; kept as {}{}", path, decoded.error().message, path, kSetAsideSuffix);
  RETURN_IF_ERROR(log_.files_.rename(path, path + std::string(kSetAsideSuffix)));
  snapshots_.erase(offset);
  return false;
}

// Checks all that comes after `position` of `at`, cutting what never reached the disk.
Status Recovery::scan_from(Segments::iterator at, uint64_t position, Offset expected) {
  for (bool first = true; at != log_.segments_.end(); ++at, position = 0, first = false) {
    if (!first && at->first < expected) {
      return Error{ErrorCode::kCorrupt, fmt::format("{} starts below offset {}, where the segment before it ends; move "
                                                    "the file that is wrong away",
                                                    at->second->log_path(), expected.value)};
    }
    if (!first && !snapshots_.contains(at->first))
      missing_snapshots_[at->first] = encode_producer_snapshot(log_.producers_);
    ASSIGN_OR_RETURN(Tail tail, scan_segment(at, position, first ? expected : at->first));
    expected = tail.expected;
    if (!tail.cut) continue;
    RETURN_IF_ERROR(drop_segments_from(std::next(at)));
    break;
  }
  log_.log_end_ = expected;
  return {};
}

Result<Recovery::Tail> Recovery::scan_segment(Segments::iterator at, uint64_t position, Offset expected) {
  Segment& segment = *at->second;
  ASSIGN_OR_RETURN(auto file, segment.file());
  ASSIGN_OR_RETURN(uint64_t file_bytes, file->size());
  auto next = std::next(at);
  bool last = next == log_.segments_.end();
  uint64_t durable = known_durable(at);
  bool gaps_follow = log_.has_gaps_ && durable == UINT64_MAX;
  if (position == 0) segment.reset_indexes(now_ms_);
  scanned_.push_back(at->second);
  log_.stats_.scanned_bytes_at_open += static_cast<int64_t>(file_bytes - std::min(position, file_bytes));

  BatchScanner scanner(*file, position, file_bytes, {expected, log_.has_gaps_});
  while (true) {
    Offset before = scanner.expected();
    ASSIGN_OR_RETURN(auto found, scanner.next());
    if (found == BatchScanner::Found::kBatch) {
      gaps_seen_ = gaps_seen_ || scanner.header().base_offset != before;
      take_batch(segment, scanner);
      continue;
    }
    uint64_t bad = scanner.position();
    Offset lost_from = scanner.expected();
    bool at_end = found == BatchScanner::Found::kEnd;
    bool complete = last ? at_end && bad >= durable : next->first == lost_from || (at_end && gaps_follow);
    if (complete) {
      gaps_seen_ = gaps_seen_ || (!last && next->first != lost_from);
      if (!last) RETURN_IF_ERROR(segment.trim());  // Room that a crash kept from being given back.
      return Tail{last ? lost_from : next->first};
    }
    if (last && !at_end && checkpoint_ && bad >= durable) {
      ASSIGN_OR_RETURN(bool room, only_zeros(*file, bad, file_bytes));
      if (room) {
        segment.set_file_bytes(file_bytes);
        return Tail{lost_from};
      }
    }
    ASSIGN_OR_RETURN(bool more, found == BatchScanner::Found::kBad ? scanner.resync() : Result<bool>(false));
    bool kept = bad < durable;
    if (more) {
      ASSIGN_OR_RETURN(found, scanner.next());
      if (!kept) {
        ASSIGN_OR_RETURN(kept,
                         was_written(segment, {bad, lost_from}, {scanner.position(), scanner.header().base_offset}));
      }
      if (kept) {
        damage(segment, lost_from, scanner.header().base_offset, bad);
        take_batch(segment, scanner);
        continue;
      }
    }
    if (kept) {
      Offset to = last ? std::max(lost_from, checkpoint_ ? checkpoint_->durable.offset : lost_from) : next->first;
      damage(segment, lost_from, to, bad);
      // Where bytes that were synced are gone, offsets are missing with nothing in their place: a new segment tells so.
      roll_ = last && durable > file_bytes && to > at->first;
      segment.skip_to(last ? std::min(std::max(bad, durable), file_bytes) : file_bytes);
      return Tail{to};
    }
    changed_ = true;
    log_info("cutting {} bytes that were never synced off {} at byte {}", file_bytes - bad, segment.log_path(), bad);
    RETURN_IF_ERROR(segment.trim());
    return Tail{lost_from, /*cut=*/true};
  }
}

// A sector that was never written reads as zeros, which tells it from damage. Where the good batch's first bytes in a
// sector are not zeros that sector was written, with all before them.
Result<bool> Recovery::was_written(Segment& segment, Place bad, Place good) {
  ASSIGN_OR_RETURN(auto file, segment.file());
  uint64_t border_before = good.position / kSectorBytes * kSectorBytes;
  bool last_was_written = !may_begin_with_zeros(good.offset, border_before + kSectorBytes - good.position);
  uint64_t end = last_was_written ? border_before : good.position;
  for (uint64_t at = bad.position; at < end;) {
    uint64_t border = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    uint8_t sector[kSectorBytes];
    ASSIGN_OR_RETURN(size_t got, file->read_at(at, {sector, static_cast<size_t>(border - at)}));
    bool zeros = std::all_of(sector, sector + got, [](uint8_t byte) { return byte == 0; });
    if (zeros && !(at == bad.position && may_begin_with_zeros(bad.offset, got))) return false;
    at = border;
  }
  return true;
}

void Recovery::take_batch(Segment& segment, const BatchScanner& scanner) {
  const record::BatchHeader& header = scanner.header();
  segment.skip_to(scanner.position());
  segment.note(header, log_.config_.index_interval_bytes);
  auto marker = record::read_marker(header, scanner.batch());
  if (auto aborted = log_.producers_.apply(header, marker.ok() ? *marker : std::nullopt, log_.uptime_ms()))
    segment.note_aborted(*aborted);
  log_.latest_epoch_ = header.partition_leader_epoch;
}

void Recovery::damage(const Segment& segment, Offset from, Offset to, uint64_t position) {
  if (from >= to) {
    log_warn("{} has bytes at {} that are no batch; no offsets are missing", segment.log_path(), position);
    return;
  }
  log_.damaged_.push_back({from, to, segment.log_path(), position});
  log_error("{}", log_.damage_at(from)->message);
}

// Removes segments that follow a torn tail, the newest first, so that a crash amid it leaves a log like before. Without
// a checkpoint nobody knows what was synced (the files may be from a backup): what has bytes is kept aside then.
Status Recovery::drop_segments_from(Segments::iterator at) {
  while (at != log_.segments_.end()) {
    auto newest = std::prev(log_.segments_.end());
    bool done = newest == at;
    Segment& segment = *newest->second;
    if (!checkpoint_ && segment.size() > 0) {
      log_error(
          "{} follows bytes that are missing, and there is no checkpoint to tell whether it was ever synced; kept "
          "as {}{}",
          segment.log_path(), segment.log_path(), kSetAsideSuffix);
      segment.release();
      RETURN_IF_ERROR(log_.files_.rename(segment.log_path(), segment.log_path() + std::string(kSetAsideSuffix)));
    } else {
      log_info("removing {}, which follows bytes that were never synced", segment.log_path());
    }
    RETURN_IF_ERROR(segment.remove_files());
    log_.segments_.erase(newest);
    if (done) break;
  }
  return {};
}

// How many bytes of the segment an fsync is known to have covered. A snapshot is only written behind what is synced.
uint64_t Recovery::known_durable(Segments::iterator at) const {
  if (checkpoint_ && checkpoint_->durable.segment > at->first) return UINT64_MAX;
  auto next = std::next(at);
  if (next != log_.segments_.end() && snapshots_.contains(next->first)) return UINT64_MAX;
  return checkpoint_ && checkpoint_->durable.segment == at->first ? checkpoint_->durable.position : 0;
}

// Whether all that was found may be served as it is, as after a kill of the process: nothing is written then, and a
// start waits for no fsync. That is so when it is on the disk for certain, or where the topic leaves that to the kernel
// anyway. A rolled segment among it may lack its indexes.
bool Recovery::may_serve_as_found() const {
  if (changed_) return false;
  for (const auto& segment : scanned_) {
    if (segment != log_.active()) return false;
  }
  if (log_.log_end_ == log_.active()->base() && log_.stats_.scanned_bytes_at_open == 0) return true;
  if (!checkpoint_) return false;
  return checkpoint_->durable.offset >= log_.log_end_ ||
         (log_.config_.flush_policy == FlushPolicy::kOs && checkpoint_->durable.segment == log_.active()->base());
}

// What was never synced stays so until the next flush.
void Recovery::serve_as_found() {
  log_.bytes_since_checkpoint_ = log_.stats_.scanned_bytes_at_open;
  for (const auto& segment : scanned_) segment->adopt(segment->size());
  if (checkpoint_ && checkpoint_->durable.offset < log_.log_end_) {
    log_.durable_end_ = checkpoint_->durable.offset;
    log_.active()->adopt(log_.active()->size(), checkpoint_->durable.position);
  }
  for (const auto& [base, segment] : log_.segments_) segment->release();
}

// Snapshots of what is not in the log any more.
Status Recovery::remove_late_snapshots() {
  for (Offset offset : snapshots_) {
    if (offset <= log_.log_end_) continue;
    RETURN_IF_ERROR(os::remove_if_exists(log_.files_, log_.snapshot_path(offset)));  // It may be gone with its segment.
  }
  return {};
}

// A log that ends below where it should begin goes on from there.
Status Recovery::start_at_log_start() {
  log_error("{} ends at offset {}, below its start {}: records are lost", log_.directory_, log_.log_end_.value,
            log_.log_start_.value);
  log_.log_end_ = log_.log_start_;
  RETURN_IF_ERROR(log_.roll(now_ms_));
  log_.rolled_.clear();
  scanned_.clear();
  for (const auto& segment : log_.detach_before(log_.log_start_)) RETURN_IF_ERROR(segment->remove_files());
  changed_ = true;
  return {};
}

// After a failed fsync the kernel has forgotten that the bytes are not on the disk: an fsync alone would tell that they
// are (see Rebello et al., Can Applications Recover from fsync Failures?, 2020).
Status Recovery::rewrite_unsynced() {
  log_warn("an fsync of the log in {} failed before: writing what was not on the disk again", log_.directory_);
  changed_ = true;
  for (const auto& segment : scanned_) {
    uint64_t durable = known_durable(log_.segments_.find(segment->base()));
    if (durable >= segment->size()) continue;
    ASSIGN_OR_RETURN(auto file, segment->file());
    RETURN_IF_ERROR(rewrite(*file, durable, segment->size()));
  }
  log_.checkpoint_.sync_failed = false;
  return {};
}

// Indexes and snapshots of rolled segments that were scanned. Without room for them they are written later, and no
// checkpoint before.
Status Recovery::write_indexes_of_scanned() {
  for (const auto& segment : scanned_) {
    if (segment == log_.active()) continue;
    ASSIGN_OR_RETURN(auto image, segment->index_image());
    Status written = segment->write_indexes(image);
    if (!written.ok() && written.error().code == ErrorCode::kOutOfSpace) {
      Offset end = std::next(log_.segments_.find(segment->base()))->first;
      log_.unfinished_.push_back({segment, std::move(missing_snapshots_[end]), end});
      missing_snapshots_.erase(end);
      continue;
    }
    RETURN_IF_ERROR(written);
    segment->release();
  }
  for (const auto& [offset, snapshot] : missing_snapshots_) {
    auto at = log_.segments_.find(offset);
    if (at == log_.segments_.end()) continue;
    Status written = os::write_file_atomically(log_.files_, log_.snapshot_path(offset), snapshot);
    if (written.ok()) continue;
    // The log says the same, as long as what is before is in it.
    log_warn("{}", written.error().message);
    if (at != log_.segments_.begin()) log_.unfinished_.push_back({std::prev(at)->second, snapshot, offset});
  }
  return {};
}

// Makes durable what was found, and writes it down, so that the next start is quick.
Status Recovery::settle() {
  RETURN_IF_ERROR(remove_late_snapshots());
  if (log_.log_end_ < log_.log_start_) RETURN_IF_ERROR(start_at_log_start());
  if (roll_) RETURN_IF_ERROR(log_.roll(now_ms_));
  changed_ = changed_ || roll_;
  if (!checkpoint_) log_.directory_dirty_ = log_.parent_dirty_ = true;
  log_.durable_end_ = log_.log_end_;
  if (checkpoint_ && checkpoint_->cleaned_to <= log_.log_end_) log_.cleaned_to_ = checkpoint_->cleaned_to;
  if (!checkpoint_) log_.has_gaps_ = gaps_seen_;
  log_.checkpoint_.has_gaps = log_.has_gaps_;
  log_.checkpoint_.cleaned_to = log_.cleaned_to_;
  if (checkpoint_ && checkpoint_->sync_failed) RETURN_IF_ERROR(rewrite_unsynced());
  if (may_serve_as_found()) {
    serve_as_found();
    return {};
  }
  for (const auto& segment : scanned_) RETURN_IF_ERROR(segment->sync());
  RETURN_IF_ERROR(log_.files_.sync_directory(log_.directory_));
  log_.parent_dirty_ = true;
  RETURN_IF_ERROR(write_indexes_of_scanned());
  log_.checkpoint_.log_start = log_.log_start_;
  std::lock_guard flushing(log_.flush_mutex_);
  Status written = log_.flush_held(PartitionLogImpl::Checkpointing::kNow);
  // Without room for a checkpoint the log still serves what it has.
  if (!written.ok() && written.error().code == ErrorCode::kOutOfSpace) return {};
  return written;
}

}  // namespace headrace::log
