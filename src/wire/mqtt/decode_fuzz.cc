// Any bytes: whatever decodes, encodes to bytes that decode to the same.
#include "base/check.h"
#include "wire/mqtt/decode.h"
#include "wire/mqtt/encode.h"

using namespace headrace;
using namespace headrace::wire::mqtt;

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
