#include "log/log_import.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/batch_scanner.h"
#include "log/checkpoint_file.h"
#include "log/file_names.h"
#include "log/producer_snapshot.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "record/producer_fields.h"

namespace headrace::log {

namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kSnapshotBytesMax = 256 << 20;
constexpr size_t kMagicOffset = 16;
constexpr int64_t kIndexIntervalBytes = 4096;
constexpr LeaderEpoch kOwnEpoch{0};

class Importer {
 public:
  Importer(os::FileSystem& files, os::Clock& clock, LogImport& options)
      : files_(files), now_ms_(clock.wall_ms()), options_(options) {}

  Result<ImportedLog> run() {
    RETURN_IF_ERROR(list());
    RETURN_IF_ERROR(files_.make_directories(options_.to));
    RETURN_IF_ERROR(take_producers_at(bases_.front()));
    end_ = bases_.front();
    for (size_t i = 0; i < bases_.size(); ++i) {
      RETURN_IF_ERROR(import_segment(bases_[i], /*last=*/i + 1 == bases_.size()));
    }
    RETURN_IF_ERROR(finish());
    return report_;
  }

 private:
  std::string source(Offset offset, std::string_view suffix) const {
    return options_.from + "/" + file_name(offset, suffix);
  }

  Status list() {
    ASSIGN_OR_RETURN(auto names, files_.list(options_.from));
    for (const std::string& name : names) {
      if (auto base = offset_of_name(name, kLogSuffix)) bases_.push_back(*base);
      if (name.ends_with(kSwapSuffix)) {
        return Error{ErrorCode::kUnavailable, options_.from + "/" + name +
                                                  ": Kafka was stopped amid compaction; start it once and stop it "
                                                  "with its own command"};
      }
    }
    if (bases_.empty()) return Error{ErrorCode::kNotFound, options_.from + " holds no segments (*.log)"};
    return {};
  }

  /// Takes over what Kafka's snapshot at `offset` says, if there is a good one: the batches say nearly as much.
  Status take_producers_at(Offset offset) {
    auto bytes = os::read_file(files_, source(offset, kSnapshotSuffix), kSnapshotBytesMax);
    if (!bytes.ok()) return bytes.error().code == ErrorCode::kNotFound ? Status() : Status(bytes.error());
    auto decoded = decode_producer_snapshot(*bytes);
    if (!decoded.ok()) return {};
    producers_ = *std::move(decoded);
    producers_.touch(now_ms_);
    for (const auto& [id, state] : producers_.all()) report_.producer_max = std::max(report_.producer_max, id);
    return {};
  }

  Status import_segment(Offset base, bool last) {
    ASSIGN_OR_RETURN(auto file, files_.open(source(base, kLogSuffix), os::OpenMode::kRead));
    ASSIGN_OR_RETURN(uint64_t size, file->size());
    if (base < end_) {
      return Error{ErrorCode::kCorrupt, fmt::format("{} starts below offset {}, where the segment before it ends",
                                                    file->path(), end_.value)};
    }
    gaps_ = gaps_ || base != end_;
    end_ = base;
    RETURN_IF_ERROR(write_snapshot(base));
    segment_ = std::make_shared<Segment>(files_, options_.to, base);
    RETURN_IF_ERROR(segment_->create(now_ms_));
    BatchScanner scanner(*file, 0, size, {base, /*gaps=*/true});
    while (true) {
      ASSIGN_OR_RETURN(auto found, scanner.next());
      if (found == BatchScanner::Found::kEnd) break;
      if (found == BatchScanner::Found::kBatch) {
        RETURN_IF_ERROR(take(scanner));
        continue;
      }
      RETURN_IF_ERROR(judge_bad(*file, scanner, last));
      report_.torn_bytes = static_cast<int64_t>(size - scanner.position());
      break;
    }
    if (last) {
      RETURN_IF_ERROR(take_producers_at(end_));
      RETURN_IF_ERROR(end_open_transactions());
    }
    RETURN_IF_ERROR(drain());
    RETURN_IF_ERROR(segment_->trim());
    RETURN_IF_ERROR(segment_->sync());
    ASSIGN_OR_RETURN(auto image, segment_->index_image());
    RETURN_IF_ERROR(segment_->write_indexes(image));
    counts_ = image.counts;
    segment_->release();
    return {};
  }

  /// Fine for what a crash leaves at the log's end, which is no batch and has none behind it.
  Status judge_bad(os::File& file, BatchScanner& scanner, bool last) {
    uint64_t position = scanner.position();
    uint8_t front[kMagicOffset + 1] = {};
    ASSIGN_OR_RETURN(size_t got, file.read_at(position, front));
    bool old_format = got == sizeof front && front[kMagicOffset] < 2 &&
                      std::any_of(front, front + sizeof front, [](uint8_t byte) { return byte != 0; });
    ASSIGN_OR_RETURN(bool more, scanner.resync());
    if (last && !more) {
      if (old_format && report_.batches == 0) return too_old(file, position, front[kMagicOffset]);
      return {};
    }
    if (old_format) return too_old(file, position, front[kMagicOffset]);
    return Error{ErrorCode::kCorrupt,
                 fmt::format("{}: no valid batch at byte {} (checksum, length or offset)", file.path(), position)};
  }
  static Error too_old(const os::File& file, uint64_t position, int magic) {
    return {ErrorCode::kUnsupported,
            fmt::format("{}: the batch at byte {} has message format {}; 2 is needed (Kafka 0.11 or later writes it)",
                        file.path(), position, magic)};
  }

  /// The coordinator's word is not here, so only what nobody committed may be aborted: that is for people to say.
  Status end_open_transactions() {
    std::vector<std::pair<ProducerId, ProducerState>> open;
    for (const auto& [id, state] : producers_.all()) {
      if (state.transaction_first_offset != kNoOffset) open.emplace_back(id, state);
    }
    for (const auto& [id, state] : open) {
      if (!options_.abort_open_transactions) {
        return Error{ErrorCode::kUnavailable,
                     fmt::format("{}: the transaction of producer {} from offset {} on is open; end it in Kafka and "
                                 "stop it again, or have open transactions aborted (--abort-transactions)",
                                 options_.from, id.value, state.transaction_first_offset.value)};
      }
      auto marker = record::end_transaction_marker(record::ControlType::kAbort, id, state.epoch,
                                                   state.coordinator_epoch, now_ms_);
      record::BatchHeader header = marker.header();
      header.base_offset = end_;
      RETURN_IF_ERROR(put(header, marker.bytes().view()));
      ++report_.aborted_transactions;
    }
    return {};
  }

  Status take(const BatchScanner& scanner) {
    gaps_ = gaps_ || scanner.header().base_offset != end_;
    return put(scanner.header(), scanner.batch());
  }

  Status put(record::BatchHeader header, BytesView batch) {
    size_t at = buffer_.size();
    buffer_.insert(buffer_.end(), batch.begin(), batch.end());
    header.partition_leader_epoch = kOwnEpoch;
    record::stamp(std::span(buffer_).subspan(at), header.base_offset, kOwnEpoch);
    auto marker = record::read_marker(header, batch);
    auto aborted = producers_.apply(header, marker.ok() ? *marker : std::nullopt, now_ms_);
    if (aborted) segment_->note_aborted(*aborted);
    report_.producer_max = std::max(report_.producer_max, header.producer_id);
    headers_.push_back(header);
    end_ = header.next_offset();
    ++report_.batches;
    return buffer_.size() >= kChunkBytes ? drain() : Status();
  }

  Status drain() {
    if (buffer_.empty()) return {};
    BytesView all = buffer_;
    RETURN_IF_ERROR(segment_->write(std::span(&all, 1), buffer_.size(), /*preallocate_bytes_max=*/0));
    for (const record::BatchHeader& header : headers_) segment_->note(header, kIndexIntervalBytes);
    auto bytes = static_cast<int64_t>(buffer_.size());
    report_.bytes += bytes;
    headers_.clear();
    buffer_.clear();
    if (options_.copied) options_.copied(bytes);
    return {};
  }

  Status write_snapshot(Offset offset) {
    ProducerStates ours;
    for (const auto& [id, state] : producers_.all()) {
      if (id >= options_.producers_from || state.transaction_first_offset != kNoOffset) ours.restore(id, state);
    }
    return os::write_file_atomically(files_, options_.to + "/" + file_name(offset, kSnapshotSuffix),
                                     encode_producer_snapshot(ours));
  }

  Status finish() {
    report_.log_start = std::max(bases_.front(), std::min(options_.log_start, end_));
    report_.log_end = end_;
    RETURN_IF_ERROR(write_snapshot(end_));
    LogPoint point{end_, segment_->base(), segment_->size()};
    Checkpoint checkpoint{.log_start = report_.log_start,
                          .durable = point,
                          .checkpoint = point,
                          .index_entries = counts_.offsets,
                          .time_entries = counts_.times,
                          .transaction_entries = counts_.transactions,
                          .leader_epoch = kOwnEpoch.value,
                          .has_gaps = gaps_};
    ASSIGN_OR_RETURN(auto file, CheckpointFile::open(files_, options_.to + "/" + std::string(kCheckpointName)));
    RETURN_IF_ERROR(file->write(checkpoint, /*synced=*/true));
    return files_.sync_directory(options_.to);
  }

  os::FileSystem& files_;
  const int64_t now_ms_;
  LogImport& options_;
  std::vector<Offset> bases_;
  ProducerStates producers_;
  std::shared_ptr<Segment> segment_;
  Bytes buffer_;
  std::vector<record::BatchHeader> headers_;
  IndexCounts counts_;
  Offset end_;
  bool gaps_ = false;
  ImportedLog report_;
};

}  // namespace

Result<ImportedLog> import_log(os::FileSystem& files, os::Clock& clock, LogImport options) {
  return Importer(files, clock, options).run();
}

}  // namespace headrace::log
