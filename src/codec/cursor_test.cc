#include "codec/cursor.h"

#include <limits>

#include "codec/crc32c.h"

namespace headrace::codec {
namespace {

TEST(Cursor, WhatIsWrittenIsReadBack) {
  Bytes bytes;
  Writer writer(bytes);
  writer.write<int8_t>(-2);
  writer.write<int16_t>(-300);
  writer.write<int32_t>(1 << 30);
  writer.write<int64_t>(std::numeric_limits<int64_t>::min());
  for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{64}, std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max()}) {
    size_t before = bytes.size();
    writer.write_varint(value);
    EXPECT_EQ(bytes.size() - before, varint_size(value));
  }
  writer.write_text("end");
  Reader reader(bytes);
  EXPECT_EQ(reader.read<int8_t>(), -2);
  EXPECT_EQ(reader.read<int16_t>(), -300);
  EXPECT_EQ(reader.read<int32_t>(), 1 << 30);
  EXPECT_EQ(reader.read<int64_t>(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(reader.read_varint(), 0);
  EXPECT_EQ(reader.read_varint(), -1);
  EXPECT_EQ(reader.read_varint(), 63);
  EXPECT_EQ(reader.read_varint(), 64);
  EXPECT_EQ(reader.read_varint(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(reader.read_varint(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(reader.read_text(3), "end");
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(Cursor, AReadPastTheEndFailsTheReaderForGood) {
  const uint8_t bytes[] = {1, 2, 3};
  Reader reader(bytes);
  EXPECT_EQ(reader.read<int32_t>(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.read<int8_t>(), 0);
}

TEST(Cursor, AnEndlessVarintFails) {
  Bytes bytes(11, 0x80);
  Reader reader(bytes);
  reader.read_unsigned_varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Crc32c, MatchesTheRfcAndContinues) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c(as_bytes("6789"), crc32c(as_bytes("12345"))), 0xe3069283u);
  EXPECT_EQ(crc32c(Bytes(32)), 0x8a9136aau);  // RFC 3720 B.4: 32 bytes of zeros
}

}  // namespace
}  // namespace headrace::codec
