// MQTT 3.1.1 control packets as structs. All text and bytes are views into the frame that was decoded, or into the
// caller's memory when encoding: nothing is copied.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace headrace::wire::mqtt {

/// Table 2.1, control packet types.
enum class PacketType : uint8_t {
  kConnect = 1,
  kConnack,
  kPublish,
  kPuback,
  kPubrec,
  kPubrel,
  kPubcomp,
  kSubscribe,
  kSuback,
  kUnsubscribe,
  kUnsuback,
  kPingreq,
  kPingresp,
  kDisconnect,
};
/// "PUBLISH".
std::string_view to_string(PacketType type);

/// Level of MQTT 3.1.1, [MQTT-3.1.2-2].
inline constexpr uint8_t kProtocolLevel = 4;
/// The largest remaining length that four bytes can say (2.2.3).
inline constexpr size_t kRemainingLengthMax = 268'435'455;

struct Will {
  std::string_view topic;
  std::string_view payload;
  uint8_t qos = 0;
  bool retain = false;
  friend bool operator==(const Will&, const Will&) = default;
};

struct Connect {
  std::string_view client_id;
  bool clean_session = true;
  uint16_t keep_alive_s = 0;  ///< 0: none.
  std::optional<Will> will;
  std::optional<std::string_view> user_name;
  std::optional<std::string_view> password;  ///< Bytes, no text.
  friend bool operator==(const Connect&, const Connect&) = default;
};

/// Table 3.1, CONNACK return codes.
enum class ConnectCode : uint8_t {
  kAccepted = 0,
  kUnacceptableProtocolVersion,
  kIdentifierRejected,
  kServerUnavailable,
  kBadUserNameOrPassword,
  kNotAuthorized,
};

struct Connack {
  bool session_present = false;
  ConnectCode code = ConnectCode::kAccepted;
  friend bool operator==(const Connack&, const Connack&) = default;
};

struct Publish {
  std::string_view topic;
  std::string_view payload;
  uint16_t packet_id = 0;  ///< 0 with QoS 0, which has none.
  uint8_t qos = 0;
  bool dup = false;
  bool retain = false;
  friend bool operator==(const Publish&, const Publish&) = default;
};

/// PUBACK, PUBREC, PUBREL, PUBCOMP and UNSUBACK: a packet identifier and nothing else.
template <PacketType kType>
struct Acknowledgement {
  uint16_t packet_id = 0;
  friend bool operator==(const Acknowledgement&, const Acknowledgement&) = default;
};
using Puback = Acknowledgement<PacketType::kPuback>;
using Pubrec = Acknowledgement<PacketType::kPubrec>;
using Pubrel = Acknowledgement<PacketType::kPubrel>;
using Pubcomp = Acknowledgement<PacketType::kPubcomp>;
using Unsuback = Acknowledgement<PacketType::kUnsuback>;

struct Subscription {
  std::string_view filter;
  uint8_t qos = 0;
  friend bool operator==(const Subscription&, const Subscription&) = default;
};
struct Subscribe {
  uint16_t packet_id = 0;
  std::vector<Subscription> subscriptions;
  friend bool operator==(const Subscribe&, const Subscribe&) = default;
};

/// The return code of a subscription that was refused (3.9.3).
inline constexpr uint8_t kSubscribeFailure = 0x80;
struct Suback {
  uint16_t packet_id = 0;
  std::vector<uint8_t> codes;  ///< The QoS granted, or kSubscribeFailure; one for each subscription.
  friend bool operator==(const Suback&, const Suback&) = default;
};

struct Unsubscribe {
  uint16_t packet_id = 0;
  std::vector<std::string_view> filters;
  friend bool operator==(const Unsubscribe&, const Unsubscribe&) = default;
};

/// PINGREQ, PINGRESP and DISCONNECT: a type and nothing else.
template <PacketType kType>
struct Bare {
  friend bool operator==(const Bare&, const Bare&) = default;
};
using Pingreq = Bare<PacketType::kPingreq>;
using Pingresp = Bare<PacketType::kPingresp>;
using Disconnect = Bare<PacketType::kDisconnect>;

using Packet = std::variant<Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe,
                            Unsuback, Pingreq, Pingresp, Disconnect>;

}  // namespace headrace::wire::mqtt
