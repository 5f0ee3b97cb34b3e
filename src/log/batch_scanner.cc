#include "log/batch_scanner.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "codec/crc32c.h"
#include "codec/cursor.h"

namespace headrace::log {

namespace {

constexpr size_t kScanChunkBytes = 1 << 20;
constexpr size_t kMagicOffset = 16;
constexpr uint8_t kMagic = 2;

bool all_zero(BytesView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Result<BytesView> FileWindow::at(uint64_t position, size_t size) {
  if (position >= end_) return BytesView();
  size = std::min<uint64_t>(size, end_ - position);
  bool inside = buffer_ && position >= start_ && position + size <= start_ + size_;
  if (!inside) {
    Status filled = fill(position, std::min<uint64_t>(std::max(size, chunk_bytes_), end_ - position));
    // A sector that can't be read must not hide the bytes before it.
    if (!filled.ok() && filled.error().code == ErrorCode::kIo) filled = fill(position, size);
    RETURN_IF_ERROR(filled);
  }
  size_t skip = position - start_;
  return BytesView(buffer_.get() + skip, size_ - skip);
}

Status FileWindow::fill(uint64_t position, size_t size) {
  auto buffer = std::make_shared_for_overwrite<uint8_t[]>(size);
  ASSIGN_OR_RETURN(size_, file_.read_at(position, {buffer.get(), size}));
  buffer_ = std::move(buffer);
  start_ = position;
  return {};
}

SharedBytes FileWindow::share(uint64_t position, size_t size) const {
  CHECK(position >= start_ && position + size <= start_ + size_);
  return {buffer_, BytesView(buffer_.get() + (position - start_), size)};
}

bool fits(const record::BatchHeader& header, const Sequence& sequence) {
  if (header.last_offset_delta < 0 || header.total_bytes() > kBatchBytesMax) return false;
  if (header.base_offset.value > std::numeric_limits<int64_t>::max() - header.last_offset_delta - 1) return false;
  return sequence.gaps ? header.base_offset >= sequence.expected : header.base_offset == sequence.expected;
}

BatchScanner::BatchScanner(os::File& file, uint64_t from, uint64_t end, Sequence sequence)
    : window_(file, end, kScanChunkBytes),
      probe_(file, end, record::kBatchHeaderBytes),
      sequence_(sequence),
      position_(from),
      next_(from) {}

Result<BatchScanner::Found> BatchScanner::next() {
  position_ = next_;
  if (position_ >= window_.end()) return Found::kEnd;
  ASSIGN_OR_RETURN(bool good, starts_here(position_));
  if (!good || !fits(header_, sequence_)) return Found::kBad;
  next_ = position_ + header_.total_bytes();
  sequence_.expected = header_.next_offset();
  return Found::kBatch;
}

// Whether a whole batch with a valid CRC starts at `position`; then header_ and batch_ are it.
Result<bool> BatchScanner::starts_here(uint64_t position) {
  ASSIGN_OR_RETURN(BytesView bytes, window_.at(position, record::kBatchHeaderBytes));
  if (bytes.size() < record::kBatchHeaderBytes) return false;
  auto header = record::read_header(bytes);
  if (!header.ok() || header->total_bytes() > kBatchBytesMax) return false;
  if (header->total_bytes() > window_.end() - position) return false;
  ASSIGN_OR_RETURN(bytes, window_.at(position, header->total_bytes()));
  if (bytes.size() < header->total_bytes()) return false;
  batch_ = bytes.first(header->total_bytes());
  header_ = *header;
  return record::compute_crc(batch_) == header_.crc;
}

// Whether what starts at `position` may follow a batch: the end, preallocated zeros or a batch's header.
Result<bool> BatchScanner::continues(uint64_t position, Offset at_least) {
  if (position >= window_.end()) return true;
  ASSIGN_OR_RETURN(BytesView bytes, probe_.at(position, record::kBatchHeaderBytes));
  if (bytes.size() < record::kBatchHeaderBytes) return all_zero(bytes);
  auto header = record::read_header(bytes);
  if (header.ok()) return fits(*header, {at_least, /*gaps=*/true});
  return all_zero(bytes.first(record::kBatchHeaderBytes));
}

// Its length counts when its base offset fits, or the CRC over so many bytes does: one damaged field is not enough.
Result<BatchScanner::Claim> BatchScanner::claim_of_bad() {
  ASSIGN_OR_RETURN(BytesView bytes, window_.at(position_, record::kBatchHeaderBytes));
  if (bytes.size() < record::kBatchHeaderBytes) return Claim{};
  codec::Reader reader(bytes);
  Offset base(reader.read<int64_t>());
  auto length = reader.read<int32_t>();
  reader.skip(record::kBatchCrcAt - record::kBatchLogOverheadBytes);
  auto crc = reader.read<uint32_t>();
  uint64_t size = record::kBatchLogOverheadBytes + static_cast<uint64_t>(std::max(length, 0));
  if (size < record::kBatchHeaderBytes || size > kBatchBytesMax) return Claim{};
  Claim claim{position_ + size, crc, position_ + record::kBatchCrcFrom, 0};
  bool fits_here = sequence_.gaps ? base >= sequence_.expected : base == sequence_.expected;
  if (fits_here) return claim;
  Claim whole = claim;
  ASSIGN_OR_RETURN(bool good, ends_at(whole, whole.end));
  return good ? claim : Claim{};
}

// Positions are asked for in ascending order.
Result<bool> BatchScanner::ends_at(Claim& claim, uint64_t position) {
  while (claim.summed_to < position) {
    size_t size = std::min<uint64_t>(kScanChunkBytes, position - claim.summed_to);
    ASSIGN_OR_RETURN(BytesView bytes, window_.at(claim.summed_to, size));
    if (bytes.size() < size) return false;
    claim.sum = codec::crc32c(bytes.first(size), claim.sum);
    claim.summed_to += size;
  }
  return claim.summed_to == position && claim.sum == claim.crc;
}

Result<bool> BatchScanner::next_good() {
  while (true) {
    ASSIGN_OR_RETURN(Found found, next());
    if (found != Found::kBad) return found == Found::kBatch;
    ASSIGN_OR_RETURN(bool more, resync());
    if (!more) return false;
  }
}

Result<bool> BatchScanner::resync() {
  ASSIGN_OR_RETURN(Claim bad, claim_of_bad());
  uint64_t at = position_ + 1;
  while (at + record::kBatchHeaderBytes <= window_.end()) {
    ASSIGN_OR_RETURN(BytesView bytes, window_.at(at, record::kBatchHeaderBytes));
    if (bytes.size() < record::kBatchHeaderBytes) return false;
    auto* magic =
        static_cast<const uint8_t*>(std::memchr(bytes.data() + kMagicOffset, kMagic, bytes.size() - kMagicOffset));
    if (magic == nullptr) {
      at += bytes.size() - kMagicOffset;
      continue;
    }
    at += static_cast<uint64_t>(magic - bytes.data()) - kMagicOffset;
    ASSIGN_OR_RETURN(bytes, window_.at(at, record::kBatchHeaderBytes));
    if (bytes.size() < record::kBatchHeaderBytes) return false;
    auto header = record::read_header(bytes);
    if (header.ok() && fits(*header, {sequence_.expected, /*gaps=*/true})) {
      bool good = at >= bad.end;
      if (!good) {
        ASSIGN_OR_RETURN(good, ends_at(bad, at));
      }
      // The cheap question first: records may look like the headers of large batches at every byte.
      if (good) {
        ASSIGN_OR_RETURN(good, continues(at + header->total_bytes(), header->next_offset()));
      }
      if (good) {
        ASSIGN_OR_RETURN(good, starts_here(at));
      }
      if (good) {
        next_ = at;
        sequence_.expected = header->base_offset;
        return true;
      }
    }
    ++at;
  }
  return false;
}

}  // namespace headrace::log
