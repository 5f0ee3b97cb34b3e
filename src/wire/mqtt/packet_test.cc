#include "wire/mqtt/packet.h"

#include "wire/mqtt/decode.h"
#include "wire/mqtt/encode.h"

namespace headrace::wire::mqtt {
namespace {

std::vector<Packet> one_of_each() {
  return {
      Connect{.client_id = "cab-17", .keep_alive_s = 30},
      Connect{.client_id = "",
              .clean_session = true,
              .will = Will{.topic = "gone", .payload = "x", .qos = 1, .retain = true},
              .user_name = "u",
              .password = std::string_view("\0\xff", 2)},
      Connack{.code = ConnectCode::kNotAuthorized},
      Connack{.session_present = true},
      Publish{.topic = "cabs/17/telemetry", .payload = "{}", .retain = true},
      Publish{.topic = "a", .payload = "", .packet_id = 65535, .qos = 2, .dup = true},
      Puback{1},
      Pubrec{2},
      Pubrel{3},
      Pubcomp{4},
      Subscribe{5, {{"a/+/b", 1}, {"#", 2}}},
      Suback{5, {1, kSubscribeFailure}},
      Unsubscribe{6, {"a/+/b", "#"}},
      Unsuback{6},
      Pingreq{},
      Pingresp{},
      Disconnect{},
  };
}

Bytes encoded(const Packet& packet) {
  Bytes bytes;
  encode(packet, bytes);
  return bytes;
}

TEST(MqttPacket, RoundTripsEveryType) {
  for (const Packet& packet : one_of_each()) {
    Bytes bytes = encoded(packet);
    FrameReader reader(bytes, 1 << 20);
    const Frame* frame = reader.next();
    ASSERT_NE(frame, nullptr);
    auto decoded = decode(*frame);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(*decoded, packet);
    EXPECT_EQ(reader.consumed(), bytes.size());
    EXPECT_EQ(reader.next(), nullptr);
  }
}

TEST(MqttPacket, TruncatedAtEveryByteIsNoFrameYetAndNoError) {
  for (const Packet& packet : one_of_each()) {
    Bytes bytes = encoded(packet);
    for (size_t size = 0; size < bytes.size(); ++size) {
      FrameReader reader(BytesView(bytes).first(size), 1 << 20);
      EXPECT_EQ(reader.next(), nullptr);
      EXPECT_TRUE(reader.status().ok());
      EXPECT_EQ(reader.consumed(), 0u);
    }
  }
}

TEST(MqttPacket, BodyTruncatedAtEveryByteNeverReadsPastItsEnd) {
  for (const Packet& packet : one_of_each()) {
    Bytes bytes = encoded(packet);
    FrameReader reader(bytes, 1 << 20);
    Frame frame = *reader.next();
    BytesView body = frame.body;
    for (size_t size = 0; size < body.size(); ++size) {
      // A copy of its own size, so that a sanitizer sees one byte too many.
      Bytes cut(body.begin(), body.begin() + static_cast<ptrdiff_t>(size));
      frame.body = cut;
      auto decoded = decode(frame);
      bool may_be_whole = std::holds_alternative<Publish>(packet) || std::holds_alternative<Subscribe>(packet) ||
                          std::holds_alternative<Suback>(packet) || std::holds_alternative<Unsubscribe>(packet);
      EXPECT_TRUE(may_be_whole || !decoded.ok());
    }
  }
}

TEST(MqttPacket, FramesFollowEachOtherInOneBuffer) {
  Bytes bytes;
  for (const Packet& packet : one_of_each()) encode(packet, bytes);
  bytes.push_back(0x30);  // The start of one more.
  FrameReader reader(bytes, 1 << 20);
  size_t frames = 0;
  while (reader.next()) ++frames;
  EXPECT_EQ(frames, one_of_each().size());
  EXPECT_EQ(reader.consumed(), bytes.size() - 1);
}

TEST(MqttPacket, PublishIsAViewIntoTheReceivedBytes) {
  Bytes bytes = encoded(Publish{.topic = "topic", .payload = "payload"});
  FrameReader reader(bytes, 1 << 20);
  auto publish = decode_publish(*reader.next());
  ASSERT_TRUE(publish.ok());
  EXPECT_EQ(reinterpret_cast<const uint8_t*>(publish->payload.data()), bytes.data() + 9);
}

TEST(MqttPacket, RemainingLengthAtItsBoundaries) {
  for (size_t payload : {0u, 124u, 125u, 16'380u, 16'381u, 2'097'148u, 2'097'149u}) {
    std::string text(payload, 'x');
    Bytes bytes = encoded(Publish{.topic = "a", .payload = text});
    FrameReader reader(bytes, bytes.size());
    const Frame* frame = reader.next();
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->body.size(), payload + 3);
  }
}

TEST(MqttPacket, TooLargeIsKnownFromTheLengthAlone) {
  Bytes bytes = encoded(Publish{.topic = "a", .payload = std::string(70'000, 'x')});
  FrameReader reader(BytesView(bytes).first(4), 65'536);
  EXPECT_EQ(reader.next(), nullptr);
  EXPECT_EQ(reader.status().error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace headrace::wire::mqtt
