#include "broker/leader_epochs.h"

namespace headrace::broker {
namespace {

struct Found {
  LeaderEpoch epoch;
  Offset base;
  Offset next;  ///< Behind the batch.
};

/// The batch with the record at `offset`, or the next one that can be read: compaction may have taken it, or damage.
Result<std::optional<Found>> batch_at(log::PartitionLog& log, Offset offset, Offset end) {
  auto found = log.read(offset, log::ReadLimits{.memory_max = 1}, end);
  while (!found.ok() && found.error().code == ErrorCode::kCorrupt) {
    Offset behind = log.behind_damage(offset);
    if (behind <= offset) break;
    if (behind >= end) return std::optional<Found>();
    offset = behind;
    found = log.read(offset, log::ReadLimits{.memory_max = 1}, end);
  }
  ASSIGN_OR_RETURN(log::ReadResult read, std::move(found));
  if (read.batches.empty()) return std::optional<Found>();
  ASSIGN_OR_RETURN(auto batches, record::split_batches(read.batches, false));
  const record::BatchHeader& header = batches.front().header();
  return std::optional(Found{header.partition_leader_epoch, header.base_offset, header.last_offset() + 1});
}

}  // namespace

Result<std::optional<EpochEnd>> end_of_epoch(Partition& partition, LeaderEpoch wanted) {
  log::PartitionLog& log = partition.log();
  Offset low = log.log_start_offset(), high = log.high_watermark();
  if (wanted > partition.leader_epoch()) return std::optional<EpochEnd>();
  if (wanted == partition.leader_epoch()) return std::optional(EpochEnd{wanted, high});
  LeaderEpoch latest = log.latest_epoch();
  if (latest <= wanted) return std::optional(EpochEnd{latest, high});
  // The first offset of a later epoch is in [low, high]; the batch before low is of `epoch`.
  LeaderEpoch epoch = wanted;
  const Offset end = high;
  Offset later = end;  // The first batch of a later epoch: compaction or damage may have taken what stood before it.
  while (low < high) {
    Offset middle(low.value + (high.value - low.value) / 2);
    ASSIGN_OR_RETURN(auto found, batch_at(log, middle, end));
    if (!found || found->epoch > wanted) {
      high = middle;
      if (found) later = found->base;
    } else {
      epoch = found->epoch;
      low = found->next;
    }
  }
  return std::optional(EpochEnd{epoch, later});
}

}  // namespace headrace::broker
