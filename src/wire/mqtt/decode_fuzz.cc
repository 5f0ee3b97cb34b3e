// Any bytes: whatever decodes, encodes to bytes that decode to the same. --seeds=DIRECTORY writes packets.
#include "base/fuzzing.h"
#include "wire/mqtt/decode.h"
#include "wire/mqtt/encode.h"

using namespace headrace;
using namespace headrace::wire::mqtt;

namespace {

void write_seeds(const std::string& directory) {
  const Packet packets[] = {Connect{.client_id = "c", .keep_alive_s = 60},
                            Connack{},
                            Publish{.topic = "cabs/1", .payload = "{}"},
                            Publish{.topic = "t", .payload = "x", .packet_id = 1, .qos = 2},
                            Puback{1},
                            Pubrec{1},
                            Pubrel{1},
                            Pubcomp{1},
                            Subscribe{1, {{"cabs/+/#", 1}}},
                            Suback{1, {1}},
                            Unsubscribe{1, {"t"}},
                            Unsuback{1},
                            Pingreq{},
                            Disconnect{}};
  Bytes all;
  for (const Packet& packet : packets) {
    Bytes one;
    encode(packet, one);
    write_seed(directory, std::to_string(packet.index()) + "-" + std::to_string(one.size()), one);
    all.insert(all.end(), one.begin(), one.end());
  }
  write_seed(directory, "all", all);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  write_seeds_if_asked(*count, *arguments, write_seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FrameReader reader({data, size}, 1 << 20);
  while (const Frame* frame = reader.next()) {
    auto packet = decode(*frame);
    if (!packet.ok()) continue;
    Bytes again;
    encode(*packet, again);
    FrameReader second(again, again.size());
    const Frame* same = second.next();
    CHECK(same != nullptr && second.consumed() == again.size());
    auto decoded = decode(*same);
    CHECK(decoded.ok() && *decoded == *packet);
  }
  return 0;
}
