#include "codec/compression.h"

#include <snappy.h>
#include <zlib.h>

namespace headrace::codec {
namespace {

using testing::HasSubstr;

constexpr Compression kCodecs[] = {Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd};

Bytes text_of(size_t size) {
  Bytes out;
  for (size_t i = 0; out.size() < size; ++i) {
    std::string piece = "cab-" + std::to_string(i * 7919 % 1000) + ";";
    out.insert(out.end(), piece.begin(), piece.end());
  }
  out.resize(size);
  return out;
}

TEST(Compression, EveryCodecRoundTripsFromNothingToMegabytes) {
  for (auto codec : kCodecs) {
    for (size_t size : {0, 1, 100, 32768, 32769, 3 << 20}) {
      Bytes input = text_of(size);
      auto packed = compress(codec, input);
      ASSERT_TRUE(packed.ok());
      auto unpacked = decompress(codec, *packed, 4 << 20);
      ASSERT_TRUE(unpacked.ok()) << to_string(codec) << " " << size << " " << unpacked.error().message;
      EXPECT_EQ(*unpacked, input);
    }
  }
}

TEST(Compression, OutputAtTheCapPassesAndOneByteMoreIsTooLarge) {
  Bytes input = text_of(100000);
  for (auto codec : kCodecs) {
    Bytes packed = *compress(codec, input);
    EXPECT_TRUE(decompress(codec, packed, input.size()).ok()) << to_string(codec);
    auto over = decompress(codec, packed, input.size() - 1);
    ASSERT_FALSE(over.ok()) << to_string(codec);
    EXPECT_EQ(over.error().code, ErrorCode::kTooLarge);
  }
}

TEST(Compression, BombsStopAtTheCap) {
  Bytes zeros(64 << 20);
  for (auto codec : kCodecs) {
    auto result = decompress(codec, *compress(codec, zeros), 1 << 20);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kTooLarge) << to_string(codec);
  }
}

TEST(Compression, TruncationAtEveryByteIsAnErrorOrAPrefix) {
  Bytes input = text_of(3000);
  for (auto codec : kCodecs) {
    Bytes packed = *compress(codec, input);
    for (size_t size = 0; size < packed.size(); ++size) {
      auto result = decompress(codec, BytesView(packed).first(size), 1 << 20);
      // A xerial frame cut between blocks is a whole, shorter frame.
      EXPECT_TRUE(!result.ok() || (codec == Compression::kSnappy && result->size() < input.size()));
    }
  }
}

TEST(Compression, FlippedBytesNeverCrash) {
  Bytes input = text_of(3000);
  for (auto codec : kCodecs) {
    Bytes packed = *compress(codec, input);
    for (size_t at = 0; at < packed.size(); ++at) {
      for (uint8_t bit = 1; bit; bit = static_cast<uint8_t>(bit << 1)) {
        packed[at] ^= bit;
        auto result = decompress(codec, packed, 1 << 16);
        EXPECT_TRUE(!result.ok() || result->size() <= 1u << 16);
        packed[at] ^= bit;
      }
    }
  }
}

TEST(Compression, SnappyIsReadRawToo) {
  Bytes input = text_of(5000);
  std::string raw;
  snappy::Compress(reinterpret_cast<const char*>(input.data()), input.size(), &raw);
  EXPECT_EQ(*decompress(Compression::kSnappy, as_bytes(raw), 1 << 20), input);
}

TEST(Compression, ASnappyBlockThatClaimsTooMuchIsRefusedBeforeItIsAllocated) {
  const uint8_t liar[] = {0xff, 0xff, 0xff, 0x1f, 0x00, 'x'};  // claims 64 MiB - 1
  auto result = decompress(Compression::kSnappy, liar, 1 << 30);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
}

TEST(Compression, GzipMembersOneAfterAnotherAreReadAsOne) {
  Bytes both = *compress(Compression::kGzip, as_bytes("front "));
  Bytes second = *compress(Compression::kGzip, as_bytes("back"));
  both.insert(both.end(), second.begin(), second.end());
  auto result = decompress(Compression::kGzip, both, 100);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(as_text(*result), "front back");
}

TEST(Compression, NamesAreKafkas) {
  for (auto codec : kCodecs) EXPECT_EQ(*parse_compression(to_string(codec)), codec);
  EXPECT_THAT(parse_compression("brotli").error().message, HasSubstr("zstd"));
}

}  // namespace
}  // namespace headrace::codec
