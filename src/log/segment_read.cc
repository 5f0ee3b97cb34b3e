// Reading batches out of a segment: as they lie in the file, each checked.
#include <algorithm>

#include "log/segment.h"

namespace headrace::log {

namespace {

// What the sparse index makes a read skip, about: read together with what is wanted.
constexpr size_t kSkippedBytes = 4096 + 4096;

// More than the kernel reads ahead of what is asked for (twice read_ahead_kb, 128 by default).
constexpr size_t kReadAheadBytes = 512 << 10;

enum class Walk { kFound, kEnd, kBad };

// A walk over headers to the batch that holds an offset.
struct Walker {
  FileWindow& window;
  uint64_t position;
  Sequence sequence;
  std::optional<Offset> first_last_offset;  // What an index entry says of the first batch.
  Offset first_expected;                    // Of the batch where the walk begins.
  record::BatchHeader header;

  Result<Walk> look() {
    if (position >= window.end()) return Walk::kEnd;
    ASSIGN_OR_RETURN(BytesView bytes, window.at(position, record::kBatchHeaderBytes));
    if (bytes.size() < record::kBatchHeaderBytes) return Walk::kBad;
    auto parsed = record::read_header(bytes);
    if (!parsed.ok() || parsed->total_bytes() > window.end() - position) return Walk::kBad;
    header = *parsed;
    if (first_last_offset) {
      if (header.last_offset() != *first_last_offset) return Walk::kBad;
      sequence.expected = first_expected = header.base_offset;
      first_last_offset.reset();
    }
    return fits(header, sequence) ? Walk::kFound : Walk::kBad;
  }
  Result<bool> crc_holds() {
    ASSIGN_OR_RETURN(BytesView bytes, window.at(position, header.total_bytes()));
    if (bytes.size() < header.total_bytes()) return false;
    return record::compute_crc(bytes.first(header.total_bytes())) == header.crc;
  }
  void step() {
    position += header.total_bytes();
    sequence.expected = header.next_offset();
  }
  Result<Walk> find(Offset offset) {
    while (true) {
      ASSIGN_OR_RETURN(Walk walk, look());
      if (walk != Walk::kFound || header.last_offset() >= offset) return walk;
      step();
    }
  }
};

// Scans to the batch that holds `offset`; false, with what is lost in `result`, where that one is damaged.
Result<bool> scan_to(BatchScanner& scanner, Offset offset, SegmentRead& result) {
  while (true) {
    ASSIGN_OR_RETURN(auto found, scanner.next());
    if (found == BatchScanner::Found::kBatch && scanner.header().last_offset() >= offset) return true;
    if (found == BatchScanner::Found::kBatch) continue;
    uint64_t bad = scanner.position();
    Offset lost_from = scanner.expected();
    ASSIGN_OR_RETURN(bool more, found == BatchScanner::Found::kBad ? scanner.resync() : Result<bool>(false));
    if (more && scanner.expected() <= offset) continue;
    result.bad_position = bad;
    result.bad_from = lost_from;
    result.good_from = more ? scanner.expected() : kNoOffset;
    return false;
  }
}

}  // namespace

void Segment::note_checked(uint64_t from, uint64_t to) {
  std::lock_guard lock(mutex_);
  bool apart = to < checked_from_ || from > checked_to_;
  checked_from_ = apart ? from : std::min(from, checked_from_);
  checked_to_ = apart ? to : std::max(to, checked_to_);
}

/// Whether [from, to) and what the kernel may read ahead of it, up to `limit`, is in the page cache; asked before any
/// of it is read. Where it is not, what comes back from the disk was not checked.
bool Segment::stayed_in_page_cache(const os::File& file, uint64_t from, uint64_t to, uint64_t limit) {
  to = std::min(to + kReadAheadBytes, limit);
  if (from >= to || !counts_as_checked(from, to) || file.in_page_cache(from, to - from)) return true;
  std::lock_guard lock(mutex_);
  appended_from_ = std::max(appended_from_, std::min(to, size_));
  if (to > checked_from_ && from < checked_to_) checked_from_ = std::min(to, checked_to_);
  return false;
}

/// Whether any of [from, to) does.
bool Segment::counts_as_checked(uint64_t from, uint64_t to) const {
  std::lock_guard lock(mutex_);
  return to > appended_from_ || (from < checked_to_ && to > checked_from_);
}

// The end of what is known to be good from `position` on; `position` where nothing is.
uint64_t Segment::checked_up_to(uint64_t position) const {
  std::lock_guard lock(mutex_);
  if (position >= appended_from_) return size_;
  if (position < checked_from_ || position >= checked_to_) return position;
  return checked_to_ >= appended_from_ ? size_ : checked_to_;
}

std::optional<SeekPoint> Segment::last_entry_before(Offset upper, uint64_t position) {
  std::lock_guard lock(mutex_);
  if (!load_indexes_locked().ok()) return std::nullopt;
  int64_t most = std::min<int64_t>(upper - base_, INT32_MAX);
  const OffsetIndexEntry* entry = indexes_->offsets.before(static_cast<int32_t>(most), position);
  if (entry == nullptr) return std::nullopt;
  return SeekPoint{static_cast<uint64_t>(entry->position), base_ + entry->relative_offset};
}

std::optional<CheckedRange> Segment::checked_range(Offset offset, size_t bytes_max, Offset upper, uint64_t limit,
                                                   bool gaps) {
  if (bytes_max < kCheckedRangeBytesMin || limit < kCheckedRangeBytesMin) return std::nullopt;
  auto start = seek(offset);
  if (!start.ok() || start->position + kCheckedRangeBytesMin > limit) return std::nullopt;
  auto opened = file();
  if (!opened.ok() || (*opened)->descriptor() < 0) return std::nullopt;

  uint64_t good_to = std::min(start->position + kSkippedBytes + bytes_max, checked_up_to(start->position));
  if (good_to < start->position + kCheckedRangeBytesMin) return std::nullopt;
  if (!stayed_in_page_cache(**opened, start->position, good_to, limit)) return std::nullopt;
  FileWindow window(**opened, limit, kSkippedBytes);
  Walker walker{window, start->position, {base_, gaps}, start->last_offset, base_, {}};
  auto found = walker.find(offset);
  if (!found.ok() || *found != Walk::kFound || walker.header.base_offset >= upper) return std::nullopt;

  uint64_t begin = walker.position;
  uint64_t end_max = std::min({begin + bytes_max, limit, good_to});
  if (end_max < begin + kCheckedRangeBytesMin) return std::nullopt;
  // The index spares a look at every batch.
  auto entry = last_entry_before(upper, end_max);
  if (entry && entry->position > walker.position) {
    walker.position = entry->position;
    walker.first_last_offset = entry->last_offset;
  }
  while (true) {
    auto walk = walker.look();
    bool lost = walk.ok() && *walk == Walk::kBad && (walker.position < end_max || walker.first_last_offset);
    if (!walk.ok() || lost) return std::nullopt;
    if (*walk != Walk::kFound || walker.header.base_offset >= upper) break;
    if (walker.position + walker.header.total_bytes() > end_max) break;
    walker.step();
  }
  size_t size = walker.position - begin;
  if (size < kCheckedRangeBytesMin) return std::nullopt;
  int descriptor = (*opened)->descriptor();
  return CheckedRange{{*std::move(opened), descriptor, begin, size}, walker.sequence.expected};
}

Result<SegmentRead> Segment::read(Offset offset, size_t bytes_max, Offset upper, uint64_t limit, bool gaps) {
  ASSIGN_OR_RETURN(SeekPoint start, seek(offset));
  ASSIGN_OR_RETURN(auto opened, file());
  stayed_in_page_cache(*opened, start.position, start.position + kSkippedBytes + bytes_max, limit);
  ASSIGN_OR_RETURN(SegmentRead result, read_from(*opened, start, offset, bytes_max, upper, limit, gaps));
  if (!result.index_lies) return result;
  ASSIGN_OR_RETURN(start, seek_again(offset));
  ASSIGN_OR_RETURN(result, read_from(*opened, start, offset, bytes_max, upper, limit, gaps));
  if (!result.index_lies) return result;
  return read_from(*opened, SeekPoint{}, offset, bytes_max, upper, limit, gaps);
}

Result<SegmentRead> Segment::read_from(os::File& file, SeekPoint start, Offset offset, size_t bytes_max, Offset upper,
                                       uint64_t limit, bool gaps) {
  FileWindow window(file, limit, bytes_max + kSkippedBytes);
  Walker walker{window, start.position, {base_, gaps}, start.last_offset, base_, {}};
  SegmentRead result;
  while (true) {
    ASSIGN_OR_RETURN(Walk walk, walker.find(offset));
    if (walk == Walk::kEnd) {
      result.bad_from = walker.sequence.expected;
      return result;
    }
    if (walk == Walk::kFound) {
      ASSIGN_OR_RETURN(bool good, walker.crc_holds());
      if (good) break;
    }
    if (walker.first_last_offset) {
      result.index_lies = true;
      return result;
    }
    // The walk trusts lengths, and a wrong one hides what follows it: again, with every batch checked.
    BatchScanner scanner(file, start.position, limit, {walker.first_expected, gaps});
    ASSIGN_OR_RETURN(bool reached, scan_to(scanner, offset, result));
    if (!reached) return result;
    walker.position = scanner.position();
    walker.sequence.expected = scanner.header().base_offset;
  }
  if (walker.header.base_offset >= upper) return result;

  uint64_t begin = walker.position;
  ASSIGN_OR_RETURN(BytesView held, window.at(begin, walker.header.total_bytes()));
  if (held.size() < bytes_max) {
    ASSIGN_OR_RETURN(held, window.at(begin, bytes_max));
  }
  uint64_t end = begin + held.size();  // Batches beyond are not in memory: the next read's.
  walker.step();
  while (walker.position + record::kBatchHeaderBytes <= end) {
    ASSIGN_OR_RETURN(Walk walk, walker.look());
    uint64_t bytes = walker.position + walker.header.total_bytes() - begin;
    if (walk != Walk::kFound || walker.header.base_offset >= upper || bytes > bytes_max || begin + bytes > end) break;
    ASSIGN_OR_RETURN(bool good, walker.crc_holds());
    if (!good) break;
    walker.step();
  }
  result.batches = window.share(begin, walker.position - begin);
  note_checked(begin, walker.position);
  result.next_offset = walker.sequence.expected;
  return result;
}

}  // namespace headrace::log
