// What consumers tell each other inside the classic group protocol, where its type is "consumer": the subscription that
// a member joins with, and the assignment that it gets (Kafka's schemas ConsumerProtocolSubscription and
// ConsumerProtocolAssignment). The broker reads and writes both where it assigns partitions to such members (KIP-848).
//
//   subscription := version:i16 topic:string[] user_data:bytes? [1+: owned:partitions[]] [2+: generation:i32]
//                   [3+: rack:string?]
//   assignment   := version:i16 assigned:partitions[] user_data:bytes?
//   partitions   := topic:string partition:i32[]
//   x[]          := count:i32 x*;  string := as in schema_cursor.h;  bytes? := size:i32 (-1: none) and that many
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace headrace::broker {

inline constexpr std::string_view kConsumerProtocolType = "consumer";

/// Of one topic: its name once, however many partitions there are.
struct NamedPartitions {
  std::string topic;
  std::vector<int32_t> partitions;
  friend bool operator==(const NamedPartitions&, const NamedPartitions&) = default;
};

struct ConsumerSubscription {
  int16_t version = 0;  ///< As the member wrote it; what follows the fields of version 3 is not read.
  std::set<std::string> topics;
  std::vector<NamedPartitions> owned;  ///< What a cooperative member still has; eager ones have given everything up.
  std::optional<std::string> rack;
};

/// kCorrupt: not a subscription.
Result<ConsumerSubscription> decode_subscription(BytesView bytes);

struct ConsumerAssignment {
  std::vector<NamedPartitions> partitions;
  bool has_user_data = false;  ///< What an assignor of the client's own says to its members, as Kafka Streams' does.
};

/// In the newest version that a member who writes subscriptions of `version` reads.
Bytes encode_assignment(int16_t version, const std::vector<NamedPartitions>& partitions);
/// Nothing at all is no partition. kCorrupt: not an assignment.
Result<ConsumerAssignment> decode_assignment(BytesView bytes);

}  // namespace headrace::broker
