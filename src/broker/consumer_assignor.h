// Server-side assignors of consumer groups (KIP-848): who is to have which partition, from the members' subscriptions
// and what they are to have already. Pure functions of their arguments.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/partition_set.h"

namespace headrace::broker {

struct AssignorTopic {
  Uuid id;
  int32_t partitions = 0;
};

struct AssignorMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::vector<Uuid> topics;  ///< Sorted; what it subscribes to and exists.
  PartitionSet current;      ///< The target before this one.
};

/// One set for each member, in their order; every partition that anybody subscribes to is in exactly one of them.
using Assignor = std::vector<PartitionSet> (*)(std::span<const AssignorMember> members,
                                               std::span<const AssignorTopic> topics);

/// Spreads partitions evenly over members, moving as few of them as that allows.
std::vector<PartitionSet> assign_uniform(std::span<const AssignorMember> members,
                                         std::span<const AssignorTopic> topics);
/// Per topic, contiguous ranges in the order of instance ids, then member ids: topics of as many partitions are
/// co-partitioned.
std::vector<PartitionSet> assign_range(std::span<const AssignorMember> members, std::span<const AssignorTopic> topics);

/// "uniform" or "range"; null for others.
Assignor find_assignor(std::string_view name);
inline constexpr std::string_view kDefaultAssignor = "uniform";

}  // namespace headrace::broker
