#include "record/records_summary.h"

#include <gtest/gtest.h>

#include <string>

#include "record/batch_builder.h"

namespace headrace::record {
namespace {

constexpr size_t kPlainBytesMax = 1 << 20;

TEST(RecordsSummary, TellsKeysAndTimesUnderEveryCodec) {
  for (int codec = 0; codec <= 4; ++codec) {
    SCOPED_TRACE(codec);
    const Header headers[] = {{"trace", "1"}, {"none", std::nullopt}};
    BatchBuilder builder(static_cast<codec::Compression>(codec));
    builder.add(1000, "k1", std::string(300, 'v'), headers);
    builder.add(-1, "k2", std::nullopt);
    builder.add(70'000, "", "v");
    builder.add(700, "k3", "v");
    auto summary = summarize_records(builder.finish(), kPlainBytesMax);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(*summary, (RecordsSummary{true, 700, 70'000}));

    BatchBuilder keyless(static_cast<codec::Compression>(codec));
    keyless.add(-5, "k", "v");
    keyless.add(-2, std::nullopt, "v");
    summary = summarize_records(keyless.finish(), kPlainBytesMax);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(*summary, (RecordsSummary{false, RecordsSummary().earliest_ms, -2}));
  }
}

// Of every batch that differs from a good one in a byte of its records.
TEST(RecordsSummary, RefusesWhatAReaderRefusesWithItsWords) {
  const Header headers[] = {{"h", "1"}};
  BatchBuilder builder;
  builder.add(1000, "k1", std::string(70, 'v'), headers);
  builder.add(1001, std::nullopt, "v");
  Batch batch = builder.finish();
  Bytes good(batch.bytes().view().begin(), batch.bytes().view().end());
  int refused = 0;
  for (size_t at = kBatchHeaderBytes; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes bytes = good;
      bytes[at] = static_cast<uint8_t>(value);
      auto changed = Batch::parse_trusted(SharedBytes(std::move(bytes)));
      ASSERT_TRUE(changed.ok());
      RecordReader reader(*changed, kPlainBytesMax);
      while (reader.next()) {
      }
      auto summary = summarize_records(*changed, kPlainBytesMax);
      ASSERT_EQ(summary.ok(), reader.status().ok()) << "byte " << at << " is " << value;
      if (summary.ok()) continue;
      ++refused;
      ASSERT_EQ(summary.error().message, reader.status().error().message);
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(RecordsSummary, TheBrokersTimeIsThatOfAllRecords) {
  BatchBuilder builder;
  builder.add(1000, "k", "v");
  builder.add(2000, "k", "v");
  Batch batch = builder.finish();
  Bytes bytes(batch.bytes().view().begin(), batch.bytes().view().end());
  BatchHeader header = batch.header();
  header.attributes |= kLogAppendTimeBit;
  header.max_timestamp_ms = 5000;
  write_header(header, bytes);
  auto summary = summarize_records(*Batch::parse_trusted(SharedBytes(bytes)), kPlainBytesMax);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(*summary, (RecordsSummary{true, 5000, 5000}));
}

}  // namespace
}  // namespace headrace::record
