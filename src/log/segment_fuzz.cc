// Any bytes may stand in a segment file: opening the log, reading all of it and compacting it serves valid batches or
// errors.
//
//   input := mode:u8 [index timeindex txnindex checkpoint] segment
//   index, timeindex, txnindex, checkpoint := size:u16 bytes
//
// With kSealBit in the mode the batches and the checkpoint get the checksums and magic that they should have, so that
// what stands behind them is reached; with kCompactBit the log is compacted, and read again; with kFilesBit the files
// beside the segment are the input's too. --seeds=DIRECTORY writes segments.
#include <cstdint>

#include "base/fuzzing.h"
#include "base/logging.h"
#include "codec/crc32c.h"
#include "codec/cursor.h"
#include "log/checkpoint_file.h"
#include "log/offset_index.h"
#include "log/partition_log.h"
#include "log/time_index.h"
#include "os/simulated_file_system.h"
#include "record/batch_builder.h"
#include "record/producer_fields.h"

namespace headrace::log {
namespace {

constexpr uint8_t kSealBit = 1, kCompactBit = 2, kFilesBit = 4;
constexpr int64_t kNowMs = 1'700'000'000'000;
constexpr size_t kMagicAt = 16;
constexpr size_t kCheckpointCrcAt = 96;
const std::string kDirectory = "/data/t-0/", kSegment = kDirectory + "00000000000000000000";

/// Seals every batch up to the first that has no sensible length.
void seal_batches(Bytes& segment) {
  std::span<uint8_t> rest(segment);
  while (rest.size() >= record::kBatchHeaderBytes) {
    rest[kMagicAt] = 2;
    auto header = record::read_header(rest);
    if (!header.ok() || header->total_bytes() > rest.size()) return;
    record::seal(rest.first(header->total_bytes()));
    rest = rest.subspan(header->total_bytes());
  }
}

/// Takes the files beside the segment off the input.
void put_files(codec::Reader& input, bool seal, os::SimulatedFileSystem& disk) {
  for (const char* suffix : {".index", ".timeindex", ".txnindex", ""}) {
    size_t size = std::min<size_t>(input.read<uint16_t>(), input.remaining());
    BytesView view = input.read_bytes(size);
    Bytes bytes(view.begin(), view.end());
    bool checkpoint = *suffix == 0;
    if (checkpoint && seal && size >= kCheckpointCrcAt + 4) {
      codec::Writer(bytes).patch(kCheckpointCrcAt, codec::crc32c(BytesView(bytes).first(kCheckpointCrcAt)));
    }
    disk.set_content(checkpoint ? kDirectory + "headrace.checkpoint" : kSegment + suffix, std::move(bytes));
  }
}

void read_all(PartitionLog& log) {
  Offset offset = log.log_start_offset();
  while (offset < log.log_end_offset()) {
    auto read = log.read(offset, 1 << 16, log.log_end_offset());
    if (!read.ok() || read->batches.empty()) break;
    CHECK(record::split_batches(read->batches, /*allow_partial_tail=*/false).ok());
    CHECK(read->next_offset > offset);
    offset = read->next_offset;
  }
  (void)log.offset_for_timestamp(0);
  (void)log.max_timestamp();
  (void)log.aborted_transactions(log.log_start_offset(), log.log_end_offset());
}

/// All but one record, which is appended first, get out of the active segment and are compacted.
void compact(PartitionLog& log) {
  LogConfig config = log.config();
  config.segment_bytes = 1;
  log.set_config(config);
  record::BatchBuilder builder;
  builder.add(kNowMs, "k", "last");
  record::Batch batch = builder.finish();
  if (!log.append({&batch, 1}, LeaderEpoch(0)).ok() || !log.flush().ok()) return;
  (void)log.compaction_backlog();
  (void)log.compact({.offset_map_bytes_max = 1 << 12, .seed = 1, .pace = {}});
}

void add(Bytes& segment, record::Batch batch, int64_t& offset) {
  Bytes bytes(batch.bytes().view().begin(), batch.bytes().view().end());
  record::stamp(bytes, Offset(offset), LeaderEpoch(0));
  segment.insert(segment.end(), bytes.begin(), bytes.end());
  offset += batch.header().last_offset_delta + 1;
}

record::Batch sample_batch(codec::Compression codec, int records) {
  record::BatchBuilder builder(codec);
  for (int i = 0; i < records; ++i) {
    builder.add(kNowMs + i, i % 2 ? "k" : "l", i % 3 ? std::optional<std::string_view>("value") : std::nullopt);
  }
  return builder.finish();
}

void add_file(Bytes& input, const Bytes& file) {
  codec::Writer writer(input);
  writer.write(static_cast<uint16_t>(file.size()));
  writer.write_bytes(file);
}

/// Segments of each codec: batches of nobody, of a producer, and of an aborted transaction; without and with the files
/// beside them.
void write_seeds(const std::string& directory) {
  const std::vector<OffsetIndexEntry> offsets = {{2, 0}};
  const std::vector<TimeIndexEntry> times = {{kNowMs, 2}};
  for (int codec = 0; codec < 5; ++codec) {
    for (int bits = kSealBit; bits <= (kSealBit | kCompactBit | kFilesBit); bits += 2) {
      Bytes segment = {static_cast<uint8_t>(bits)};
      if (bits & kFilesBit) {
        add_file(segment, encode_offset_index(offsets));
        add_file(segment, encode_time_index(times));
        add_file(segment, {});
        add_file(segment, encode_checkpoint({.checkpoint = {Offset(0), Offset(0), 0}, .index_entries = 1}, 1));
      }
      int64_t offset = 0;
      auto batch = sample_batch(static_cast<codec::Compression>(codec), 3);
      add(segment, batch, offset);
      add(segment, record::with_producer(batch, {ProducerId(7), 0, 0, false}), offset);
      add(segment, record::with_producer(batch, {ProducerId(8), 0, 0, true}), offset);
      add(segment, record::end_transaction_marker(record::ControlType::kAbort, ProducerId(8), 0, 0, kNowMs), offset);
      add(segment, sample_batch(static_cast<codec::Compression>(codec), 1), offset);
      write_seed(directory, std::to_string(codec) + "-" + std::to_string(bits), segment);
    }
  }
}

}  // namespace
}  // namespace headrace::log

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  headrace::write_seeds_if_asked(*count, *arguments, headrace::log::write_seeds);
  headrace::set_log_level(headrace::LogLevel::kError);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  if (size == 0) return 0;
  uint8_t mode = data[0];
  os::SimulatedFileSystem disk;
  os::ManualClock clock(log::kNowMs);
  CHECK(disk.make_directories("/data/t-0").ok());
  codec::Reader input(BytesView(data + 1, size - 1));
  if (mode & log::kFilesBit) log::put_files(input, mode & log::kSealBit, disk);
  BytesView rest = input.read_bytes(input.remaining());
  Bytes segment(rest.begin(), rest.end());
  if (mode & log::kSealBit) log::seal_batches(segment);
  disk.set_content(log::kSegment + ".log", std::move(segment));
  log::LogConfig config{.max_compaction_lag_ms = 1, .compact_enabled = true, .preallocate_bytes_max = 0};
  auto opened = log::PartitionLog::open(disk, clock, "/data/t-0", config);
  if (!opened.ok()) return 0;
  log::read_all(**opened);
  if (!(mode & log::kCompactBit)) return 0;
  log::compact(**opened);
  log::read_all(**opened);
  return 0;
}
