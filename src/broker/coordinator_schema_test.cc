#include "broker/offsets_schema.h"
#include "broker/transaction_schema.h"

namespace headrace::broker {
namespace {

StoredGroup sample_group() {
  return {.group_id = "g",
          .protocol_type = "consumer",
          .generation = 3,
          .protocol = "range",
          .leader = "m1",
          .state_time_ms = 1700000000000,
          .members = {{"m1", std::nullopt, "client", "/127.0.0.1", 300000, 45000, {1, 2}, {3}},
                      {"m2", "instance", "client", "/127.0.0.1", 300000, 45000, {}, {}}}};
}

template <typename Decode>
void expect_every_cut_fails(BytesView bytes, Decode decode) {
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode(as_text(bytes.first(size))).ok()) << size;
}

TEST(OffsetsSchema, OffsetsRoundTrip) {
  OffsetKey key{"group", {"topic", PartitionId(7)}};
  auto decoded = decode_offsets_key(encode_offset_key(key));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<OffsetKey>(*decoded), key);
  CommittedOffset offset{Offset(42), 5, "meta", 1700000000000};
  auto value = decode_offset_value(as_text(encode_offset_value(offset)));
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->offset, Offset(42));
  EXPECT_EQ(value->leader_epoch, 5);
  EXPECT_EQ(value->metadata, "meta");
  EXPECT_EQ(value->commit_time_ms, 1700000000000);
}

// OffsetCommitKey version 1 and OffsetCommitValue version 3 byte by byte.
TEST(OffsetsSchema, BytesAreKafkas) {
  std::string key = encode_offset_key({"g", {"t", PartitionId(1)}});
  EXPECT_EQ(key, std::string("\0\1\0\1g\0\1t\0\0\0\1", 12));
  Bytes value = encode_offset_value({Offset(2), 3, "m", 4});
  EXPECT_EQ(as_text(value), std::string_view("\0\3\0\0\0\0\0\0\0\2\0\0\0\3\0\1m\0\0\0\0\0\0\0\4", 25));
  EXPECT_EQ(encode_group_key("g"), std::string("\0\2\0\1g", 5));
}

TEST(OffsetsSchema, OlderValuesAreRead) {
  auto v1 = decode_offset_value(std::string_view("\0\1\0\0\0\0\0\0\0\2\0\1m\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\5", 29));
  ASSERT_TRUE(v1.ok());
  EXPECT_EQ(v1->offset, Offset(2));
  EXPECT_EQ(v1->leader_epoch, -1);
  EXPECT_FALSE(decode_offset_value(std::string_view("\0\x63", 2)).ok());
}

TEST(OffsetsSchema, GroupsRoundTripAndKeysOfTheFutureAreSkipped) {
  StoredGroup group = sample_group();
  Bytes bytes = encode_group_value(group);
  auto decoded = decode_group_value("g", as_text(bytes));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(encode_group_value(*decoded), bytes);
  EXPECT_EQ(decoded->members[1].group_instance_id, "instance");
  auto unknown = decode_offsets_key(std::string("\0\x09whatever", 10));
  ASSERT_TRUE(unknown.ok());
  EXPECT_TRUE(std::holds_alternative<UnknownKey>(*unknown));
}

TEST(OffsetsSchema, CutAnywhereIsAnError) {
  expect_every_cut_fails(as_bytes(encode_offset_key({"group", {"topic", PartitionId(7)}})), decode_offsets_key);
  expect_every_cut_fails(encode_offset_value({Offset(42), 5, "meta", 17}), decode_offset_value);
  expect_every_cut_fails(encode_group_value(sample_group()),
                         [](std::string_view v) { return decode_group_value("g", v); });
}

TEST(TransactionSchema, RoundTripsInEveryStateAndCutsAreErrors) {
  for (int state = 0; state <= 5; ++state) {
    StoredTransaction transaction{.producer = {ProducerId(9), 4},
                                  .timeout_ms = 60000,
                                  .state = static_cast<TransactionState>(state),
                                  .update_time_ms = 5,
                                  .start_time_ms = 6};
    if (state != 0) transaction.partitions = {{"a", PartitionId(0)}, {"a", PartitionId(3)}, {"b", PartitionId(1)}};
    Bytes bytes = encode_transaction_value(transaction);
    auto decoded = decode_transaction_value(as_text(bytes));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, transaction);
    expect_every_cut_fails(bytes, decode_transaction_value);
  }
  StoredTransaction bumped{.producer = {ProducerId(9), 5},
                           .previous = {ProducerId(9), 4},
                           .timeout_ms = 60000,
                           .state = TransactionState::kPrepareCommit,
                           .partitions = {{"a", PartitionId(0)}, {"a", PartitionId(3)}, {"b", PartitionId(1)}}};
  EXPECT_EQ(*decode_transaction_value(as_text(encode_transaction_value(bumped))), bumped);
  expect_every_cut_fails(encode_transaction_value(bumped), decode_transaction_value);
  bumped.producer = {ProducerId(9), std::numeric_limits<int16_t>::max()};
  bumped.previous = {ProducerId(9), kProducerEpochMax};
  bumped.next_id = ProducerId(10);
  EXPECT_EQ(*decode_transaction_value(as_text(encode_transaction_value(bumped))), bumped);
  std::string tags("\3\0\x08\0\0\0\0\0\0\0\x09\1\x08\0\0\0\0\0\0\0\x0a\2\2\0\2", 25);
  EXPECT_THAT(std::string(as_text(encode_transaction_value(bumped))), testing::EndsWith(tags));
  expect_every_cut_fails(encode_transaction_value(bumped), decode_transaction_value);
  bumped.next_id = kNoProducerId;
  bumped.producer = {ProducerId(10), 0};
  bumped.previous = {ProducerId(9), kProducerEpochMax};
  bumped.state = TransactionState::kCompleteCommit;
  bumped.partitions.clear();
  EXPECT_EQ(*decode_transaction_value(as_text(encode_transaction_value(bumped))), bumped);
  EXPECT_EQ(**decode_transaction_key(encode_transaction_key("tx")), "tx");
}

TEST(CoordinatorPartition, IsJavasHashCode) {
  // "console-consumer-1".hashCode() % 50 and "test".hashCode() = 3556498.
  EXPECT_EQ(coordinator_partition("test", 50), 3556498 % 50);
  EXPECT_EQ(coordinator_partition("", 50), 0);
  EXPECT_GE(coordinator_partition("a-long-group-name-that-overflows", 50), 0);
}

}  // namespace
}  // namespace headrace::broker
