#include "wire/mqtt/decode.h"

#include <fmt/format.h>

#include "codec/cursor.h"
#include "wire/mqtt/topic.h"

namespace headrace::wire::mqtt {
namespace {

using codec::Reader;

/// CONNECT's connect flags (3.1.2.3).
constexpr uint8_t kReservedFlag = 0x01, kCleanSessionFlag = 0x02, kWillFlag = 0x04, kWillRetainFlag = 0x20,
                  kPasswordFlag = 0x40, kUserNameFlag = 0x80;

Error corrupt(PacketType type, std::string_view what) {
  return {ErrorCode::kCorrupt, fmt::format("{}: {}", to_string(type), what)};
}

std::string_view read_text(Reader& reader) { return reader.read_text(reader.read<uint16_t>()); }

/// A reader that went past the end, or one with bytes left behind what the packet holds.
Status check_end(const Frame& frame, const Reader& reader) {
  if (!reader.ok()) return corrupt(frame.type, "shorter than its content says");
  if (reader.remaining() > 0) return corrupt(frame.type, fmt::format("{} bytes too long", reader.remaining()));
  return {};
}

/// Table 2.2: every type but PUBLISH has fixed flags.
uint8_t fixed_flags(PacketType type) {
  return type == PacketType::kPubrel || type == PacketType::kSubscribe || type == PacketType::kUnsubscribe ? 2 : 0;
}

Result<uint16_t> read_packet_id(const Frame& frame, Reader& reader) {
  auto id = reader.read<uint16_t>();
  if (!reader.ok()) return corrupt(frame.type, "without a packet identifier [MQTT-2.3.1-1]");
  if (id == 0) return corrupt(frame.type, "packet identifier 0 [MQTT-2.3.1-1]");
  return id;
}

Status check_connect_flags(uint8_t flags) {
  auto wrong = [](std::string_view what) { return corrupt(PacketType::kConnect, what); };
  uint8_t will_qos = flags >> 3 & 3;
  if (flags & kReservedFlag) return wrong("the reserved flag is set [MQTT-3.1.2-3]");
  if (will_qos == 3) return wrong("will QoS 3 [MQTT-3.1.2-14]");
  if (!(flags & kWillFlag) && will_qos != 0) return wrong("a will QoS without a will [MQTT-3.1.2-13]");
  if (!(flags & kWillFlag) && flags & kWillRetainFlag) return wrong("will retain without a will [MQTT-3.1.2-15]");
  if (flags & kPasswordFlag && !(flags & kUserNameFlag)) return wrong("a password without a user name [MQTT-3.1.2-22]");
  return {};
}

Status check_protocol(Reader& reader) {
  std::string_view name = read_text(reader);
  auto level = reader.read<uint8_t>();
  if (!reader.ok()) return corrupt(PacketType::kConnect, "shorter than its content says");
  if (name != "MQTT" && name != "MQIsdp") return corrupt(PacketType::kConnect, "unknown protocol name [MQTT-3.1.2-1]");
  if (name == "MQTT" && level == kProtocolLevel) return {};
  return Error{ErrorCode::kUnsupported,
               fmt::format("CONNECT: {} level {}; this server speaks MQTT 3.1.1, level 4 [MQTT-3.1.2-2]", name, level)};
}

Status check_connect_text(const Connect& connect) {
  auto wrong = [](std::string_view what) { return corrupt(PacketType::kConnect, what); };
  if (!valid_utf8(connect.client_id)) return wrong("the client identifier is not UTF-8 [MQTT-3.1.3-4]");
  if (connect.will && !valid_utf8(connect.will->topic)) return wrong("the will topic is not UTF-8 [MQTT-3.1.3-10]");
  if (connect.will && !valid_topic_name(connect.will->topic)) {
    return wrong("the will topic is empty or has a wildcard [MQTT-3.3.2-2]");
  }
  if (connect.user_name && !valid_utf8(*connect.user_name)) return wrong("the user name is not UTF-8 [MQTT-3.1.3-11]");
  return {};
}

Result<Connack> decode_connack(const Frame& frame) {
  Reader reader(frame.body);
  auto flags = reader.read<uint8_t>();
  auto code = reader.read<uint8_t>();
  RETURN_IF_ERROR(check_end(frame, reader));
  if (flags > 1) return corrupt(frame.type, "reserved acknowledge flags are set (3.2.2.1)");
  if (code > static_cast<uint8_t>(ConnectCode::kNotAuthorized))
    return corrupt(frame.type, "reserved return code (3.2.2.3)");
  if (code != 0 && flags != 0) return corrupt(frame.type, "session present with a refusal [MQTT-3.2.2-4]");
  return Connack{flags == 1, static_cast<ConnectCode>(code)};
}

Result<Suback> decode_suback(const Frame& frame) {
  Reader reader(frame.body);
  ASSIGN_OR_RETURN(uint16_t id, read_packet_id(frame, reader));
  Suback suback{id, {}};
  while (reader.remaining() > 0) {
    auto code = reader.read<uint8_t>();
    if (code > 2 && code != kSubscribeFailure) return corrupt(frame.type, "reserved return code [MQTT-3.9.3-2]");
    suback.codes.push_back(code);
  }
  if (suback.codes.empty()) return corrupt(frame.type, "without a return code [MQTT-3.9.3-1]");
  return suback;
}

template <typename T>
Result<Packet> as_packet(Result<T> result) {
  if (!result.ok()) return result.error();
  return Packet(*std::move(result));
}
template <typename T>
Result<Packet> acknowledgement(const Frame& frame) {
  ASSIGN_OR_RETURN(uint16_t id, decode_packet_id(frame));
  return Packet(T{id});
}
template <typename T>
Result<Packet> bare(const Frame& frame) {
  RETURN_IF_ERROR(check_bare(frame));
  return Packet(T{});
}

}  // namespace

std::string_view to_string(PacketType type) {
  static constexpr std::string_view kNames[] = {
      "RESERVED",  "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
      "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "RESERVED"};
  return kNames[static_cast<uint8_t>(type) & 0x0f];
}

const Frame* FrameReader::fail(ErrorCode code, std::string what) {
  status_ = Error{code, std::move(what)};
  return nullptr;
}

const Frame* FrameReader::next() {
  if (!status_.ok()) return nullptr;
  BytesView rest = bytes_.subspan(consumed_);
  if (rest.empty()) return nullptr;
  frame_.type = static_cast<PacketType>(rest[0] >> 4);
  frame_.flags = rest[0] & 0x0f;
  if (rest[0] >> 4 == 0 || rest[0] >> 4 == 15) return fail(ErrorCode::kCorrupt, "reserved packet type (2.2.1)");
  if (frame_.type != PacketType::kPublish && frame_.flags != fixed_flags(frame_.type)) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: flags {:04b} [MQTT-2.2.2-2]", to_string(frame_.type), frame_.flags));
  }
  size_t length = 0;
  size_t at = 1;
  for (int shift = 0;; shift += 7) {
    if (shift > 21) return fail(ErrorCode::kCorrupt, "remaining length of more than four bytes (2.2.3)");
    if (at == rest.size()) return nullptr;
    uint8_t byte = rest[at++];
    length |= static_cast<size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (at + length > packet_bytes_max_) {
    return fail(ErrorCode::kTooLarge, fmt::format("{} of {} bytes is over the limit of {}", to_string(frame_.type),
                                                  at + length, packet_bytes_max_));
  }
  if (rest.size() < at + length) {
    begun_bytes_ = at + length;
    return nullptr;
  }
  frame_.body = rest.subspan(at, length);
  consumed_ += at + length;
  return &frame_;
}

Result<Connect> decode_connect(const Frame& frame) {
  CHECK(frame.type == PacketType::kConnect);
  Reader reader(frame.body);
  RETURN_IF_ERROR(check_protocol(reader));
  auto flags = reader.read<uint8_t>();
  RETURN_IF_ERROR(check_connect_flags(flags));
  Connect connect;
  connect.clean_session = flags & kCleanSessionFlag;
  connect.keep_alive_s = reader.read<uint16_t>();
  connect.client_id = read_text(reader);  // The order of the payload is [MQTT-3.1.3-1].
  if (flags & kWillFlag) {
    Will& will = connect.will.emplace();
    will.topic = read_text(reader);
    will.payload = read_text(reader);
    will.qos = flags >> 3 & 3;
    will.retain = flags & kWillRetainFlag;
  }
  if (flags & kUserNameFlag) connect.user_name = read_text(reader);
  if (flags & kPasswordFlag) connect.password = read_text(reader);
  RETURN_IF_ERROR(check_end(frame, reader));
  RETURN_IF_ERROR(check_connect_text(connect));
  return connect;
}

Result<Publish> decode_publish(const Frame& frame) {
  CHECK(frame.type == PacketType::kPublish);
  Publish publish;
  publish.retain = frame.flags & 1;
  publish.qos = frame.flags >> 1 & 3;
  publish.dup = frame.flags & 8;
  if (publish.qos == 3) return corrupt(frame.type, "QoS 3 [MQTT-3.3.1-4]");
  if (publish.qos == 0 && publish.dup) return corrupt(frame.type, "DUP with QoS 0 [MQTT-3.3.1-2]");
  Reader reader(frame.body);
  publish.topic = read_text(reader);
  if (!reader.ok()) return corrupt(frame.type, "shorter than its content says");
  if (!valid_topic_name(publish.topic)) {
    return corrupt(frame.type, "the topic is empty, has a wildcard or is not UTF-8 [MQTT-3.3.2-1] [MQTT-3.3.2-2]");
  }
  if (publish.qos > 0) {
    ASSIGN_OR_RETURN(publish.packet_id, read_packet_id(frame, reader));
  }
  publish.payload = reader.read_text(reader.remaining());
  return publish;
}

Result<Subscribe> decode_subscribe(const Frame& frame) {
  CHECK(frame.type == PacketType::kSubscribe);
  Reader reader(frame.body);
  ASSIGN_OR_RETURN(uint16_t id, read_packet_id(frame, reader));
  Subscribe subscribe{id, {}};
  while (reader.ok() && reader.remaining() > 0) {
    Subscription subscription;
    subscription.filter = read_text(reader);
    subscription.qos = reader.read<uint8_t>();
    if (!reader.ok()) return corrupt(frame.type, "shorter than its content says");
    if (!valid_topic_filter(subscription.filter)) {
      return corrupt(frame.type, "the filter is malformed [MQTT-3.8.3-1] [MQTT-4.7.1-2] [MQTT-4.7.1-3]");
    }
    if (subscription.qos > 2) return corrupt(frame.type, "reserved bits of the QoS are set [MQTT-3-8.3-4]");
    subscribe.subscriptions.push_back(subscription);
  }
  if (subscribe.subscriptions.empty()) return corrupt(frame.type, "without a filter [MQTT-3.8.3-3]");
  return subscribe;
}

Result<Unsubscribe> decode_unsubscribe(const Frame& frame) {
  CHECK(frame.type == PacketType::kUnsubscribe);
  Reader reader(frame.body);
  ASSIGN_OR_RETURN(uint16_t id, read_packet_id(frame, reader));
  Unsubscribe unsubscribe{id, {}};
  while (reader.ok() && reader.remaining() > 0) {
    std::string_view filter = read_text(reader);
    if (!reader.ok()) return corrupt(frame.type, "shorter than its content says");
    if (!valid_topic_filter(filter)) return corrupt(frame.type, "the filter is malformed [MQTT-3.10.3-1]");
    unsubscribe.filters.push_back(filter);
  }
  if (unsubscribe.filters.empty()) return corrupt(frame.type, "without a filter [MQTT-3.10.3-2]");
  return unsubscribe;
}

Result<uint16_t> decode_packet_id(const Frame& frame) {
  Reader reader(frame.body);
  ASSIGN_OR_RETURN(uint16_t id, read_packet_id(frame, reader));
  RETURN_IF_ERROR(check_end(frame, reader));
  return id;
}

Status check_bare(const Frame& frame) { return check_end(frame, Reader(frame.body)); }

Result<Packet> decode(const Frame& frame) {
  switch (frame.type) {
    case PacketType::kConnect: return as_packet(decode_connect(frame));
    case PacketType::kConnack: return as_packet(decode_connack(frame));
    case PacketType::kPublish: return as_packet(decode_publish(frame));
    case PacketType::kPuback: return acknowledgement<Puback>(frame);
    case PacketType::kPubrec: return acknowledgement<Pubrec>(frame);
    case PacketType::kPubrel: return acknowledgement<Pubrel>(frame);
    case PacketType::kPubcomp: return acknowledgement<Pubcomp>(frame);
    case PacketType::kSubscribe: return as_packet(decode_subscribe(frame));
    case PacketType::kSuback: return as_packet(decode_suback(frame));
    case PacketType::kUnsubscribe: return as_packet(decode_unsubscribe(frame));
    case PacketType::kUnsuback: return acknowledgement<Unsuback>(frame);
    case PacketType::kPingreq: return bare<Pingreq>(frame);
    case PacketType::kPingresp: return bare<Pingresp>(frame);
    case PacketType::kDisconnect: return bare<Disconnect>(frame);
  }
  CHECK(false);
}

}  // namespace headrace::wire::mqtt
