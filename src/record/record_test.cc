#include <limits>
#include <random>

#include "record/batch.h"
#include "record/batch_builder.h"
#include "record/producer_fields.h"

namespace headrace::record {
namespace {

constexpr size_t kPlainBytesMax = 1 << 20;

Bytes copy_of(const Batch& batch) { return Bytes(batch.bytes().view().begin(), batch.bytes().view().end()); }

Batch three_records(codec::Compression compression = codec::Compression::kNone) {
  BatchBuilder builder(compression);
  Header headers[] = {{"trace", "abc"}, {"empty", std::nullopt}};
  builder.add(1000, "k1", "v1");
  builder.add(999, std::nullopt, "v2", headers);
  builder.add(1500, "k3", std::nullopt);
  return builder.finish();
}

struct Read {
  std::vector<RecordView> records;
  Status status;
};

Read read_all(RecordReader& reader) {
  Read read;
  while (const RecordView* record = reader.next()) read.records.push_back(*record);
  read.status = reader.status();
  return read;
}

TEST(RecordBatch, RecordsRoundTripUnderEveryCodec) {
  for (int codec = 0; codec <= 4; ++codec) {
    Batch batch = three_records(static_cast<codec::Compression>(codec));
    auto parsed = Batch::parse(batch.bytes());
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(parsed->header().record_count, 3);
    EXPECT_EQ(parsed->header().max_timestamp_ms, 1500);
    EXPECT_EQ(parsed->header().base_offset, Offset(0));
    RecordReader reader(*parsed, kPlainBytesMax);
    auto [records, status] = read_all(reader);
    ASSERT_TRUE(status.ok());
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records[0].key, "k1");
    EXPECT_EQ(records[1].timestamp_ms, 999);
    EXPECT_EQ(records[1].key, std::nullopt);
    ASSERT_EQ(records[1].headers.size(), 2u);
    EXPECT_EQ(records[1].headers[0].key, "trace");
    EXPECT_EQ(records[1].headers[1].value, std::nullopt);
    EXPECT_EQ(records[2].offset, Offset(2));
    EXPECT_EQ(records[2].value, std::nullopt);
    EXPECT_TRUE(records[2].headers.empty());
  }
}

// The bytes of one record {key "k", value "v"} at time 1 as the Java client (kafka-clients 3.x) lays them out; the
// checksum is that of the bytes from `attributes` on.
TEST(RecordBatch, LayoutIsKafkas) {
  BatchBuilder builder;
  builder.add(1, "k", "v");
  const uint8_t expected[] = {0,    0,    0,    0,    0, 0, 0, 0,  // base offset
                              0,    0,    0,    58,                // length
                              0xff, 0xff, 0xff, 0xff, 2};          // leader epoch, magic
  const uint8_t tail[] = {
      0,    0,    0,    0,    0,    0,  // attributes, last offset delta
      0,    0,    0,    0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    0,    0, 1,  // timestamps
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0,
      0,    1,    16,   0,    0,    0,    2,    'k',  2,    'v',  0};
  Bytes bytes = copy_of(builder.finish());
  ASSERT_EQ(bytes.size(), 70u);
  EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 17), Bytes(std::begin(expected), std::end(expected)));
  EXPECT_EQ(Bytes(bytes.begin() + 21, bytes.end()), Bytes(std::begin(tail), std::end(tail)));
}

TEST(RecordBatch, CutAtEveryByteIsOutOfRange) {
  Bytes bytes = copy_of(three_records());
  for (size_t size = 0; size < bytes.size(); ++size) {
    auto result = Batch::parse(SharedBytes(Bytes(bytes.begin(), bytes.begin() + static_cast<long>(size))));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kOutOfRange) << size;
  }
}

TEST(RecordBatch, EveryFlippedBitBehindTheChecksumIsNoticed) {
  Bytes bytes = copy_of(three_records());
  for (size_t at = 17; at < bytes.size(); ++at) {
    bytes[at] ^= 0x10;
    EXPECT_FALSE(Batch::parse(SharedBytes(bytes)).ok()) << at;
    bytes[at] ^= 0x10;
  }
}

TEST(RecordBatch, DamagedRecordsEndTheReaderWithAnErrorAndNeverCrash) {
  Bytes bytes = copy_of(three_records());
  for (size_t at = kBatchHeaderBytes; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = bytes;
      damaged[at] ^= static_cast<uint8_t>(1 << bit);
      auto batch = Batch::parse_trusted(SharedBytes(damaged));
      ASSERT_TRUE(batch.ok());
      RecordReader reader(*batch, kPlainBytesMax);
      EXPECT_LE(read_all(reader).records.size(), 3u);
    }
  }
}

TEST(RecordBatch, ARecordCountThatLiesIsCorrupt) {
  for (int32_t count : {2, 4}) {
    Bytes bytes = copy_of(three_records());
    BatchHeader header = *read_header(bytes);
    header.record_count = count;
    write_header(header, bytes);
    seal(bytes);
    RecordReader reader(*Batch::parse(SharedBytes(bytes)), kPlainBytesMax);
    EXPECT_FALSE(read_all(reader).status.ok());
  }
}

TEST(RecordBatch, DecompressionOverTheCapIsRefused) {
  BatchBuilder builder(codec::Compression::kZstd);
  std::string zeros(1 << 20, '\0');
  builder.add(0, std::nullopt, zeros);
  RecordReader reader(builder.finish(), 1000);
  EXPECT_EQ(reader.next(), nullptr);
  ASSERT_FALSE(reader.status().ok());
  EXPECT_EQ(reader.status().error().code, ErrorCode::kTooLarge);
}

TEST(RecordBatch, StampLeavesTheChecksumRight) {
  Bytes bytes = copy_of(three_records());
  stamp(bytes, Offset(77), LeaderEpoch(5));
  auto batch = Batch::parse(SharedBytes(bytes));
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->header().next_offset(), Offset(80));
  EXPECT_EQ(batch->header().partition_leader_epoch, LeaderEpoch(5));
  RecordReader reader(*batch, kPlainBytesMax);
  EXPECT_EQ(reader.next()->offset, Offset(77));
}

TEST(RecordBatch, HeadersThatMakeNoSenseAreRefused) {
  Bytes good = copy_of(three_records());
  auto refused = [&](auto change) {
    Bytes bytes = good;
    BatchHeader header = *read_header(bytes);
    change(header);
    write_header(header, bytes);
    return !Batch::parse_trusted(SharedBytes(bytes)).ok();
  };
  EXPECT_TRUE(refused([](BatchHeader& h) { h.magic = 1; }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.batch_length = -1; }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.batch_length = 48; }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.batch_length = std::numeric_limits<int32_t>::max(); }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.record_count = -1; }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.last_offset_delta = -1; }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.base_offset = Offset(-1); }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.base_offset = Offset(std::numeric_limits<int64_t>::max()); }));
  EXPECT_TRUE(refused([](BatchHeader& h) { h.attributes = 5; }));
}

TEST(SplitBatches, GivesWholeBatchesAndMayLeaveACutTail) {
  Bytes two = copy_of(three_records());
  size_t one = two.size();
  Bytes second = copy_of(three_records(codec::Compression::kLz4));
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(split_batches(SharedBytes(two), false)->size(), 2u);
  two.pop_back();
  auto partial = split_batches(SharedBytes(two), true);
  ASSERT_TRUE(partial.ok());
  ASSERT_EQ(partial->size(), 1u);
  EXPECT_EQ(partial->front().size(), one);
  EXPECT_EQ(split_batches(SharedBytes(two), false).error().code, ErrorCode::kOutOfRange);
}

TEST(BatchBuilder, KeepsGapsInOffsetsAndStartsAfresh) {
  BatchBuilder builder;
  builder.add_at(Offset(100), 1, "a", "1");
  builder.add_at(Offset(105), 2, "b", "2");
  Batch batch = builder.finish();
  EXPECT_EQ(batch.header().base_offset, Offset(100));
  EXPECT_EQ(batch.header().last_offset(), Offset(105));
  EXPECT_TRUE(builder.empty());
  builder.add(3, "c", "3");
  EXPECT_EQ(builder.finish().header().base_offset, Offset(0));
  RecordReader reader(batch, kPlainBytesMax);
  reader.next();
  EXPECT_EQ(reader.next()->offset, Offset(105));
}

TEST(BatchBuilder, OffsetsFitUpTo32BitsFromTheFirst) {
  constexpr int64_t kFarthest = 5 + int64_t{std::numeric_limits<int32_t>::max()};
  BatchBuilder builder;
  EXPECT_TRUE(builder.fits(Offset(3'000'000'000)));
  builder.add_at(Offset(5), 1, "a", "1");
  EXPECT_TRUE(builder.fits(Offset(kFarthest)));
  EXPECT_FALSE(builder.fits(Offset(kFarthest + 1)));
  builder.add_at(Offset(kFarthest), 2, "b", "2");
  EXPECT_EQ(builder.finish().header().last_offset(), Offset(kFarthest));
  EXPECT_TRUE(builder.fits(Offset(kFarthest + 1)));
}

TEST(BatchBuilder, RandomRecordsRoundTrip) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  BatchBuilder builder;
  for (int round = 0; round < 50; ++round) {
    std::vector<std::pair<int64_t, std::string>> wanted;
    for (size_t i = 0, n = 1 + random() % 200; i < n; ++i) {
      wanted.emplace_back(static_cast<int64_t>(random()), std::string(random() % 300, 'x'));
      builder.add(wanted.back().first, std::nullopt, wanted.back().second);
    }
    RecordReader reader(*Batch::parse(builder.finish().bytes()), kPlainBytesMax);
    for (auto& [time, value] : wanted) {
      const RecordView* record = reader.next();
      ASSERT_NE(record, nullptr) << reader.status().error().message;
      EXPECT_EQ(record->timestamp_ms, time);
      EXPECT_EQ(record->value, value);
    }
    EXPECT_EQ(reader.next(), nullptr);
    EXPECT_TRUE(reader.status().ok());
  }
}

TEST(ProducerFields, ACopyCarriesThemWithARightChecksum) {
  Batch batch = three_records();
  Batch copy = with_producer(batch, {.id = ProducerId(9), .epoch = 3, .base_sequence = 40, .transactional = true});
  auto parsed = Batch::parse(copy.bytes());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->header().producer_id, ProducerId(9));
  EXPECT_EQ(parsed->header().producer_epoch, 3);
  EXPECT_EQ(parsed->header().base_sequence, 40);
  EXPECT_TRUE(parsed->header().is_transactional());
  EXPECT_EQ(batch.header().producer_id, kNoProducerId);
}

TEST(ProducerFields, SequencesWrapAtTwoToThe31) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(sequence_after(0, 5), 5);
  EXPECT_EQ(sequence_after(kMax, 1), 0);
  EXPECT_EQ(sequence_after(kMax - 1, 3), 1);
}

TEST(RecordReader, LogAppendTimeIsThatOfTheBatch) {
  Batch made = three_records();
  BatchHeader header = made.header();
  header.attributes |= kLogAppendTimeBit;
  header.max_timestamp_ms = 4242;
  Bytes bytes(made.bytes().view().begin(), made.bytes().view().end());
  write_header(header, bytes);
  Batch batch = *Batch::parse_trusted(SharedBytes(std::move(bytes)));
  RecordReader reader(batch, kPlainBytesMax);
  while (const RecordView* record = reader.next()) EXPECT_EQ(record->timestamp_ms, 4242);
}

TEST(ControlBatch, MarkersRoundTrip) {
  for (auto type : {ControlType::kAbort, ControlType::kCommit}) {
    Batch marker = end_transaction_marker(type, ProducerId(7), 2, 11, 5000);
    auto parsed = Batch::parse(marker.bytes());
    ASSERT_TRUE(parsed.ok());
    EXPECT_TRUE(parsed->header().is_control());
    EXPECT_TRUE(parsed->header().is_transactional());
    EXPECT_EQ(parsed->header().producer_epoch, 2);
    auto read = *read_marker(parsed->header(), parsed->bytes().view());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->type, type);
    EXPECT_EQ(read->coordinator_epoch, 11);
  }
  Batch data = three_records();
  EXPECT_FALSE(*read_marker(data.header(), data.bytes().view())) << "not a control batch";
}

}  // namespace
}  // namespace headrace::record
