// Any response in any version, and response headers, as the program's own clients read them: fuzz_message.h.
#include "wire/kafka/all_messages.h"
#include "wire/kafka/fuzz_message.h"
#include "wire/kafka/headers.h"

namespace headrace::wire::kafka {
namespace {

struct Responses {
  template <int16_t key>
  using Message = typename Messages<key>::Response;
  using Header = ResponseHeader;

  template <typename M>
  static std::vector<M> samples(int16_t) {
    return std::vector<M>(1);
  }
};

using Fuzzer = SideFuzzer<Responses, AllApiKeys>;

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
