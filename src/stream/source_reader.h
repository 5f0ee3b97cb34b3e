// The source of a pipeline: all partitions of a topic, read in order, as columns.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "bus/bus.h"
#include "columns/decoder.h"
#include "record/batch.h"

namespace headrace::stream {

struct SourceReaderOptions {
  std::string topic;
  std::string group;
  bool from_latest = false;
  size_t fetch_bytes_max = 2 << 20;
  columns::DecoderOptions decoder;  ///< `source` is filled in.
};

/// The most rows that are decoded into one slice, and the bytes of their texts that end it.
inline constexpr size_t kSliceRowsMax = 16'384;
inline constexpr size_t kSliceBytesMax = 16 << 20;
/// What one batch of the topic may decompress to.
inline constexpr size_t kDecompressedBytesMax = 64 << 20;

/// Rows of one partition, in order.
struct SourceSlice {
  const TopicPartition& tp;
  const arrow::RecordBatch& rows;
  std::span<const Offset> offsets;                    ///< By row.
  std::span<const int64_t> timestamps_ms;             ///< By row.
  std::span<const bus::FetchedBatch* const> batches;  ///< Where the rows come from, in order.
};

/// Calls `visit(row, record)` for the given rows of a slice, ascending; reads the batches again.
void visit_records(const SourceSlice& slice, std::span<const uint32_t> rows,
                   Function<void(uint32_t row, const record::RecordView&)> visit);

/// One thread, wake() excepted.
class SourceReader {
 public:
  /// Reads from the group's committed positions. kNotFound: no such topic.
  static Result<std::unique_ptr<SourceReader>> open(SourceReaderOptions options, bus::Bus& bus);

  /// What read() found. Decoding errors are told record by record, before the slice that the record would be part of.
  struct Visitor {
    Function<Status(const SourceSlice&)> slice;
    Function<Status(const TopicPartition&, const record::RecordView&, std::string_view reason)> bad_record;
  };
  struct ReadResult {
    int64_t records = 0;  ///< Bad ones included.
    int64_t expired = 0;  ///< Records that retention deleted before they were read.
    bool moved = false;   ///< There are positions to commit.
  };
  Result<ReadResult> read(std::chrono::milliseconds timeout, Visitor& visitor);

  /// Looks for new partitions, which are then read from their start; true when there were any.
  Result<bool> discover();
  std::vector<PartitionId> partitions() const;
  /// Whether the partition has nothing left to read.
  Result<bool> at_end(PartitionId partition);

  /// Positions that moved since they were last handed to committed().
  std::vector<bus::Position> uncommitted() const;
  void committed();
  void wake() { consumer_->wake(); }

 private:
  struct Partition {
    TopicPartition tp;
    Offset next;
    bool moved = false;
    std::unique_ptr<columns::Decoder> decoder;
  };
  SourceReader(SourceReaderOptions options, bus::Bus& bus) : options_(std::move(options)), bus_(bus) {}

  Status add_partitions(int32_t first, int32_t end, bool from_latest);
  Status assign();
  Status decode(Partition& partition, std::span<const bus::FetchedBatch> batches, Visitor& visitor, ReadResult& result);
  Status decode_batch(Partition& partition, const bus::FetchedBatch& batch, Visitor& visitor, ReadResult& result);
  Status finish_slice(Partition& partition, Visitor& visitor);

  SourceReaderOptions options_;
  bus::Bus& bus_;
  std::unique_ptr<bus::Consumer> consumer_;
  std::vector<Partition> partitions_;  ///< By id.
  std::vector<Offset> offsets_;
  std::vector<int64_t> timestamps_ms_;
  std::vector<const bus::FetchedBatch*> slice_batches_;
};

}  // namespace headrace::stream
