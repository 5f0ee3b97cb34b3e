// Leader epochs (KIP-101, KIP-320): every start of the broker gives all partitions a new one, which is on the disk
// before any batch carries it. A start may have lost what was not synced; who has read further finds out by asking
// where the epoch that it read in has ended. That stands in the batches: their epochs never go down along the log.
#pragma once

#include "broker/partition.h"

namespace headrace::broker {

struct EpochEnd {
  LeaderEpoch epoch;  ///< The one asked for, or the last before it that has records.
  Offset end;         ///< Where what is left of the next one begins; the high watermark where there is none.
};

/// Where `wanted` has ended; nothing when that is an epoch to come. kCorrupt, kIo: a batch on the way could not be
/// read; kOutOfRange: retention was faster. Reads a batch for every halving of the log.
Result<std::optional<EpochEnd>> end_of_epoch(Partition& partition, LeaderEpoch wanted);

}  // namespace headrace::broker
