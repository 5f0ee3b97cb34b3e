#include "log/segment.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/logging.h"
#include "log/file_names.h"

namespace headrace::log {

namespace {

constexpr int64_t kRebuildIntervalBytes = 4096;
constexpr size_t kIndexFileBytesMax = 1 << 30;
constexpr uint64_t kPreallocateBytesMin = 16 << 10;
/// Larger appends gain nothing from zeros.
constexpr uint64_t kZeroedForBytesMax = 64 << 10;
constexpr uint64_t kZeroedAheadBytesMax = 256 << 10;

/// A step in the order of what there is.
uint64_t grown_by(uint64_t size) { return std::max(kPreallocateBytesMin, std::bit_ceil(size)); }

uint64_t round_beyond(uint64_t size, uint64_t step) { return size + step - size % step; }

Status write_zeros(os::File& file, uint64_t from, uint64_t to) {
  static const Bytes zeros(kZeroedForBytesMax);
  std::array<BytesView, kZeroedAheadBytesMax / kZeroedForBytesMax * 2 + 1> parts;
  size_t count = 0;
  for (uint64_t left = to - from; left > 0; ++count) {
    parts[count] = BytesView(zeros).first(std::min<uint64_t>(left, zeros.size()));
    left -= parts[count].size();
  }
  return file.write_at(from, std::span(parts).first(count));
}

// Index files are small next to what they index; a larger one is not ours.
Result<Bytes> read_index_file(os::FileSystem& files, const std::string& path) {
  return os::read_file(files, path, kIndexFileBytesMax);
}

}  // namespace

Segment::Segment(os::FileSystem& files, std::string directory, Offset base, OpenFiles* open_files)
    : files_(files),
      directory_(std::move(directory)),
      base_(base),
      log_path_(path(kLogSuffix)),
      open_files_(open_files) {}

Segment::~Segment() {
  if (open_files_) open_files_->closed(*this);
}

std::string Segment::path(std::string_view suffix) const { return directory_ + "/" + file_name(base_, suffix); }

uint64_t Segment::size() const {
  std::lock_guard lock(mutex_);
  return size_;
}

std::vector<TransactionIndexEntry> Segment::aborted() const {
  std::lock_guard lock(mutex_);
  return aborted_;
}

bool Segment::find_aborted(Offset from, Offset to, std::vector<AbortedTransaction>& found) const {
  std::lock_guard lock(mutex_);
  auto at = std::partition_point(aborted_.begin(), aborted_.end(),
                                 [&](const TransactionIndexEntry& entry) { return entry.last_offset < from; });
  for (; at != aborted_.end(); ++at) {
    if (at->first_offset < to) found.push_back({at->producer_id, at->first_offset, at->last_offset});
    // Nothing that began below was open any more.
    if (at->last_stable_offset >= to) return false;
  }
  return true;
}

Result<std::shared_ptr<os::File>> Segment::file() {
  std::lock_guard lock(mutex_);
  return file_locked();
}

Result<std::shared_ptr<os::File>> Segment::file_locked() {
  if (!file_) {
    ASSIGN_OR_RETURN(auto opened, files_.open(log_path_, os::OpenMode::kReadWrite));
    ASSIGN_OR_RETURN(allocated_, opened->size());
    keep_open_locked(std::move(opened));
  }
  touch();
  return file_;
}

void Segment::keep_open_locked(std::unique_ptr<os::File> file) {
  file_ = std::move(file);
  if (open_files_) open_files_->opened(*this);
}

void Segment::close_locked() {
  file_.reset();
  if (open_files_) open_files_->closed(*this);
}

bool Segment::try_close(Close how) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || writing_ || !file_) return false;
  if (synced_size_ != size_) {
    if (how == Close::kIfClean) return false;
    Status synced = file_->sync();
    if (!synced.ok() && !sync_error_) sync_error_ = synced.error();
    synced_size_ = size_;
  }
  file_.reset();
  return true;
}

void Segment::release() {
  std::lock_guard lock(mutex_);
  if (file_misplaced_) return;
  if (synced_size_ == size_ && file_) close_locked();
  if (indexes_on_disk_) indexes_.reset();
}

Status Segment::sync() {
  std::shared_ptr<os::File> file;
  uint64_t size;
  TimeIndexEntry max_timestamp;
  {
    std::lock_guard lock(mutex_);
    if (sync_error_) return *sync_error_;
    if (!file_ && synced_size_ == size_) return {};  // It was synced before it was closed.
    ASSIGN_OR_RETURN(file, file_locked());
    size = size_;
    max_timestamp = max_timestamp_locked();
  }
  RETURN_IF_ERROR(file->sync());
  std::lock_guard lock(mutex_);
  if (sync_error_) return *sync_error_;  // Of try_close(), which may have been told of what this sync was not.
  synced_size_ = size;
  max_synced_timestamp_ = max_timestamp;
  return {};
}

Status Segment::load_indexes_locked() {
  if (indexes_) return {};
  auto offset_bytes = read_index_file(files_, path(kIndexSuffix));
  auto time_bytes = read_index_file(files_, path(kTimeIndexSuffix));
  for (const auto* bytes : {&offset_bytes, &time_bytes}) {
    if (!bytes->ok() && bytes->error().code == ErrorCode::kUnavailable) return bytes->error();
  }
  if (!offset_bytes.ok() || !time_bytes.ok()) return rebuild_indexes_locked();
  auto offsets = decode_offset_index(*offset_bytes, size_);
  auto times = decode_time_index(*time_bytes);
  if (!offsets.ok() || !times.ok() || (size_ > 0 && times->empty() && offsets->empty()))
    return rebuild_indexes_locked();
  auto indexes = std::make_unique<Indexes>(Indexes{OffsetIndex(*std::move(offsets)), TimeIndex(*std::move(times))});
  ASSIGN_OR_RETURN(bool taken, take_indexes_locked(std::move(indexes)));
  return taken ? Status() : rebuild_indexes_locked();
}

/// Makes them the segment's, as its files have them. False, and nothing done: the last time is not its batch's.
Result<bool> Segment::take_indexes_locked(std::unique_ptr<Indexes> indexes) {
  if (const auto& times = indexes->times.entries(); !times.empty()) {
    ASSIGN_OR_RETURN(bool true_times, is_told_truly_locked(*indexes, times.back()));
    if (!true_times) return false;
    max_timestamp_ms_ = times.back().timestamp_ms;
    max_timestamp_offset_ = base_ + times.back().relative_offset;
  }
  indexes_ = std::move(indexes);
  indexes_on_disk_ = true;
  return true;
}

/// Whether the batch that ends at the entry's offset has its time. Retention and lookups go by what the time index
/// says, which has no checksum.
Result<bool> Segment::is_told_truly_locked(const Indexes& indexes, const TimeIndexEntry& entry) {
  ASSIGN_OR_RETURN(auto file, file_locked());
  const OffsetIndexEntry* from = indexes.offsets.floor(entry.relative_offset);
  uint64_t position = from ? static_cast<uint64_t>(from->position) : 0;
  const Offset wanted = base_ + entry.relative_offset;
  while (position + record::kBatchHeaderBytes <= size_) {
    uint8_t bytes[record::kBatchHeaderBytes];
    ASSIGN_OR_RETURN(size_t got, file->read_at(position, bytes));
    auto header = record::read_header(BytesView(bytes, got));
    if (!header.ok()) return false;
    if (header->last_offset() >= wanted) {
      return header->last_offset() == wanted && header->max_timestamp_ms == entry.timestamp_ms;
    }
    position += header->total_bytes();
  }
  return false;
}

Status Segment::rebuild_indexes_locked() {
  log_info("rebuilding the indexes of {}", log_path_);
  ASSIGN_OR_RETURN(auto file, file_locked());
  auto indexes = std::make_unique<Indexes>();
  max_timestamp_known_ = false;
  max_timestamp_ms_ = -1;
  max_timestamp_offset_ = kNoOffset;
  bytes_since_entry_ = 0;
  BatchScanner scanner(*file, 0, size_, {base_, /*gaps=*/true});
  while (true) {
    ASSIGN_OR_RETURN(bool more, scanner.next_good());
    if (!more) break;
    index_batch(*indexes, scanner.header(), scanner.position(), kRebuildIntervalBytes);
  }
  if (max_timestamp_ms_ >= 0) indexes->times.add(max_timestamp_ms_, relative(max_timestamp_offset_));
  indexes_ = std::move(indexes);
  indexes_on_disk_ = false;
  indexes_rebuilt_ = true;
  return {};
}

void Segment::index_batch(Indexes& indexes, const record::BatchHeader& header, uint64_t position,
                          int64_t interval_bytes) {
  if (header.max_timestamp_ms > max_timestamp_ms_) {
    max_timestamp_ms_ = header.max_timestamp_ms;
    max_timestamp_offset_ = header.last_offset();
  }
  if (bytes_since_entry_ > interval_bytes) {
    indexes.offsets.add(relative(header.last_offset()), static_cast<int32_t>(position));
    if (max_timestamp_ms_ >= 0) indexes.times.add(max_timestamp_ms_, relative(max_timestamp_offset_));
    bytes_since_entry_ = 0;
  }
  bytes_since_entry_ += static_cast<int64_t>(header.total_bytes());
}

Result<SeekPoint> Segment::seek(Offset offset) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(load_indexes_locked());
  const OffsetIndexEntry* entry = indexes_->offsets.floor(relative(offset));
  if (entry == nullptr) return SeekPoint{};
  return SeekPoint{static_cast<uint64_t>(entry->position), base_ + entry->relative_offset};
}

Result<SeekPoint> Segment::seek_again(Offset offset) {
  {
    std::lock_guard lock(mutex_);
    if (indexes_rebuilt_) return SeekPoint{};
    RETURN_IF_ERROR(rebuild_indexes_locked());
  }
  return seek(offset);
}

Result<TimeIndexEntry> Segment::max_timestamp() {
  std::lock_guard lock(mutex_);
  if (!max_timestamp_known_) RETURN_IF_ERROR(load_indexes_locked());
  max_timestamp_known_ = true;
  return max_timestamp_locked();
}

TimeIndexEntry Segment::max_timestamp_locked() const {
  if (max_timestamp_ms_ < 0) return {-1, -1};
  return {max_timestamp_ms_, relative(max_timestamp_offset_)};
}

bool Segment::is_synced() const {
  std::lock_guard lock(mutex_);
  return synced_size_ == size_;
}

Result<TimeIndexEntry> Segment::max_synced_timestamp() {
  {
    std::lock_guard lock(mutex_);
    if (synced_size_ != size_) return max_synced_timestamp_;
  }
  return max_timestamp();
}

Result<SeekPoint> Segment::seek_time(int64_t timestamp_ms) {
  int32_t known = -1;  // No record up to here is as late.
  {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(load_indexes_locked());
    const TimeIndexEntry* entry = indexes_->times.before(timestamp_ms);
    if (entry && !indexes_rebuilt_ && indexes_on_disk_) {
      ASSIGN_OR_RETURN(bool true_time, is_told_truly_locked(*indexes_, *entry));
      if (!true_time) {
        RETURN_IF_ERROR(rebuild_indexes_locked());
        entry = indexes_->times.before(timestamp_ms);
      }
    }
    if (entry) known = entry->relative_offset;
  }
  if (known < 0) return SeekPoint{};
  return seek(base_ + known);
}

void Segment::take_file(std::shared_ptr<os::File> file) {
  std::lock_guard lock(mutex_);
  file_ = std::move(file);
  file_misplaced_ = true;
}

void Segment::file_in_place() {
  std::lock_guard lock(mutex_);
  file_misplaced_ = false;
  indexes_on_disk_ = true;
}

Status Segment::create(int64_t now_ms) {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(auto file, files_.open(log_path_, os::OpenMode::kCreateTruncated));
  keep_open_locked(std::move(file));
  indexes_ = std::make_unique<Indexes>();
  indexes_on_disk_ = false;
  created_ms_ = now_ms;
  appended_from_ = 0;
  return {};
}

Result<bool> Segment::load_for_append(uint64_t position, Offset offset, const IndexCounts& counts, int64_t now_ms) {
  std::lock_guard lock(mutex_);
  created_ms_ = now_ms;
  size_ = synced_size_ = appended_from_ = position;
  auto offset_bytes = read_index_file(files_, path(kIndexSuffix));
  auto time_bytes = read_index_file(files_, path(kTimeIndexSuffix));
  if (position > 0 && (!offset_bytes.ok() || !time_bytes.ok())) return false;
  auto indexes = std::make_unique<Indexes>();
  if (position > 0) {
    auto offsets = decode_offset_index(*offset_bytes, UINT64_MAX);
    auto times = decode_time_index(*time_bytes);
    if (!offsets.ok() || !times.ok() || offsets->size() < counts.offsets || times->size() < counts.times) return false;
    offsets->resize(counts.offsets);
    times->resize(counts.times);
    bool inside = (offsets->empty() || static_cast<uint64_t>(offsets->back().position) < position) &&
                  (times->empty() || base_ + times->back().relative_offset < offset);
    if (!inside) return false;
    *indexes = {OffsetIndex(*std::move(offsets)), TimeIndex(*std::move(times))};
    RETURN_IF_ERROR(read_first_timestamp_locked());
  }
  max_timestamp_ms_ = -1;
  const auto& entries = indexes->offsets.entries();
  bytes_since_entry_ = static_cast<int64_t>(position - (entries.empty() ? 0 : entries.back().position));
  return take_indexes_locked(std::move(indexes));
}

Status Segment::read_first_timestamp_locked() {
  ASSIGN_OR_RETURN(auto file, file_locked());
  uint8_t bytes[record::kBatchHeaderBytes];
  ASSIGN_OR_RETURN(size_t got, file->read_at(0, bytes));
  if (got < sizeof bytes) return {};
  auto header = record::read_header(bytes);
  if (header.ok()) first_timestamp_ms_ = header->max_timestamp_ms;
  return {};
}

void Segment::reset_indexes(int64_t now_ms) {
  std::lock_guard lock(mutex_);
  created_ms_ = now_ms;
  size_ = synced_size_ = appended_from_ = 0;
  indexes_ = std::make_unique<Indexes>();
  indexes_on_disk_ = false;
  max_timestamp_ms_ = -1;
  max_timestamp_offset_ = kNoOffset;
  first_timestamp_ms_ = -1;
  bytes_since_entry_ = 0;
  aborted_.clear();
}

// Where small appends go is reserved, and written with zeros, before: then neither the file's size nor its extents
// change with them, only bytes that the disk and the page cache have already.
void Segment::make_room_locked(os::File& file, uint64_t bytes, uint64_t step_max) {
  uint64_t end = size_ + bytes;
  if (step_max == 0 || !can_allocate_) return;
  if (end > allocated_) {
    uint64_t target = round_beyond(end, std::min(step_max, grown_by(size_)));
    Status allocated = file.allocate(allocated_, target - allocated_);
    // A full disk may still have room for the batch itself, and keeps what it gave; other file systems do not allocate
    // at all.
    can_allocate_ = allocated.ok() || allocated.error().code == ErrorCode::kOutOfSpace;
    if (can_allocate_) allocated_ = target;
    if (!allocated.ok()) zeroed_ = allocated_;
  }
  if (bytes >= kZeroedForBytesMax || end <= zeroed_) return;
  uint64_t from = std::max(zeroed_, size_);
  uint64_t to = std::min(allocated_, round_beyond(end, std::min(kZeroedAheadBytesMax, grown_by(size_))));
  if (from < to && write_zeros(file, from, to).ok()) zeroed_ = to;  // Else the append itself will tell what is wrong.
}

Status Segment::write(std::span<const BytesView> parts, uint64_t bytes, int64_t preallocate_bytes_max) {
  std::unique_lock lock(mutex_);
  ASSIGN_OR_RETURN(auto file, file_locked());
  RETURN_IF_ERROR(load_indexes_locked());
  make_room_locked(*file, bytes, static_cast<uint64_t>(preallocate_bytes_max));
  uint64_t at = size_;
  writing_ = true;
  lock.unlock();  // Readers stay below size_.
  Status written = file->write_at(at, parts);
  // What a failed write left behind must not look like batches to a later recovery.
  Status cut = written.ok() ? Status() : file->truncate(at);
  lock.lock();
  if (written.ok()) return written;
  writing_ = false;
  allocated_ = zeroed_ = at;
  if (!cut.ok()) return Error{ErrorCode::kIo, written.error().message + "; and then " + cut.error().message};
  return written;
}

void Segment::note(const record::BatchHeader& header, int64_t index_interval_bytes) {
  std::lock_guard lock(mutex_);
  if (first_timestamp_ms_ < 0) first_timestamp_ms_ = header.max_timestamp_ms;
  if (synced_size_ == size_) max_synced_timestamp_ = max_timestamp_locked();
  index_batch(*indexes_, header, size_, index_interval_bytes);
  indexes_on_disk_ = writing_ = false;
  size_ += header.total_bytes();
  allocated_ = std::max(allocated_, size_);
}

void Segment::skip_to(uint64_t position) {
  std::lock_guard lock(mutex_);
  if (position != size_) appended_from_ = position;
  size_ = position;
}

void Segment::note_aborted(const TransactionIndexEntry& entry) {
  std::lock_guard lock(mutex_);
  aborted_.push_back(entry);
}

void Segment::set_aborted(std::vector<TransactionIndexEntry> entries) {
  std::lock_guard lock(mutex_);
  aborted_ = std::move(entries);
}

Status Segment::trim() {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(auto file, file_locked());
  if (allocated_ == size_) return {};
  RETURN_IF_ERROR(file->truncate(size_));
  allocated_ = zeroed_ = size_;
  return {};
}

Result<Segment::IndexImage> Segment::index_image() {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(load_indexes_locked());
  IndexImage image{.size = size_};
  if (max_timestamp_ms_ >= 0) indexes_->times.add(max_timestamp_ms_, relative(max_timestamp_offset_));
  image.offsets = encode_offset_index(indexes_->offsets.entries());
  image.times = encode_time_index(indexes_->times.entries());
  image.transactions = encode_transaction_index(aborted_);
  image.counts = {static_cast<uint32_t>(indexes_->offsets.entries().size()),
                  static_cast<uint32_t>(indexes_->times.entries().size()), static_cast<uint32_t>(aborted_.size())};
  return image;
}

Status Segment::write_indexes(const IndexImage& image, bool synced) {
  auto replace = [this, synced](std::string_view suffix, const Bytes& content) -> Status {
    ASSIGN_OR_RETURN(auto file, files_.open(path(suffix), os::OpenMode::kCreate));
    RETURN_IF_ERROR(file->write_at(0, content));
    RETURN_IF_ERROR(file->truncate(content.size()));
    return synced ? file->sync() : Status();
  };
  RETURN_IF_ERROR(replace(kIndexSuffix, image.offsets));
  RETURN_IF_ERROR(replace(kTimeIndexSuffix, image.times));
  if (!image.transactions.empty()) RETURN_IF_ERROR(replace(kTransactionIndexSuffix, image.transactions));
  std::lock_guard lock(mutex_);
  indexes_on_disk_ = size_ == image.size;
  return {};
}

Status Segment::remove_files() {
  release();
  for (std::string_view suffix :
       {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix, kSnapshotSuffix}) {
    std::string from = path(suffix);
    std::string deleted = from + std::string(kDeletedSuffix);
    Status renamed = files_.rename(from, deleted);
    if (!renamed.ok() && renamed.error().code != ErrorCode::kNotFound) return renamed;
    RETURN_IF_ERROR(os::remove_if_exists(files_, deleted));
  }
  return {};
}

}  // namespace headrace::log
