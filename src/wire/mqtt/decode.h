// Bytes to MQTT 3.1.1 packets. Every rule of the standard on the form of a packet is checked here, and an error names
// its clause; rules on the order of packets are the session's.
#pragma once

#include "base/result.h"
#include "wire/mqtt/packet.h"

namespace headrace::wire::mqtt {

/// One control packet with its fixed header taken apart:
///
///   byte 1            type (4 bits) | flags (4 bits)
///   bytes 2 to 5      remaining length, 7 bits a byte, the lowest first
///   remaining length  body: variable header and payload
struct Frame {
  PacketType type;
  uint8_t flags;
  BytesView body;
};

/// Cuts whole frames off the front of what was received.
///
///   FrameReader reader(bytes, packet_bytes_max);
///   while (const Frame* frame = reader.next()) ...
///   if (!reader.status().ok()) close the connection
///   return reader.consumed();
class FrameReader {
 public:
  /// Packets over `packet_bytes_max`, fixed header included, are an error as soon as their length is known.
  FrameReader(BytesView bytes, size_t packet_bytes_max) : bytes_(bytes), packet_bytes_max_(packet_bytes_max) {}

  /// The next whole frame; null when there is none yet or ever (see status()). Valid until the next call.
  const Frame* next();
  /// kCorrupt: not MQTT. kTooLarge: over the limit.
  const Status& status() const { return status_; }
  size_t consumed() const { return consumed_; }
  /// When next() gave none: the size of the packet that has begun; 0 while its length is not known.
  size_t begun_bytes() const { return begun_bytes_; }
  void set_packet_bytes_max(size_t bytes) { packet_bytes_max_ = bytes; }

 private:
  const Frame* fail(ErrorCode code, std::string what);

  BytesView bytes_;
  size_t packet_bytes_max_;
  size_t consumed_ = 0;
  size_t begun_bytes_ = 0;
  Frame frame_{};
  Status status_;
};

/// Each decodes the frame of its type (CHECKed). kCorrupt names the clause that is violated.
/// decode_connect: kUnsupported for another protocol level, which is answered with
/// ConnectCode::kUnacceptableProtocolVersion [MQTT-3.1.2-2].
Result<Connect> decode_connect(const Frame& frame);
Result<Publish> decode_publish(const Frame& frame);
Result<Subscribe> decode_subscribe(const Frame& frame);
Result<Unsubscribe> decode_unsubscribe(const Frame& frame);
/// PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK.
Result<uint16_t> decode_packet_id(const Frame& frame);
/// PINGREQ, PINGRESP, DISCONNECT.
Status check_bare(const Frame& frame);

/// Any of the fourteen.
Result<Packet> decode(const Frame& frame);

}  // namespace headrace::wire::mqtt
