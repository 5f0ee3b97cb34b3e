#include "broker/consumer_protocol.h"

#include <algorithm>

#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

constexpr int16_t kNewestVersion = 3;

/// The number of items of an array, each of which takes `bytes_min` at least.
int32_t read_count(codec::Reader& reader, size_t bytes_min) {
  auto count = reader.read<int32_t>();
  if (count < 0 || static_cast<size_t>(count) > reader.remaining() / bytes_min) return reader.fail(), 0;
  return count;
}

/// Whether there was any.
bool skip_user_data(codec::Reader& reader) {
  auto size = reader.read<int32_t>();
  if (size > 0) reader.skip(static_cast<size_t>(size));
  return size > 0;
}

std::vector<NamedPartitions> read_partitions(codec::Reader& reader) {
  std::vector<NamedPartitions> partitions;
  for (int32_t topics = read_count(reader, sizeof(int16_t)); topics > 0 && reader.ok(); --topics) {
    NamedPartitions& topic = partitions.emplace_back();
    topic.topic = read_string(reader);
    for (int32_t left = read_count(reader, sizeof(int32_t)); left > 0 && reader.ok(); --left) {
      topic.partitions.push_back(reader.read<int32_t>());
    }
  }
  return partitions;
}

}  // namespace

Result<ConsumerSubscription> decode_subscription(BytesView bytes) {
  codec::Reader reader(bytes);
  ConsumerSubscription subscription{.version = reader.read<int16_t>()};
  if (subscription.version < 0) reader.fail();
  for (int32_t left = read_count(reader, sizeof(int16_t)); left > 0 && reader.ok(); --left) {
    subscription.topics.insert(read_string(reader));
  }
  skip_user_data(reader);
  // There are clients that name a version and leave its fields out.
  auto has = [&](int16_t since) { return subscription.version >= since && reader.remaining() > 0; };
  if (has(1)) subscription.owned = read_partitions(reader);
  if (has(2)) reader.read<int32_t>();
  if (has(3)) subscription.rack = read_nullable_string(reader);
  if (!reader.ok()) return Error{ErrorCode::kCorrupt, "a member's subscription can't be read"};
  return subscription;
}

Bytes encode_assignment(int16_t version, const std::vector<NamedPartitions>& partitions) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(std::min(version, kNewestVersion));
  writer.write(static_cast<int32_t>(partitions.size()));
  for (const NamedPartitions& topic : partitions) {
    write_string(writer, topic.topic);
    writer.write(static_cast<int32_t>(topic.partitions.size()));
    for (int32_t partition : topic.partitions) writer.write(partition);
  }
  writer.write<int32_t>(-1);
  return out;
}

Result<ConsumerAssignment> decode_assignment(BytesView bytes) {
  if (bytes.empty()) return ConsumerAssignment();
  codec::Reader reader(bytes);
  if (reader.read<int16_t>() < 0) reader.fail();
  ConsumerAssignment assignment{.partitions = read_partitions(reader)};
  assignment.has_user_data = skip_user_data(reader);
  if (!reader.ok()) return Error{ErrorCode::kCorrupt, "a member's assignment can't be read"};
  return assignment;
}

}  // namespace headrace::broker
