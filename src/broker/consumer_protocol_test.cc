#include "broker/consumer_protocol.h"

#include <gmock/gmock.h>

#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// As Java's consumer 4.x writes it: topics t and u, partition 5 of t, generation 7, rack "r".
Bytes subscription() {
  return {0, 3, 0, 0,   0, 2, 0, 1, 't', 0, 1, 'u', 0xff, 0xff, 0xff, 0xff, 0, 0, 0,
          1, 0, 1, 't', 0, 0, 0, 1, 0,   0, 0, 5,   0,    0,    0,    7,    0, 1, 'r'};
}

TEST(ConsumerProtocol, SubscriptionsAreRead) {
  auto read = decode_subscription(subscription());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->version, 3);
  EXPECT_THAT(read->topics, ElementsAre("t", "u"));
  EXPECT_THAT(read->owned, ElementsAre(NamedPartitions{"t", {5}}));
  EXPECT_EQ(read->rack, "r");
}

TEST(ConsumerProtocol, OlderAndNewerVersionsAreRead) {
  Bytes bytes = subscription();
  for (auto [version, size] : {std::pair(0, 16), {1, 31}, {2, 35}, {3, 38}, {4, 38}}) {
    Bytes older(bytes.begin(), bytes.begin() + size);
    older[1] = static_cast<uint8_t>(version);
    auto read = decode_subscription(older);
    ASSERT_TRUE(read.ok()) << version;
    EXPECT_EQ(read->owned.empty(), version == 0);
    older.push_back(9);
    EXPECT_TRUE(decode_subscription(older).ok()) << "what a newer version adds";
  }
}

TEST(ConsumerProtocol, CutOffAndLyingBytesAreRefused) {
  Bytes bytes = subscription();
  for (size_t size = 0; size < bytes.size(); ++size) {
    bool whole_fields = size == 16 || size == 31 || size == 35;
    EXPECT_EQ(decode_subscription(BytesView(bytes).first(size)).ok(), whole_fields) << size;
  }
  bytes[2] = 0x7f;  // Two thousand million topics.
  EXPECT_FALSE(decode_subscription(bytes).ok());
  bytes[0] = 0xff;  // A version below zero.
  EXPECT_FALSE(decode_subscription(bytes).ok());
  EXPECT_FALSE(decode_assignment(Bytes{0, 1, 0, 0, 0, 1}).ok());
}

TEST(ConsumerProtocol, ALongNameIsKeptOnceHoweverManyPartitionsItHas) {
  constexpr int32_t kPartitions = 1 << 20;
  Bytes bytes;
  codec::Writer writer(bytes);
  writer.write<int16_t>(1);
  writer.write<int32_t>(0);
  writer.write<int32_t>(-1);
  writer.write<int32_t>(1);
  write_string(writer, std::string(INT16_MAX, 'n'));  // 32 GiB, once for each of them.
  writer.write(kPartitions);
  bytes.resize(bytes.size() + kPartitions * sizeof(int32_t));
  auto read = decode_subscription(bytes);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->owned.size(), 1u);
  EXPECT_EQ(read->owned[0].partitions.size(), static_cast<size_t>(kPartitions));
}

TEST(ConsumerProtocol, AssignmentsAreReadAsWritten) {
  std::vector<NamedPartitions> partitions{{"t", {0, 2}}, {"u", {1}}};
  Bytes bytes = encode_assignment(1, partitions);
  EXPECT_EQ(bytes[1], 1);
  EXPECT_EQ(encode_assignment(9, {})[1], 3) << "no version that we don't know";
  auto read = decode_assignment(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->partitions, partitions);
  EXPECT_FALSE(read->has_user_data);
  EXPECT_THAT(decode_assignment(Bytes())->partitions, IsEmpty());
  bytes.resize(bytes.size() - sizeof(int32_t));
  for (uint8_t byte : {0, 0, 0, 1, 7}) bytes.push_back(byte);
  read = decode_assignment(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->partitions, partitions);
  EXPECT_TRUE(read->has_user_data);
}

}  // namespace
}  // namespace headrace::broker
