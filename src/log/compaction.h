// Compaction of one log (cleanup.policy=compact): of the records with one key the last stays, under its offset.
//
// A pass notes the last offset of every key in the part that was appended since the last one (the dirty part), then
// writes all segments from the log's start on anew, in groups that fit into one segment, without the records that the
// map knows a later one of. As Kafka's LogCleaner does:
//   - Tombstones stay for delete.retention.ms from the pass that saw them first; the batch carries that time (KIP-534).
//   - Records of aborted transactions go. A marker goes delete.retention.ms after the last batch of its transaction.
//   - The batch with the last sequence number of each producer stays, empty if it must, and so does the marker that
//     holds the last epoch of one without: the producers' state can still be read from the log.
//   - Batches keep base offset, last offset and sequence when records in them go.
// Only whole segments below the durable end and the last stable offset are touched, never the active one.
#pragma once

#include <memory>
#include <vector>

#include "log/compaction_transactions.h"
#include "log/key_offset_map.h"
#include "log/partition_log_impl.h"

namespace headrace::log {

/// Used once, under compaction_mutex_.
class Compaction {
 public:
  Compaction(PartitionLogImpl& log, CompactionOptions& options);
  /// One pass over what may be compacted now; nothing when there is nothing.
  Status run(CompactionReport& report);

 private:
  using SegmentPtr = PartitionLogImpl::SegmentPtr;
  struct Source {
    SegmentPtr segment;
    Offset end;  ///< Where the next segment starts.
    uint64_t bytes;
  };
  using Group = std::span<const Source>;
  // The segment that is being written.
  struct Output {
    std::shared_ptr<Segment> segment;
    std::shared_ptr<os::File> file;  ///< Null as long as all is as in the only source: then nothing is written.
    uint64_t position = 0;           ///< In the file, of what `buffer` holds.
    Bytes buffer;
    std::vector<TransactionIndexEntry> aborted;
  };
  // The last batch of a producer, or the epoch of its last marker.
  struct LastOf {
    Offset last_offset;
    int16_t epoch;
  };

  Status prepare();
  std::vector<TransactionIndexEntry> aborted_from(Offset offset) const;
  Status fill_map();
  Result<bool> add_keys(const record::Batch& batch);
  std::vector<Group> group_sources() const;
  Status write_group(Group group);
  Status start_writing(const Source& source, Output& output);
  Status copy_source(const Source& source, Output& output);
  Result<BytesView> compacted(const record::Batch& batch, Output& output);
  Result<BytesView> compacted_marker(const record::Batch& batch, Output& output);
  Status put(BytesView batch, Output& output);
  Status drain(Output& output);
  Status write(Output& output, uint64_t position, BytesView bytes);
  Status skip_deleted(const Source& source, BatchScanner& scanner);
  Status commit(Group group, Output& output);
  Status replace(Group group, Output& output);
  Status pace(uint64_t bytes);
  bool is_last_of_producer(const record::BatchHeader& header) const;

  PartitionLogImpl& log_;
  CompactionOptions& options_;
  const int64_t now_ms_;
  LogConfig config_;
  std::vector<Source> sources_;
  Offset first_dirty_;
  Offset log_start_;
  Offset map_end_;  ///< The map knows all keys of [first_dirty_, map_end_).
  KeyOffsetMap map_;
  CompactionTransactions transactions_{{}};
  std::unordered_map<ProducerId, LastOf> last_of_;
  Bytes scratch_;
  bool unreadable_before_ = false;  ///< A batch that stays as it is came before the one that is looked at.
  CompactionReport* report_ = nullptr;
};

}  // namespace headrace::log
