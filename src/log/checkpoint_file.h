// headrace.checkpoint: where recovery starts, how far the log is known to be on the disk, and where it begins.
//
//   file  := slot slot                  each at a multiple of 512 bytes, written in turn, so that one is always whole
//   slot  := magic:u32 version:u16 flags:u16 generation:u64 log_start:i64
//            durable:point checkpoint:point index_entries:u32 time_entries:u32 transaction_entries:u32
//            leader_epoch:i32 cleaned_to:i64 crc:u32
//   point := offset:i64 segment:i64 position:u64
//
// Big-endian; crc is CRC-32C of what precedes it; the whole slot with the larger generation counts. `durable` is
// written after each fsync of the log, without one of its own: a lost update only makes it an older, still true
// statement. `checkpoint` is a durable point at which the segment's indexes (with at least the entries counted here)
// and the producer snapshot were on the disk as well.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "log/open_files.h"
#include "os/file.h"

namespace headrace::log {

/// A place in the log: `position` in the segment that starts at offset `segment`.
struct LogPoint {
  Offset offset = kNoOffset;
  Offset segment = kNoOffset;
  uint64_t position = 0;
  friend bool operator==(const LogPoint&, const LogPoint&) = default;
};

struct Checkpoint {
  Offset log_start{0};
  LogPoint durable;
  LogPoint checkpoint;
  uint32_t index_entries = 0;
  uint32_t time_entries = 0;
  uint32_t transaction_entries = 0;
  int32_t leader_epoch = 0;   ///< Of the last batch before the checkpoint.
  bool no_producers = false;  ///< There were none at the checkpoint, and so there is no snapshot.
  bool has_gaps = false;      ///< Compaction has run: offsets may be missing between batches.
  Offset cleaned_to{0};       ///< Records below were compacted.
  /// An fsync failed: the page cache may hold bytes beyond `durable` as if they were on the disk, which they are not.
  bool sync_failed = false;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

inline constexpr size_t kCheckpointSlotBytes = 512;

Bytes encode_checkpoint(const Checkpoint& checkpoint, uint64_t generation);
/// The checkpoint and its generation in one slot's bytes.
Result<std::pair<Checkpoint, uint64_t>> decode_checkpoint(BytesView slot);

/// The file. One thread at a time.
class CheckpointFile final : OpenFiles::Holder {
 public:
  /// Reads what there is; a missing file or one without a whole slot reads as nothing. `open_files`, where there is
  /// one, bounds the descriptors of many files; it outlives this.
  static Result<std::unique_ptr<CheckpointFile>> open(os::FileSystem& files, std::string path,
                                                      OpenFiles* open_files = nullptr);
  ~CheckpointFile() override;

  const std::optional<Checkpoint>& read() const { return read_; }
  /// Writes the next slot, into the page cache only unless `synced`. The file is created by the first write.
  Status write(const Checkpoint& checkpoint, bool synced);
  /// Gives the file descriptor back until the next write.
  void release();

 private:
  CheckpointFile(os::FileSystem& files, std::string path, OpenFiles* open_files)
      : files_(files), path_(std::move(path)), open_files_(open_files) {}
  bool try_close(Close how) override;

  os::FileSystem& files_;
  const std::string path_;
  OpenFiles* const open_files_;
  std::mutex mutex_;  // Of file_ alone, which others may close.
  std::unique_ptr<os::File> file_;
  std::optional<Checkpoint> read_;
  uint64_t generation_ = 0;
};

}  // namespace headrace::log
