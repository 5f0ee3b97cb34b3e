#include "broker/embedded_positions.h"

#include "base/logging.h"
#include "broker/await.h"
#include "broker/embedded_transaction.h"
#include "broker/leader_epochs.h"

namespace headrace::broker {
namespace {

/// Where what had been read by `committed` ends; nothing where the log does not tell.
Result<std::optional<Offset>> end_of_what_was_read(Partition& partition, const CommittedOffset& committed) {
  LeaderEpoch epoch(committed.leader_epoch);
  if (epoch.value < 0 || epoch >= partition.leader_epoch()) return std::optional<Offset>();
  auto end = end_of_epoch(partition, epoch);
  if (!end.ok() && end.error().code == ErrorCode::kUnavailable) return end.error();
  if (!end.ok() || !*end) return std::optional<Offset>();
  return std::optional(std::max((*end)->end, partition.log_start()));
}

Result<Offset> position_of(Broker& broker, std::string_view group, const FetchedOffset& fetched) {
  Offset next = fetched.offset.offset;
  auto partition = broker.partition(fetched.tp);
  if (!partition) return next;
  ASSIGN_OR_RETURN(auto end, end_of_what_was_read(*partition, fetched.offset));
  if (!end || *end >= next) return next;
  log_warn("{}: {} records that group {} had read from {} on were lost with the power; it goes on there",
           to_string(fetched.tp), next - *end, group, end->value);
  return *end;
}

}  // namespace

std::vector<OffsetToCommit> offsets_to_commit(Broker& broker, const std::vector<bus::Position>& positions) {
  std::vector<OffsetToCommit> offsets;
  for (const bus::Position& position : positions) {
    auto partition = broker.partition(position.tp);
    int32_t epoch = partition ? partition->leader_epoch().value : -1;
    offsets.push_back(
        {position.tp, {.offset = position.next, .leader_epoch = epoch, .metadata = std::string(kBusOffsetMetadata)}});
  }
  return offsets;
}

Status commit_positions(Broker& broker, std::string_view group, const std::vector<bus::Position>& positions) {
  if (positions.empty()) return {};
  CommitAnswer answer = await<CommitAnswer>([&](CommitCallback done) {
    broker.groups().commit({.group_id = std::string(group)}, offsets_to_commit(broker, positions), std::move(done));
  });
  for (size_t i = 0; i < answer.size(); ++i) {
    if (answer[i] != CoordinatorError::kNone) {
      return to_error(answer[i], "committing " + to_string(positions[i].tp) + " of group " + std::string(group));
    }
  }
  return {};
}

Result<std::vector<bus::Position>> committed_positions(Broker& broker, std::string_view group,
                                                       const std::vector<TopicPartition>& partitions) {
  std::vector<bus::Position> positions;
  for (const FetchedOffset& fetched : broker.groups().fetch(group, partitions, /*require_stable=*/false)) {
    if (fetched.offset.offset == kNoOffset) continue;
    auto next = position_of(broker, group, fetched);
    if (!next.ok()) return next.error().in("finding the position of group " + std::string(group));
    positions.push_back({fetched.tp, *next});
  }
  return positions;
}

}  // namespace headrace::broker
