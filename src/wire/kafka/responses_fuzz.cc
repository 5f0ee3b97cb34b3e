// Any response in any version, and response headers, as the program's own clients read them: fuzz_message.h.
#include "wire/kafka/fuzz_message.h"
#include "wire/kafka/all_messages.h"
#include "wire/kafka/headers.h"

namespace headrace::wire::kafka {
namespace {

struct Responses {
  template <typename M>
  static std::vector<M> samples(int16_t) {
    return std::vector<M>(1);
  }
};

template <typename Keys>
struct FuzzerOf;
template <int16_t... keys>
struct FuzzerOf<std::integer_sequence<int16_t, keys...>> {
  using Type = MessageFuzzer<Responses, typename Messages<keys>::Response..., ResponseHeader>;
};
using Fuzzer = FuzzerOf<AllApiKeys>::Type;

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
