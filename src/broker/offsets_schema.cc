#include "broker/offsets_schema.h"

#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

constexpr int16_t kOffsetKeyVersion = 1, kGroupKeyVersion = 2, kOffsetValueVersion = 3, kGroupValueVersion = 3;

Error damaged(std::string_view what) {
  return {ErrorCode::kCorrupt, "__consumer_offsets: " + std::string(what) + " can't be read"};
}

std::string as_string(const Bytes& bytes) { return std::string(as_text(bytes)); }

}  // namespace

std::string encode_offset_key(const OffsetKey& key) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kOffsetKeyVersion);
  write_string(writer, key.group_id);
  write_string(writer, key.tp.topic);
  writer.write(key.tp.partition.value);
  return as_string(out);
}

std::string encode_group_key(std::string_view group_id) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kGroupKeyVersion);
  write_string(writer, group_id);
  return as_string(out);
}

Bytes encode_offset_value(const CommittedOffset& offset) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kOffsetValueVersion);
  writer.write(offset.offset.value);
  writer.write(offset.leader_epoch);
  write_string(writer, offset.metadata);
  writer.write(offset.commit_time_ms);
  return out;
}

Bytes encode_group_value(const StoredGroup& group) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kGroupValueVersion);
  write_string(writer, group.protocol_type);
  writer.write(group.generation);
  write_nullable_string(writer, group.protocol);
  write_nullable_string(writer, group.leader);
  writer.write(group.state_time_ms);
  writer.write(static_cast<int32_t>(group.members.size()));
  for (const StoredGroup::Member& member : group.members) {
    write_string(writer, member.member_id);
    write_nullable_string(writer, member.group_instance_id);
    write_string(writer, member.client_id);
    write_string(writer, member.client_host);
    writer.write(member.rebalance_timeout_ms);
    writer.write(member.session_timeout_ms);
    write_sized_bytes(writer, member.subscription);
    write_sized_bytes(writer, member.assignment);
  }
  return out;
}

Result<OffsetsRecordKey> decode_offsets_key(std::string_view key) {
  codec::Reader reader(as_bytes(key));
  auto version = reader.read<int16_t>();
  if (!reader.ok()) return damaged("a key");
  if (version == kGroupKeyVersion) {
    GroupKey group{read_string(reader)};
    if (!reader.ok()) return damaged("a group's key");
    return OffsetsRecordKey(std::move(group));
  }
  if (version != 0 && version != kOffsetKeyVersion) {
    ASSIGN_OR_RETURN(auto consumer, decode_consumer_key(key));
    return consumer ? OffsetsRecordKey(*std::move(consumer)) : OffsetsRecordKey(UnknownKey{});
  }
  OffsetKey offset;
  offset.group_id = read_string(reader);
  offset.tp.topic = read_string(reader);
  offset.tp.partition = PartitionId(reader.read<int32_t>());
  if (!reader.ok()) return damaged("an offset's key");
  return OffsetsRecordKey(std::move(offset));
}

Result<CommittedOffset> decode_offset_value(std::string_view value) {
  codec::Reader reader(as_bytes(value));
  auto version = reader.read<int16_t>();
  if (version < 0 || version > kOffsetValueVersion) return damaged("an offset of version " + std::to_string(version));
  CommittedOffset offset;
  offset.offset = Offset(reader.read<int64_t>());
  if (version >= 3) offset.leader_epoch = reader.read<int32_t>();
  offset.metadata = read_string(reader);
  offset.commit_time_ms = reader.read<int64_t>();
  if (!reader.ok()) return damaged("an offset");
  return offset;
}

Result<StoredGroup> decode_group_value(std::string_view group_id, std::string_view value) {
  codec::Reader reader(as_bytes(value));
  auto version = reader.read<int16_t>();
  if (version < 0 || version > kGroupValueVersion) return damaged("a group of version " + std::to_string(version));
  StoredGroup group{.group_id = std::string(group_id)};
  group.protocol_type = read_string(reader);
  group.generation = reader.read<int32_t>();
  group.protocol = read_nullable_string(reader);
  group.leader = read_nullable_string(reader);
  if (version >= 2) group.state_time_ms = reader.read<int64_t>();
  auto count = reader.read<int32_t>();
  for (int32_t i = 0; i < count && reader.ok(); ++i) {
    StoredGroup::Member member;
    member.member_id = read_string(reader);
    if (version >= 3) member.group_instance_id = read_nullable_string(reader);
    member.client_id = read_string(reader);
    member.client_host = read_string(reader);
    if (version >= 1) member.rebalance_timeout_ms = reader.read<int32_t>();
    member.session_timeout_ms = reader.read<int32_t>();
    if (version < 1) member.rebalance_timeout_ms = member.session_timeout_ms;
    member.subscription = read_sized_bytes(reader);
    member.assignment = read_sized_bytes(reader);
    group.members.push_back(std::move(member));
  }
  if (!reader.ok() || count < 0) return damaged("a group");
  return group;
}

int32_t coordinator_partition(std::string_view id, int32_t partitions) {
  CHECK(partitions > 0);
  uint32_t hash = 0;
  for (char c : id) hash = hash * 31 + static_cast<uint8_t>(c);
  return static_cast<int32_t>((hash & 0x7fffffffu) % static_cast<uint32_t>(partitions));
}

}  // namespace headrace::broker
