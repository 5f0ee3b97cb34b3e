// One step of a member of a consumer group towards the target assignment (KIP-848, "Reconciliation"):
//
//                    told to give partitions up            confirmed; all it is to have is free
//            Stable ---------------------------> Unrevoked ------------------------------------> Stable
//              |                                    | confirmed; others still have some              ^
//              | others still have some             v                                                |
//              +------------------------------> Unreleased -----------------------------------------+
//                                                           all it is to have has become free
//
// A partition goes to a member only when nobody has it: neither assigned, nor told to give it up without having
// confirmed.
#pragma once

#include <optional>

#include "broker/consumer_group_schema.h"
#include "broker/partition_set.h"

namespace headrace::broker {

/// What the member is to be told next. `owned` is what it says that it has, where it says so. `is_taken(partition)`
/// tells whether another member has a partition.
template <typename IsTaken>
CurrentAssignment reconcile(const CurrentAssignment& now, int32_t target_epoch, const PartitionSet& target,
                            const std::optional<PartitionSet>& owned, IsTaken is_taken) {
  auto given_up = [&](const PartitionSet& partitions) { return owned && owned->intersect(partitions).empty(); };
  if (now.state == MemberState::kStable && now.epoch == target_epoch) return now;
  if (now.state == MemberState::kUnrevokedPartitions && !given_up(now.revoking)) return now;

  CurrentAssignment next{.epoch = now.epoch, .previous_epoch = now.previous_epoch};
  next.assigned = now.assigned.intersect(target);
  next.revoking = now.assigned.minus(target);
  if (!next.revoking.empty() && !given_up(next.revoking)) {
    next.state = MemberState::kUnrevokedPartitions;
    return next;
  }
  next.revoking = {};
  std::vector<TopicIdPartition> free;
  PartitionSet missing = target.minus(next.assigned);
  for (const TopicIdPartition& item : missing) {
    if (!is_taken(item)) free.push_back(item);
  }
  next.state = free.size() < missing.size() ? MemberState::kUnreleasedPartitions : MemberState::kStable;
  next.assigned = next.assigned.plus(PartitionSet(std::move(free)));
  if (next.epoch != target_epoch) next.previous_epoch = std::exchange(next.epoch, target_epoch);
  return next;
}

}  // namespace headrace::broker
