// Any request in any version, and request headers: fuzz_message.h.
#include "wire/kafka/all_messages.h"
#include "wire/kafka/fuzz_message.h"
#include "wire/kafka/headers.h"
#include "wire/kafka/sample.h"

namespace headrace::wire::kafka {
namespace {

constexpr uint64_t kSamplesOfEach = 2;

struct Requests {
  template <int16_t key>
  using Message = typename Messages<key>::Request;
  using Header = RequestHeader;

  /// With names that a broker under kafka/session_fuzz.cc knows.
  template <typename M>
  static std::vector<M> samples(int16_t version) {
    Vocabulary words{.texts = {"t", "t", "g", "m", "u", "", "range", "retention.ms", "1000"}};
    words.ids.emplace_back().bytes.fill(0xee);
    std::vector<M> messages;
    for (uint64_t seed = 0; seed < kSamplesOfEach; ++seed) {
      messages.push_back(Sampler(seed, words).template message<M>(version));
    }
    return messages;
  }
};

using Fuzzer = SideFuzzer<Requests, AllApiKeys>;

}  // namespace
}  // namespace headrace::wire::kafka

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  headrace::wire::kafka::Fuzzer::initialize(*count, *arguments);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  headrace::wire::kafka::Fuzzer::run({data, size});
  return 0;
}
