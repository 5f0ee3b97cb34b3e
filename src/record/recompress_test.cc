#include "record/recompress.h"

#include <gtest/gtest.h>

#include "record/batch_builder.h"
#include "record/producer_fields.h"

namespace headrace::record {
namespace {

Batch some_batch(codec::Compression codec) {
  BatchBuilder builder(codec);
  for (int i = 0; i < 50; ++i) builder.add(1000 + i, "key" + std::to_string(i % 3), "value");
  return with_producer(builder.finish(), {ProducerId(7), 1, 40, true});
}

TEST(Recompress, ChangesTheCodecAndNothingElse) {
  using enum codec::Compression;
  for (auto from : {kNone, kGzip, kSnappy, kLz4, kZstd}) {
    for (auto to : {kNone, kGzip, kSnappy, kLz4, kZstd}) {
      SCOPED_TRACE(std::string(codec::to_string(from)) + " to " + std::string(codec::to_string(to)));
      Batch batch = some_batch(from);
      auto changed = with_compression(batch, to, 1 << 20);
      ASSERT_TRUE(changed.ok());
      ASSERT_TRUE(Batch::parse(changed->bytes()).ok());
      EXPECT_EQ(changed->header().compression(), to);
      EXPECT_EQ(changed->header().base_sequence, 40);
      EXPECT_EQ(changed->header().record_count, 50);
      EXPECT_TRUE(changed->header().is_transactional());
      EXPECT_EQ(changed->header().max_timestamp_ms, 1049);
      RecordReader reader(*changed, 1 << 20);
      int records = 0;
      while (const RecordView* record = reader.next()) {
        EXPECT_EQ(record->key, "key" + std::to_string(records % 3));
        EXPECT_EQ(record->timestamp_ms, 1000 + records++);
      }
      EXPECT_TRUE(reader.status().ok());
      EXPECT_EQ(records, 50);
    }
  }
}

TEST(Recompress, StopsAtTheCap) {
  BatchBuilder builder(codec::Compression::kZstd);
  builder.add(1, "k", std::string(1 << 20, '0'));
  auto changed = with_compression(builder.finish(), codec::Compression::kLz4, 1 << 16);
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace headrace::record
