// Any bytes as metrics that a client pushes.
#include "kafka/otlp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)headrace::kafka::decode_otlp({data, size});
  return 0;
}
