// The first byte chooses the codec, the rest is decompressed with a small cap.
#include "base/check.h"
#include "codec/compression.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto codec = static_cast<headrace::codec::Compression>(data[0] % 5);
  constexpr size_t kOutputBytesMax = 1 << 16;
  auto result = headrace::codec::decompress(codec, {data + 1, size - 1}, kOutputBytesMax);
  CHECK(!result.ok() || result->size() <= kOutputBytesMax);
  return 0;
}
