#include "broker/consumer_group_schema.h"

#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

constexpr int16_t kValueVersion = 0;
constexpr uint64_t kMetadataHashTag = 0;
constexpr uint64_t kClassicMemberTag = 0;

Error damaged(std::string_view what) {
  return {ErrorCode::kCorrupt, "__consumer_offsets: " + std::string(what) + " of a consumer group can't be read"};
}

bool is_members(ConsumerRecordType type) {
  return type == ConsumerRecordType::kMember || type == ConsumerRecordType::kTargetMember ||
         type == ConsumerRecordType::kCurrentMember || type == ConsumerRecordType::kRegularExpression;
}

/// The number of items of an array, each of which takes a byte at least.
uint64_t read_count(codec::Reader& reader) {
  uint64_t count = reader.read_unsigned_varint();
  if (count == 0 || count - 1 > reader.remaining()) return reader.fail(), 0;
  return count - 1;
}

void write_partitions(codec::Writer& writer, const PartitionSet& set) {
  std::map<Uuid, std::vector<int32_t>> topics;
  for (const TopicIdPartition& item : set) topics[item.topic].push_back(item.partition);
  writer.write_unsigned_varint(topics.size() + 1);
  for (const auto& [topic, partitions] : topics) {
    writer.write_bytes(topic.bytes);
    writer.write_unsigned_varint(partitions.size() + 1);
    for (int32_t partition : partitions) writer.write(partition);
    write_no_tags(writer);
  }
}
PartitionSet read_partitions(codec::Reader& reader) {
  std::vector<TopicIdPartition> items;
  for (uint64_t topics = read_count(reader); topics > 0 && reader.ok(); --topics) {
    Uuid topic;
    BytesView id = reader.read_bytes(topic.bytes.size());
    if (reader.ok()) std::copy(id.begin(), id.end(), topic.bytes.begin());
    for (uint64_t count = read_count(reader); count > 0 && reader.ok(); --count) {
      items.push_back({topic, reader.read<int32_t>()});
    }
    skip_tags(reader);
  }
  return PartitionSet(std::move(items));
}

Bytes encode_classic_member(const ClassicMemberInfo& classic) {
  Bytes out;
  codec::Writer writer(out);
  writer.write_unsigned_varint(1);  // There is one.
  writer.write(classic.session_timeout_ms);
  writer.write_unsigned_varint(classic.protocols.size() + 1);
  for (const GroupProtocol& protocol : classic.protocols) {
    write_compact_string(writer, protocol.name);
    write_compact_bytes(writer, protocol.metadata);
    write_no_tags(writer);
  }
  write_no_tags(writer);
  return out;
}
std::optional<ClassicMemberInfo> read_classic_member(codec::Reader& reader) {
  if (reader.read_unsigned_varint() == 0) return std::nullopt;
  ClassicMemberInfo classic{.session_timeout_ms = reader.read<int32_t>()};
  for (uint64_t count = read_count(reader); count > 0 && reader.ok(); --count) {
    GroupProtocol& protocol = classic.protocols.emplace_back();
    protocol.name = read_compact_string(reader);
    protocol.metadata = read_compact_bytes(reader);
    skip_tags(reader);
  }
  skip_tags(reader);
  if (classic.protocols.empty()) reader.fail();
  return classic;
}

/// Opens a value: a reader behind its version, failed when that is not known.
codec::Reader open_value(std::string_view value) {
  codec::Reader reader(as_bytes(value));
  if (reader.read<int16_t>() != kValueVersion) reader.fail();
  return reader;
}

/// Decodes a value into its place; a tombstone makes that what it was at first.
template <typename Decode, typename Place>
Status replay_value(std::optional<std::string_view> value, Decode decode, Place& place) {
  place = Place();
  if (!value) return {};
  ASSIGN_OR_RETURN(place, decode(*value));
  return {};
}

}  // namespace

std::string encode_consumer_key(const ConsumerRecordKey& key) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(static_cast<int16_t>(key.type));
  write_string(writer, key.group_id);
  if (is_members(key.type)) write_string(writer, key.member_id);
  return std::string(as_text(out));
}

Bytes encode_consumer_epoch(const StoredConsumerGroupEpoch& epoch) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kValueVersion);
  writer.write(epoch.epoch);
  writer.write_unsigned_varint(1);
  writer.write_unsigned_varint(kMetadataHashTag);
  writer.write_unsigned_varint(sizeof epoch.metadata_hash);
  writer.write(epoch.metadata_hash);
  return out;
}

Bytes encode_consumer_member(const ConsumerMemberInfo& info) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kValueVersion);
  write_compact_nullable_string(writer, info.instance_id);
  write_compact_nullable_string(writer, info.rack_id);
  write_compact_string(writer, info.client_id);
  write_compact_string(writer, info.client_host);
  writer.write_unsigned_varint(info.topics.size() + 1);
  for (const std::string& topic : info.topics) write_compact_string(writer, topic);
  write_compact_nullable_string(writer, info.regex);
  writer.write(info.rebalance_timeout_ms);
  write_compact_nullable_string(writer, info.assignor);
  if (!info.classic) return write_no_tags(writer), out;
  Bytes classic = encode_classic_member(*info.classic);
  writer.write_unsigned_varint(1);
  writer.write_unsigned_varint(kClassicMemberTag);
  writer.write_unsigned_varint(classic.size());
  writer.write_bytes(classic);
  return out;
}

Bytes encode_target_epoch(int32_t epoch) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kValueVersion);
  writer.write(epoch);
  write_no_tags(writer);
  return out;
}

Bytes encode_target_member(const PartitionSet& target) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kValueVersion);
  write_partitions(writer, target);
  write_no_tags(writer);
  return out;
}

Bytes encode_current_member(const CurrentAssignment& current) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kValueVersion);
  writer.write(current.epoch);
  writer.write(current.previous_epoch);
  writer.write(static_cast<int8_t>(current.state));
  write_partitions(writer, current.assigned);
  write_partitions(writer, current.revoking);
  write_no_tags(writer);
  return out;
}

Result<std::optional<ConsumerRecordKey>> decode_consumer_key(std::string_view key) {
  using Type = ConsumerRecordType;
  codec::Reader reader(as_bytes(key));
  auto type = static_cast<Type>(reader.read<int16_t>());
  switch (type) {
    case Type::kGroup:
    case Type::kPartitionMetadata:
    case Type::kMember:
    case Type::kTargetEpoch:
    case Type::kTargetMember:
    case Type::kCurrentMember:
    case Type::kRegularExpression: break;
    default: return std::optional<ConsumerRecordKey>();
  }
  ConsumerRecordKey out{type, read_string(reader), ""};
  if (is_members(type)) out.member_id = read_string(reader);
  if (!reader.ok()) return damaged("a key");
  return std::optional(std::move(out));
}

Result<StoredConsumerGroupEpoch> decode_consumer_epoch(std::string_view value) {
  codec::Reader reader = open_value(value);
  StoredConsumerGroupEpoch epoch{.epoch = reader.read<int32_t>()};
  read_tags(reader, [&](uint64_t tag, codec::Reader& field) {
    if (tag == kMetadataHashTag) epoch.metadata_hash = field.read<int64_t>();
  });
  if (!reader.ok()) return damaged("the epoch");
  return epoch;
}

Result<ConsumerMemberInfo> decode_consumer_member(std::string_view value) {
  codec::Reader reader = open_value(value);
  ConsumerMemberInfo info;
  info.instance_id = read_compact_nullable_string(reader);
  info.rack_id = read_compact_nullable_string(reader);
  info.client_id = read_compact_string(reader);
  info.client_host = read_compact_string(reader);
  for (uint64_t count = read_count(reader); count > 0 && reader.ok(); --count)
    info.topics.insert(read_compact_string(reader));
  info.regex = read_compact_nullable_string(reader);
  info.rebalance_timeout_ms = reader.read<int32_t>();
  info.assignor = read_compact_nullable_string(reader);
  read_tags(reader, [&](uint64_t tag, codec::Reader& field) {
    if (tag == kClassicMemberTag) info.classic = read_classic_member(field);
  });
  if (!reader.ok()) return damaged("a member");
  return info;
}

Result<int32_t> decode_target_epoch(std::string_view value) {
  codec::Reader reader = open_value(value);
  auto epoch = reader.read<int32_t>();
  skip_tags(reader);
  if (!reader.ok()) return damaged("the assignment's epoch");
  return epoch;
}

Result<PartitionSet> decode_target_member(std::string_view value) {
  codec::Reader reader = open_value(value);
  PartitionSet target = read_partitions(reader);
  skip_tags(reader);
  if (!reader.ok()) return damaged("a member's assignment");
  return target;
}

Result<CurrentAssignment> decode_current_member(std::string_view value) {
  codec::Reader reader = open_value(value);
  CurrentAssignment current;
  current.epoch = reader.read<int32_t>();
  current.previous_epoch = reader.read<int32_t>();
  auto state = reader.read<int8_t>();
  if (state < 0 || state > static_cast<int8_t>(MemberState::kUnreleasedPartitions)) reader.fail();
  current.state = static_cast<MemberState>(state);
  current.assigned = read_partitions(reader);
  current.revoking = read_partitions(reader);
  skip_tags(reader);
  if (!reader.ok()) return damaged("what a member has");
  return current;
}

Status replay_consumer_record(const ConsumerRecordKey& key, std::optional<std::string_view> value,
                              std::map<std::string, StoredConsumerGroup>& groups) {
  using Type = ConsumerRecordType;
  StoredConsumerGroup& group = groups[key.group_id];
  switch (key.type) {
    case Type::kGroup: return replay_value(value, decode_consumer_epoch, group.epoch);
    case Type::kMember: return replay_value(value, decode_consumer_member, group.members[key.member_id].info);
    case Type::kTargetEpoch: return replay_value(value, decode_target_epoch, group.target_epoch);
    case Type::kTargetMember: return replay_value(value, decode_target_member, group.members[key.member_id].target);
    case Type::kCurrentMember: return replay_value(value, decode_current_member, group.members[key.member_id].current);
    case Type::kPartitionMetadata:
    case Type::kRegularExpression: return {};
  }
  return {};
}

}  // namespace headrace::broker
