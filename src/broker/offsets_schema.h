// The records of __consumer_offsets, as Apache Kafka writes them (its schemas OffsetCommitKey, OffsetCommitValue,
// GroupMetadataKey, GroupMetadataValue), so that Kafka's own tools read ours.
//
//   offset key    := version:i16(=1) group:string topic:string partition:i32
//   offset value  := version:i16(=3) offset:i64 leader_epoch:i32 metadata:string commit_time_ms:i64
//   group key     := version:i16(=2) group:string
//   group value   := version:i16(=3) protocol_type:string generation:i32 protocol:string? leader:string?
//                    state_time_ms:i64 count:i32 member*
//   member        := id:string instance:string? client_id:string client_host:string rebalance_timeout_ms:i32
//                    session_timeout_ms:i32 subscription:bytes assignment:bytes
//   string := size:i16 (-1: null, where "?" allows it) utf-8;  bytes := size:i32 ...
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "broker/consumer_group_schema.h"
#include "broker/group_machine.h"
#include "broker/group_types.h"

namespace headrace::broker {

struct OffsetKey {
  std::string group_id;
  TopicPartition tp;
  friend auto operator<=>(const OffsetKey&, const OffsetKey&) = default;
};
struct GroupKey {
  std::string group_id;
};
/// A key of a version that is not known (a newer Kafka's): skipped.
struct UnknownKey {};
using OffsetsRecordKey = std::variant<OffsetKey, GroupKey, ConsumerRecordKey, UnknownKey>;

std::string encode_offset_key(const OffsetKey& key);
std::string encode_group_key(std::string_view group_id);
Bytes encode_offset_value(const CommittedOffset& offset);
Bytes encode_group_value(const StoredGroup& group);

/// Keys of consumer groups, too (consumer_group_schema.h).
Result<OffsetsRecordKey> decode_offsets_key(std::string_view key);
/// Versions 0 to 3.
Result<CommittedOffset> decode_offset_value(std::string_view value);
/// Versions 0 to 3. The group's id is in the key.
Result<StoredGroup> decode_group_value(std::string_view group_id, std::string_view value);

/// The partition of an internal topic that holds a group or transactional id: Java's String.hashCode, made positive.
int32_t coordinator_partition(std::string_view id, int32_t partitions);

}  // namespace headrace::broker
