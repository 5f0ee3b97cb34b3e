#include "wire/mqtt/encode.h"

#include "base/check.h"

namespace headrace::wire::mqtt {
namespace {

void put_fixed_header(PacketType type, uint8_t flags, size_t length, Bytes& out) {
  CHECK(length <= kRemainingLengthMax);
  out.push_back(static_cast<uint8_t>(static_cast<uint8_t>(type) << 4 | flags));
  do {
    uint8_t low = length & 0x7f;
    length >>= 7;
    out.push_back(length > 0 ? low | 0x80 : low);
  } while (length > 0);
}

void put_u16(size_t value, Bytes& out) {
  CHECK(value <= 0xffff);
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

void put_bytes(std::string_view bytes, Bytes& out) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void put_text(std::string_view text, Bytes& out) {
  put_u16(text.size(), out);
  put_bytes(text, out);
}

size_t text_bytes(const std::optional<std::string_view>& text) { return text ? 2 + text->size() : 0; }

uint8_t connect_flags(const Connect& packet) {
  int flags = packet.clean_session ? 0x02 : 0;
  if (packet.will) flags |= 0x04 | packet.will->qos << 3 | (packet.will->retain ? 0x20 : 0);
  if (packet.password) flags |= 0x40;
  if (packet.user_name) flags |= 0x80;
  return static_cast<uint8_t>(flags);
}

}  // namespace

void encode(const Connect& packet, Bytes& out) {
  size_t length = 10 + 2 + packet.client_id.size() + text_bytes(packet.user_name) + text_bytes(packet.password);
  if (packet.will) length += 4 + packet.will->topic.size() + packet.will->payload.size();
  put_fixed_header(PacketType::kConnect, 0, length, out);
  put_text("MQTT", out);
  out.push_back(kProtocolLevel);
  out.push_back(connect_flags(packet));
  put_u16(packet.keep_alive_s, out);
  put_text(packet.client_id, out);
  if (packet.will) {
    put_text(packet.will->topic, out);
    put_text(packet.will->payload, out);
  }
  if (packet.user_name) put_text(*packet.user_name, out);
  if (packet.password) put_text(*packet.password, out);
}

void encode(const Connack& packet, Bytes& out) {
  put_fixed_header(PacketType::kConnack, 0, 2, out);
  out.push_back(packet.session_present ? 1 : 0);
  out.push_back(static_cast<uint8_t>(packet.code));
}

void encode(const Publish& packet, Bytes& out) {
  size_t length = 2 + packet.topic.size() + (packet.qos > 0 ? 2 : 0) + packet.payload.size();
  int flags = (packet.dup ? 8 : 0) | packet.qos << 1 | (packet.retain ? 1 : 0);
  put_fixed_header(PacketType::kPublish, static_cast<uint8_t>(flags), length, out);
  put_text(packet.topic, out);
  if (packet.qos > 0) put_u16(packet.packet_id, out);
  put_bytes(packet.payload, out);
}

void encode(const Subscribe& packet, Bytes& out) {
  size_t length = 2;
  for (const auto& subscription : packet.subscriptions) length += 3 + subscription.filter.size();
  put_fixed_header(PacketType::kSubscribe, 2, length, out);
  put_u16(packet.packet_id, out);
  for (const auto& subscription : packet.subscriptions) {
    put_text(subscription.filter, out);
    out.push_back(subscription.qos);
  }
}

void encode(const Suback& packet, Bytes& out) {
  put_fixed_header(PacketType::kSuback, 0, 2 + packet.codes.size(), out);
  put_u16(packet.packet_id, out);
  out.insert(out.end(), packet.codes.begin(), packet.codes.end());
}

void encode(const Unsubscribe& packet, Bytes& out) {
  size_t length = 2;
  for (std::string_view filter : packet.filters) length += 2 + filter.size();
  put_fixed_header(PacketType::kUnsubscribe, 2, length, out);
  put_u16(packet.packet_id, out);
  for (std::string_view filter : packet.filters) put_text(filter, out);
}

void encode(const Packet& packet, Bytes& out) {
  std::visit([&](const auto& each) { encode(each, out); }, packet);
}

void encode_acknowledgement(PacketType type, uint16_t packet_id, Bytes& out) {
  put_fixed_header(type, type == PacketType::kPubrel ? 2 : 0, 2, out);
  put_u16(packet_id, out);
}

void encode_bare(PacketType type, Bytes& out) { put_fixed_header(type, 0, 0, out); }

}  // namespace headrace::wire::mqtt
