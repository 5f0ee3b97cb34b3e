// The first byte chooses the codec, the rest is decompressed with a small cap. --seeds=DIRECTORY writes compressed
// text, and bombs.
#include "base/fuzzing.h"
#include "codec/compression.h"

namespace headrace::codec {
namespace {

constexpr int kCodecs = 5;
constexpr size_t kOutputBytesMax = 1 << 16;

void write_seeds(const std::string& directory) {
  const std::string texts[] = {"", "a", "abcabcabcabc, and so on", std::string(2 * kOutputBytesMax, 'x')};
  for (int codec = 0; codec < kCodecs; ++codec) {
    for (const std::string& text : texts) {
      auto packed = compress(static_cast<Compression>(codec), as_bytes(text));
      CHECK(packed.ok());
      Bytes input = {static_cast<uint8_t>(codec)};
      input.insert(input.end(), packed->begin(), packed->end());
      if (input.size() < kOutputBytesMax) {
        write_seed(directory, std::to_string(codec) + "-" + std::to_string(text.size()), input);
      }
    }
  }
}

}  // namespace
}  // namespace headrace::codec

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  headrace::write_seeds_if_asked(*count, *arguments, headrace::codec::write_seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::codec;  // NOLINT: the entry point stands outside
  if (size == 0) return 0;
  auto result = decompress(static_cast<Compression>(data[0] % kCodecs), {data + 1, size - 1}, kOutputBytesMax);
  CHECK(!result.ok() || result->size() <= kOutputBytesMax);
  return 0;
}
