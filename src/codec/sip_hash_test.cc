#include "codec/sip_hash.h"

#include <gtest/gtest.h>

namespace headrace::codec {
namespace {

uint64_t word(std::initializer_list<int> bytes) {
  uint64_t value = 0;
  int shift = 0;
  for (int byte : bytes) value |= static_cast<uint64_t>(byte) << shift, shift += 8;
  return value;
}

// vectors_sip128 of the reference implementation: key 00 01 .. 0f, input 00 01 .. of growing length.
TEST(SipHash, GivesTheReferenceVectors) {
  Hash128 key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  Hash128 empty{word({0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6}),
                word({0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93})};
  Hash128 one{word({0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44}),
              word({0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45})};
  uint8_t zero[] = {0};
  EXPECT_EQ(sip_hash_128(key, {}), empty);
  EXPECT_EQ(sip_hash_128(key, zero), one);
}

TEST(SipHash, DiffersByKeyAndByEveryByte) {
  Bytes text(20, 'x');
  Hash128 plain = sip_hash_128({1, 2}, text);
  EXPECT_NE(plain, sip_hash_128({1, 3}, text));
  for (uint8_t& byte : text) {
    byte ^= 1;
    EXPECT_NE(plain, sip_hash_128({1, 2}, text));
    byte ^= 1;
  }
}

}  // namespace
}  // namespace headrace::codec
