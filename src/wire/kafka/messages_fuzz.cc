// Any request or response in any version: the first two bytes choose the message, the third the version. What can be
// read must come back the same after it was written.
#include "base/check.h"
#include "wire/kafka/all_messages.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/encode.h"
#include "wire/kafka/headers.h"

namespace headrace::wire::kafka {
namespace {

template <typename M>
void try_message(BytesView bytes, uint8_t choice) {
  constexpr Versions versions = M::kSpec.versions;
  auto version = static_cast<int16_t>(versions.min + choice % (versions.max - versions.min + 1));
  Decoder in{SharedBytes(Bytes(bytes.begin(), bytes.end()))};
  auto message = decode<M>(in, version);
  if (!message.ok()) return;
  Encoder out;
  encode(out, version, *message);
  Decoder again{SharedBytes(out.finish_body())};
  auto copy = decode<M>(again, version);
  CHECK(copy.ok());
  CHECK(equal(*copy, *message));
}

template <int16_t... keys>
void try_all(std::integer_sequence<int16_t, keys...>, uint8_t api, bool response, uint8_t version, BytesView bytes) {
  auto chosen = api % sizeof...(keys);
  size_t at = 0;
  auto visit = [&]<int16_t key>() {
    if (at++ != chosen) return;
    response ? try_message<typename Messages<key>::Response>(bytes, version)
             : try_message<typename Messages<key>::Request>(bytes, version);
  };
  (visit.template operator()<keys>(), ...);
}

}  // namespace
}  // namespace headrace::wire::kafka

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::wire::kafka;  // NOLINT: the entry point stands outside
  if (size < 3) return 0;
  headrace::BytesView bytes(data + 3, size - 3);
  try_message<RequestHeader>(bytes, data[2]);
  try_all(AllApiKeys(), data[0], data[1] & 1, data[2], bytes);
  return 0;
}
