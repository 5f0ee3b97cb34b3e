// The positions of the embedded bus's groups.
#pragma once

#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "bus/bus.h"

namespace headrace::broker {

/// As they are committed: with the leader epoch in which they were reached, so that committed_positions() finds out
/// when what was read is no longer there (KIP-320).
std::vector<OffsetToCommit> offsets_to_commit(Broker& broker, const std::vector<bus::Position>& positions);

/// Durable on return.
Status commit_positions(Broker& broker, std::string_view group, const std::vector<bus::Position>& positions);

/// Where a power loss took records that the group had read (flush: os, interval), its position is where the loss
/// begins: what stands there now it has not read. kUnavailable: files could not be opened to find out.
Result<std::vector<bus::Position>> committed_positions(Broker& broker, std::string_view group,
                                                       const std::vector<TopicPartition>& partitions);

}  // namespace headrace::broker
