// Compaction as the broker runs it, and the topic options that act when records are appended.
#include "broker/compactor.h"

#include <functional>

#include "broker/broker_test_support.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

record::Batch keyed(std::vector<std::pair<std::string, std::string>> records,
                    codec::Compression codec = codec::Compression::kNone, int64_t timestamp_ms = 1700000000000) {
  record::BatchBuilder builder(codec);
  for (const auto& [key, value] : records) builder.add(timestamp_ms, key, value);
  return builder.finish();
}

class CompactorTest : public ::testing::Test {
 protected:
  CompactorTest() {
    BrokerOptions options = options_in(directory_.path());
    options.compaction = {.interval = std::chrono::hours(1), .bytes_per_second_max = 0};
    auto opened = Broker::open(options, metrics_, clock_);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  std::shared_ptr<Partition> create(std::map<std::string, std::string> configs) {
    auto topic = broker_->create_topic({.name = "t", .partitions = 1, .configs = std::move(configs)});
    EXPECT_TRUE(topic.ok()) << topic.error().message;
    return (*topic)->partition(PartitionId(0));
  }
  int64_t metric(std::string_view name) {
    for (const auto& sample : metrics_.samples()) {
      if (sample.name == name) return sample.value;
    }
    return -1;
  }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  os::ManualClock clock_{1700000000000};
  std::unique_ptr<Broker> broker_;
};

TEST_F(CompactorTest, CompactsTopicsThatAreDirtyEnough) {
  auto partition = create({{"cleanup.policy", "compact"}, {"segment.bytes", "1024"}});
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(produce(*partition, keyed({{"a", "v" + std::to_string(i) + std::string(200, '.')}})).ok());
  }
  EXPECT_EQ(broker_->apply_compaction(), 1);
  EXPECT_LT(values_in(*partition).size(), 8u);
  EXPECT_GT(metric("headrace_compaction_reclaimed_bytes_total"), 4000);
  EXPECT_EQ(metric("headrace_compactions_total"), 1);
  EXPECT_EQ(metric("headrace_compaction_uncleanable_partitions"), 0);
  EXPECT_EQ(broker_->apply_compaction(), 0);
}

TEST_F(CompactorTest, LeavesOtherTopicsAndCleanOnesAlone) {
  auto partition = create({{"segment.bytes", "1024"}});
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(produce(*partition, keyed({{"a", std::string(200, '.')}})).ok());
  EXPECT_EQ(broker_->apply_compaction(), 0);
  EXPECT_EQ(values_in(*partition).size(), 30u);
}

TEST_F(CompactorTest, TheTopicsCodecReplacesTheProducers) {
  auto partition = create({{"compression.type", "zstd"}});
  ASSERT_TRUE(produce(*partition, keyed({{"a", "1"}}, codec::Compression::kGzip)).ok());
  ASSERT_TRUE(produce(*partition, keyed({{"a", "2"}})).ok());
  ASSERT_TRUE(broker_->alter_configs("t", {{"compression.type", "uncompressed"}}).ok());
  ASSERT_TRUE(produce(*partition, keyed({{"a", "3"}}, codec::Compression::kLz4)).ok());
  auto data = partition->read(Offset(0), 1 << 20, bus::Isolation::kReadUncommitted);
  auto batches = record::split_batches(data->batches, false);
  ASSERT_EQ(batches->size(), 3u);
  EXPECT_EQ((*batches)[0].header().compression(), codec::Compression::kZstd);
  EXPECT_EQ((*batches)[1].header().compression(), codec::Compression::kZstd);
  EXPECT_EQ((*batches)[2].header().compression(), codec::Compression::kNone);
  EXPECT_EQ(values_in(*partition), (std::vector<std::string>{"1", "2", "3"}));
}

/// The batch with a header that says something else of it.
record::Batch with_header(const record::Batch& batch, const std::function<void(record::BatchHeader&)>& change) {
  Bytes bytes(batch.bytes().view().begin(), batch.bytes().view().end());
  record::BatchHeader header = batch.header();
  change(header);
  record::write_header(header, bytes);
  header.crc = record::compute_crc(bytes);
  record::write_header(header, bytes);
  return *record::Batch::parse(SharedBytes(std::move(bytes)));
}

TEST_F(CompactorTest, ABatchThatIsCompressedAnewHoldsWhatItSays) {
  auto partition = create({{"compression.type", "uncompressed"}});
  auto lies = with_header(keyed({{"a", "1"}}, codec::Compression::kGzip), [](record::BatchHeader& header) {
    header.record_count = 5;
    header.last_offset_delta = 4;
  });
  EXPECT_FALSE(produce(*partition, lies).ok());
  EXPECT_EQ(partition->high_watermark(), Offset(0));
}

TEST_F(CompactorTest, TheTimeOfAnAppendIsTheBrokersToSay) {
  auto partition = create({});
  auto stamped = with_header(keyed({{"a", "1"}}), [](record::BatchHeader& header) {
    header.attributes = static_cast<int16_t>(header.attributes | record::kLogAppendTimeBit);
  });
  EXPECT_EQ(produce(*partition, stamped).error().code, ErrorCode::kOutOfRange);
}

TEST_F(CompactorTest, EveryRecordsTimeMustLieWithinTheBounds) {
  auto partition = create({{"message.timestamp.before.max.ms", "1000"}, {"message.timestamp.after.max.ms", "1000"}});
  int64_t now_ms = clock_.wall_ms();
  for (auto codec : {codec::Compression::kNone, codec::Compression::kZstd}) {
    record::BatchBuilder builder(codec);
    builder.add(now_ms, "a", "1");
    builder.add(now_ms - 1001, "a", "2");
    EXPECT_EQ(produce(*partition, builder.finish()).error().code, ErrorCode::kOutOfRange);
    EXPECT_EQ(produce(*partition, keyed({{"a", "3"}}, codec, now_ms + 1001)).error().code, ErrorCode::kOutOfRange);
    EXPECT_TRUE(produce(*partition, keyed({{"a", "4"}}, codec, now_ms - 1000)).ok());
  }
}

TEST_F(CompactorTest, FlushMessagesBoundsWhatIsNotOnTheDisk) {
  auto partition = create({{"flush", "os"}, {"flush.messages", "3"}});
  ASSERT_TRUE(produce(*partition, keyed({{"a", "1"}, {"a", "2"}})).ok());
  EXPECT_EQ(partition->log().durable_end(), Offset(0));
  ASSERT_TRUE(produce(*partition, keyed({{"a", "3"}})).ok());
  while (partition->log().durable_end() < Offset(3)) std::this_thread::yield();
}

TEST_F(CompactorTest, ClientsSetNoDeleteHorizon) {
  auto partition = create({});
  record::Batch batch = keyed({{"a", "1"}});
  auto copy = std::make_shared<Bytes>(batch.bytes().view().begin(), batch.bytes().view().end());
  record::BatchHeader header = batch.header();
  header.attributes = record::kDeleteHorizonBit;
  record::write_header(header, *copy);
  record::seal(*copy);
  auto forged = record::Batch::parse(SharedBytes(copy, *copy));
  ASSERT_TRUE(forged.ok());
  EXPECT_EQ(produce(*partition, *forged).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace headrace::broker
