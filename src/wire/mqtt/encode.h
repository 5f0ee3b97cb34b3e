// MQTT 3.1.1 packets to bytes.
#pragma once

#include "wire/mqtt/packet.h"

namespace headrace::wire::mqtt {

/// Each appends one packet to `out`. The caller answers for the content (valid topics, identifiers that are not 0, text
/// of at most 65,535 bytes: CHECKed).
void encode(const Connect& packet, Bytes& out);
void encode(const Connack& packet, Bytes& out);
void encode(const Publish& packet, Bytes& out);
void encode(const Subscribe& packet, Bytes& out);
void encode(const Suback& packet, Bytes& out);
void encode(const Unsubscribe& packet, Bytes& out);
void encode(const Packet& packet, Bytes& out);

void encode_acknowledgement(PacketType type, uint16_t packet_id, Bytes& out);
void encode_bare(PacketType type, Bytes& out);

template <PacketType kType>
void encode(const Acknowledgement<kType>& packet, Bytes& out) {
  encode_acknowledgement(kType, packet.packet_id, out);
}
template <PacketType kType>
void encode(const Bare<kType>&, Bytes& out) {
  encode_bare(kType, out);
}

}  // namespace headrace::wire::mqtt
