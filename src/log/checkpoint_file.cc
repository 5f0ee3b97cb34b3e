#include "log/checkpoint_file.h"

#include <algorithm>

#include "base/logging.h"
#include "codec/crc32c.h"
#include "codec/cursor.h"

namespace headrace::log {

namespace {

constexpr uint32_t kMagic = 0x48526370;  // "HRcp"
constexpr uint16_t kVersion = 2;
constexpr uint16_t kVersionWithoutCleaned = 1;
constexpr uint16_t kNoProducersFlag = 1;
constexpr uint16_t kHasGapsFlag = 2;
constexpr uint16_t kSyncFailedFlag = 4;
constexpr size_t kFieldsBytes = 4 + 2 + 2 + 8 + 8 + 2 * 24 + 4 * 4;
constexpr size_t kCleanedBytes = 8;

void write_point(codec::Writer& writer, const LogPoint& point) {
  writer.write(point.offset.value);
  writer.write(point.segment.value);
  writer.write(point.position);
}

LogPoint read_point(codec::Reader& reader) {
  LogPoint point;
  point.offset = Offset(reader.read<int64_t>());
  point.segment = Offset(reader.read<int64_t>());
  point.position = reader.read<uint64_t>();
  return point;
}

}  // namespace

Bytes encode_checkpoint(const Checkpoint& checkpoint, uint64_t generation) {
  Bytes bytes;
  codec::Writer writer(bytes);
  writer.write(kMagic);
  writer.write(kVersion);
  writer.write(static_cast<uint16_t>((checkpoint.no_producers ? kNoProducersFlag : 0) |
                                     (checkpoint.has_gaps ? kHasGapsFlag : 0) |
                                     (checkpoint.sync_failed ? kSyncFailedFlag : 0)));
  writer.write(generation);
  writer.write(checkpoint.log_start.value);
  write_point(writer, checkpoint.durable);
  write_point(writer, checkpoint.checkpoint);
  writer.write(checkpoint.index_entries);
  writer.write(checkpoint.time_entries);
  writer.write(checkpoint.transaction_entries);
  writer.write(checkpoint.leader_epoch);
  writer.write(checkpoint.cleaned_to.value);
  writer.write(codec::crc32c(bytes));
  return bytes;
}

Result<std::pair<Checkpoint, uint64_t>> decode_checkpoint(BytesView slot) {
  codec::Reader reader(slot);
  uint32_t magic = reader.read<uint32_t>();
  uint16_t version = reader.read<uint16_t>();
  uint16_t flags = reader.read<uint16_t>();
  uint64_t generation = reader.read<uint64_t>();
  Checkpoint checkpoint;
  checkpoint.log_start = Offset(reader.read<int64_t>());
  checkpoint.durable = read_point(reader);
  checkpoint.checkpoint = read_point(reader);
  checkpoint.index_entries = reader.read<uint32_t>();
  checkpoint.time_entries = reader.read<uint32_t>();
  checkpoint.transaction_entries = reader.read<uint32_t>();
  checkpoint.leader_epoch = reader.read<int32_t>();
  checkpoint.no_producers = flags & kNoProducersFlag;
  checkpoint.has_gaps = flags & kHasGapsFlag;
  checkpoint.sync_failed = flags & kSyncFailedFlag;
  if (version != kVersionWithoutCleaned) checkpoint.cleaned_to = Offset(reader.read<int64_t>());
  uint32_t crc = reader.read<uint32_t>();
  if (!reader.ok()) return Error{ErrorCode::kCorrupt, "checkpoint slot is too short"};
  size_t covered = kFieldsBytes + (version == kVersionWithoutCleaned ? 0 : kCleanedBytes);
  bool known = magic == kMagic && (version == kVersion || version == kVersionWithoutCleaned);
  bool sound = known && codec::crc32c(slot.first(covered)) == crc;
  if (!sound) return Error{ErrorCode::kCorrupt, "checkpoint slot has no valid checksum"};
  return std::pair(checkpoint, generation);
}

Result<std::unique_ptr<CheckpointFile>> CheckpointFile::open(os::FileSystem& files, std::string path,
                                                             OpenFiles* open_files) {
  std::unique_ptr<CheckpointFile> file(new CheckpointFile(files, std::move(path), open_files));
  auto bytes = os::read_file(files, file->path_, 2 * kCheckpointSlotBytes);
  if (!bytes.ok()) {
    ErrorCode code = bytes.error().code;
    if (code != ErrorCode::kNotFound && code != ErrorCode::kTooLarge && code != ErrorCode::kIo) return bytes.error();
    if (code == ErrorCode::kIo) log_error("{}; the log is scanned instead", bytes.error().message);
    return file;
  }
  for (size_t at : {size_t{0}, kCheckpointSlotBytes}) {
    if (bytes->size() <= at) break;
    auto slot = decode_checkpoint(BytesView(*bytes).subspan(at));
    if (!slot.ok() || (file->read_ && slot->second <= file->generation_)) continue;
    file->read_ = slot->first;
    file->generation_ = slot->second;
  }
  return file;
}

CheckpointFile::~CheckpointFile() {
  if (open_files_) open_files_->closed(*this);
}

Status CheckpointFile::write(const Checkpoint& checkpoint, bool synced) {
  std::lock_guard lock(mutex_);
  if (!file_) {
    ASSIGN_OR_RETURN(file_, files_.open(path_, os::OpenMode::kCreate));
    if (open_files_) open_files_->opened(*this);
  }
  touch();
  ++generation_;
  RETURN_IF_ERROR(file_->write_at(generation_ % 2 * kCheckpointSlotBytes, encode_checkpoint(checkpoint, generation_)));
  return synced ? file_->sync() : Status();
}

void CheckpointFile::release() {
  std::lock_guard lock(mutex_);
  file_.reset();
  if (open_files_) open_files_->closed(*this);
}

// A lost unsynced write only makes the checkpoint an older one.
bool CheckpointFile::try_close(Close) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || !file_) return false;
  file_.reset();
  return true;
}

}  // namespace headrace::log
