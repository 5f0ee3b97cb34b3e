#include "broker/consumer_group_schema.h"

#include "broker/consumer_group_test_support.h"

namespace headrace::broker {
namespace {

ConsumerMemberInfo sample_info() {
  return {.instance_id = "instance",
          .rack_id = std::nullopt,
          .client_id = "client",
          .client_host = "/127.0.0.1",
          .topics = {"a", "b"},
          .regex = "c.*",
          .rebalance_timeout_ms = 300000,
          .assignor = "range"};
}

template <typename Decode>
void expect_every_cut_fails(BytesView bytes, Decode decode) {
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode(as_text(bytes.first(size))).ok()) << size;
}

TEST(ConsumerGroupSchema, KeysRoundTripAndAreKafkas) {
  ConsumerRecordKey member{ConsumerRecordType::kCurrentMember, "g", "m"};
  std::string bytes = encode_consumer_key(member);
  EXPECT_EQ(bytes, std::string("\0\x08\0\1g\0\1m", 8));
  EXPECT_EQ(**decode_consumer_key(bytes), member);
  EXPECT_EQ(encode_consumer_key({ConsumerRecordType::kGroup, "g", ""}), std::string("\0\3\0\1g", 5));
  EXPECT_FALSE(decode_consumer_key(std::string("\0\x7f\0\1g", 5))->has_value());
  for (size_t size = 2; size < bytes.size(); ++size) EXPECT_FALSE(decode_consumer_key(bytes.substr(0, size)).ok());
}

TEST(ConsumerGroupSchema, ValuesRoundTripAndCutsAreErrors) {
  StoredConsumerGroupEpoch epoch{7, 42};
  EXPECT_EQ(*decode_consumer_epoch(as_text(encode_consumer_epoch(epoch))), epoch);
  EXPECT_EQ(*decode_consumer_member(as_text(encode_consumer_member(sample_info()))), sample_info());
  EXPECT_EQ(*decode_target_epoch(as_text(encode_target_epoch(9))), 9);
  PartitionSet set{{topic_id(1), 0}, {topic_id(1), 5}, {topic_id(2), 1}};
  EXPECT_EQ(*decode_target_member(as_text(encode_target_member(set))), set);
  CurrentAssignment current{8, 7, MemberState::kUnrevokedPartitions, set, {{topic_id(3), 3}}};
  EXPECT_EQ(*decode_current_member(as_text(encode_current_member(current))), current);

  expect_every_cut_fails(encode_consumer_epoch(epoch), decode_consumer_epoch);
  expect_every_cut_fails(encode_consumer_member(sample_info()), decode_consumer_member);
  expect_every_cut_fails(encode_target_epoch(9), decode_target_epoch);
  expect_every_cut_fails(encode_target_member(set), decode_target_member);
  expect_every_cut_fails(encode_current_member(current), decode_current_member);
}

// ConsumerGroupTargetAssignmentMemberValue version 0 byte by byte: version, one topic, its id, two partitions, tags.
TEST(ConsumerGroupSchema, BytesAreKafkas) {
  Bytes bytes = encode_target_member({{topic_id(0x11), 1}, {topic_id(0x11), 2}});
  std::string expected("\0\0\2\x11", 4);
  expected.append(15, '\0').append("\3\0\0\0\1\0\0\0\2\0\0", 11);
  EXPECT_EQ(as_text(bytes), expected);
}

TEST(ConsumerGroupSchema, MembersOfTheClassicProtocolRoundTrip) {
  ConsumerMemberInfo info = sample_info();
  info.classic = ClassicMemberInfo{45000, {{"range", {1, 2, 3}}, {"sticky", {}}}};
  Bytes bytes = encode_consumer_member(info);
  EXPECT_EQ(*decode_consumer_member(as_text(bytes)), info);
  expect_every_cut_fails(bytes, decode_consumer_member);
  info.classic->protocols.clear();
  EXPECT_FALSE(decode_consumer_member(as_text(encode_consumer_member(info))).ok()) << "it joined with one at least";
}

// The tagged field of ConsumerGroupMemberMetadataValue version 0 byte by byte: its number, tag, size, presence,
// timeout, one protocol with its name and metadata.
TEST(ConsumerGroupSchema, TheClassicProtocolsFieldIsKafkas) {
  ConsumerMemberInfo info;
  Bytes plain = encode_consumer_member(info);
  info.classic = ClassicMemberInfo{1, {{"r", {9}}}};
  Bytes bytes = encode_consumer_member(info);
  std::string expected("\1\0\x0c\1\0\0\0\1\2\2r\2\x09\0\0", 15);
  EXPECT_EQ(as_text(bytes).substr(plain.size() - 1), expected);
}

// Kafka 4.0 has no metadata hash, and versions to come may have more tagged fields.
TEST(ConsumerGroupSchema, TaggedFieldsMayBeMissingOrUnknown) {
  EXPECT_EQ(*decode_consumer_epoch(std::string("\0\0\0\0\0\5\0", 7)), (StoredConsumerGroupEpoch{5, 0}));
  EXPECT_EQ(*decode_target_epoch(std::string("\0\0\0\0\0\5\1\0\2xy", 11)), 5);
}

TEST(ConsumerGroupSchema, RecordsInTheOrderOfACompactedLogReadTheSame) {
  std::map<std::string, StoredConsumerGroup> groups;
  Bytes current = encode_current_member({3, 2, MemberState::kStable, {{topic_id(1), 0}}, {}});
  Bytes info = encode_consumer_member(sample_info());
  Bytes epoch = encode_consumer_epoch({3, 0});
  ASSERT_TRUE(replay_consumer_record({ConsumerRecordType::kCurrentMember, "g", "m"}, as_text(current), groups).ok());
  ASSERT_TRUE(replay_consumer_record({ConsumerRecordType::kMember, "g", "gone"}, std::nullopt, groups).ok());
  ASSERT_TRUE(replay_consumer_record({ConsumerRecordType::kMember, "g", "m"}, as_text(info), groups).ok());
  EXPECT_FALSE(groups["g"].epoch);
  ASSERT_TRUE(replay_consumer_record({ConsumerRecordType::kGroup, "g", ""}, as_text(epoch), groups).ok());
  EXPECT_EQ(groups["g"].epoch->epoch, 3);
  EXPECT_EQ(groups["g"].members["m"].current.epoch, 3);
  EXPECT_FALSE(groups["g"].members["gone"].info);
}

}  // namespace
}  // namespace headrace::broker
