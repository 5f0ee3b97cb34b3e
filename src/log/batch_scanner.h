// Walks the batches of a segment file in order, checking each, and finds the way again behind bad bytes.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "os/file.h"
#include "record/batch.h"

namespace headrace::log {

/// Longer batches are not appended, and are corrupt when a file claims to hold one.
inline constexpr size_t kBatchBytesMax = 256 << 20;

/// Part of a file in memory.
class FileWindow {
 public:
  FileWindow(os::File& file, uint64_t end, size_t chunk_bytes) : file_(file), end_(end), chunk_bytes_(chunk_bytes) {}

  uint64_t end() const { return end_; }
  /// The bytes from `position`, at least `size` of them unless the file ends before; valid until the next call.
  Result<BytesView> at(uint64_t position, size_t size);
  /// The same, as a slice that keeps its memory.
  SharedBytes share(uint64_t position, size_t size) const;

 private:
  Status fill(uint64_t position, size_t size);

  os::File& file_;
  uint64_t end_;
  size_t chunk_bytes_;
  uint64_t start_ = 0;
  std::shared_ptr<uint8_t[]> buffer_;
  size_t size_ = 0;
};

/// What batches may follow each other.
struct Sequence {
  Offset expected;    ///< The next batch's base offset.
  bool gaps = false;  ///< Compaction left holes: it may also be larger.
};

/// Whether `header` is one that the log would have written at this place.
bool fits(const record::BatchHeader& header, const Sequence& sequence);

/// One thread at a time.
class BatchScanner {
 public:
  enum class Found { kBatch, kEnd, kBad };

  BatchScanner(os::File& file, uint64_t from, uint64_t end, Sequence sequence);

  /// The next batch, its CRC checked; kBad when the bytes at position() are none. Only kIo is an error.
  Result<Found> next();
  /// Of the last batch found.
  const record::BatchHeader& header() const { return header_; }
  BytesView batch() const { return batch_; }
  /// Where the last batch, the bad bytes or the end are.
  uint64_t position() const { return position_; }
  Offset expected() const { return sequence_.expected; }

  /// After kBad: finds the next place where a valid batch starts that another one, zeros or the end follows. When there
  /// is one, next() returns it, even though offsets are skipped. What lies inside the bad batch, by its own header, is
  /// its records, which may look like batches: there it finds one only where the bad batch's CRC says that it ends, so
  /// that its length is what was damaged.
  Result<bool> resync();
  /// The next batch, over bad bytes if need be; false at the end.
  Result<bool> next_good();

 private:
  // A bad batch as its header describes it, and the CRC of its bytes so far.
  struct Claim {
    uint64_t end = 0;  // 0: no header that fits here.
    uint32_t crc = 0;
    uint64_t summed_to = 0;
    uint32_t sum = 0;
  };
  Result<Claim> claim_of_bad();
  Result<bool> ends_at(Claim& claim, uint64_t position);
  Result<bool> starts_here(uint64_t position);
  Result<bool> continues(uint64_t position, Offset at_least);

  FileWindow window_;
  FileWindow probe_;  // Of what stands far ahead.
  Sequence sequence_;
  record::BatchHeader header_;
  BytesView batch_;
  uint64_t position_;
  uint64_t next_;
};

}  // namespace headrace::log
