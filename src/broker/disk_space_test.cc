#include "broker/disk_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "broker/disk_relief.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kKiB = 1 << 10;

int64_t metric(const flow::MetricsRegistry& metrics, std::string_view name) {
  for (const auto& sample : metrics.samples()) {
    if (sample.name == name) return sample.value;
  }
  return -1;
}

class DiskSpaceTest : public ::testing::Test {
 protected:
  DiskSpaceTest() {
    set_log_level(LogLevel::kError);
    disk_.set_capacity(1000 * kKiB);
  }
  void fill(uint64_t bytes) { disk_.set_content("/filler", Bytes(bytes)); }

  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_;
};

TEST_F(DiskSpaceTest, TheDefaultReserveIsSmallOnASmallDisk) {
  DiskSpace space(disk_, "/", std::nullopt, metrics_);
  space.look();
  EXPECT_EQ(space.reserve_bytes(), static_cast<int64_t>(50 * kKiB));
  disk_.set_capacity(100'000 * kMiB);
  space.look();
  EXPECT_EQ(space.reserve_bytes(), kDiskReserveBytesDefault);
}

TEST_F(DiskSpaceTest, RefusesBeforeTheReserveIsTouchedAndTakesRecordsAgainAboveIt) {
  DiskSpace space(disk_, "/", 80 * kKiB, metrics_);
  EXPECT_TRUE(space.admit(1).ok());
  fill(1000 * kKiB - 79 * kKiB);
  space.look();
  Status refused = space.admit(1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("disk_reserve"));
  EXPECT_EQ(metric(metrics_, "headrace_disk_refusing"), 1);
  EXPECT_EQ(metric(metrics_, "headrace_disk_refused_total"), 1);
  fill(1000 * kKiB - 81 * kKiB);
  EXPECT_FALSE(space.admit(1).ok()) << "a little room must not make it flap";
  fill(1000 * kKiB - 91 * kKiB);
  EXPECT_TRUE(space.admit(1).ok()) << "an append looks by itself";
  EXPECT_EQ(metric(metrics_, "headrace_disk_refusing"), 0);
}

TEST_F(DiskSpaceTest, WhatIsAdmittedBetweenTwoLooksNeverTouchesTheReserve) {
  DiskSpace space(disk_, "/", 80 * kKiB, metrics_);
  uint64_t written = 0;
  while (space.admit(kKiB / 2).ok()) {
    written += kKiB / 2;
    ASSERT_LT(written, 1000 * kKiB);
    fill(written);
  }
  EXPECT_LE(written, 920 * kKiB);
  EXPECT_GE(written, 919 * kKiB);
}

TEST_F(DiskSpaceTest, ABatchThatDoesNotFitBeginsRefusingUntilItWould) {
  DiskSpace space(disk_, "/", 80 * kKiB, metrics_);
  fill(900 * kKiB);
  EXPECT_FALSE(space.admit(21 * kKiB).ok());
  space.look();
  EXPECT_TRUE(space.refusing());
  fill(898 * kKiB);
  space.look();
  EXPECT_FALSE(space.refusing());
  EXPECT_TRUE(space.admit(21 * kKiB).ok());
}

TEST_F(DiskSpaceTest, WithoutAReserveNothingIsRefused) {
  DiskSpace space(disk_, "/", 0, metrics_);
  fill(1000 * kKiB - 1);
  EXPECT_TRUE(space.admit(1).ok());
  EXPECT_FALSE(space.low());
}

// A broker on a small simulated disk.
class FullDisk : public ::testing::Test {
 protected:
  FullDisk() {
    set_log_level(LogLevel::kError);
    disk_.set_capacity(64 * kMiB);
    auto opened = Broker::open(options_in("/data"), metrics_, os::system_clock(), disk_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
  }
  std::shared_ptr<Partition> create(const std::string& name, std::map<std::string, std::string> configs) {
    configs["segment.bytes"] = "4194304";
    auto topic = broker_->create_topic({.name = name, .partitions = 1, .configs = configs});
    CHECK(topic.ok());
    return (*topic)->partitions[0];
  }
  /// Writes megabytes until one is refused; how many were acknowledged.
  int write_until_refused(Partition& partition, int batches_max) {
    std::string megabyte(1000000, 'x');
    for (int i = 0; i < batches_max; ++i) {
      auto answer = produce(partition, batch_of({megabyte}));
      if (answer.ok()) continue;
      EXPECT_EQ(answer.error().code, ErrorCode::kOutOfSpace);
      return i;
    }
    return batches_max;
  }

  /// The same, until preallocated room that the broker gives back is used up too.
  int fill(Partition& partition) {
    int written = 0;
    for (int more = 1; more > 0; written += more) {
      more = write_until_refused(partition, 100);
      give_back_preallocated(broker_->topics());
    }
    return written;
  }

  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_, metrics_of_relief_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(FullDisk, RefusesWhileReadingCommittingAndDeletingGoOn) {
  auto partition = create("t", {});
  auto other = create("other", {});
  int written = write_until_refused(*other, 20);
  EXPECT_EQ(written, 20);
  written = fill(*partition);
  EXPECT_GT(written, 20);
  EXPECT_LT(written, 45);
  EXPECT_EQ(metric(metrics_, "headrace_disk_refusing"), 1);
  EXPECT_EQ(partition->high_watermark(), Offset(written));
  EXPECT_EQ(values_in(*partition).size(), static_cast<size_t>(written));
  EXPECT_EQ(broker_->create_topic({.name = "new", .partitions = 1}).error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(broker_->create_partitions("t", 2).error().code, ErrorCode::kOutOfSpace);
  auto internal = broker_->topic("__consumer_offsets")->partitions[0];
  EXPECT_TRUE(produce(*internal, batch_of({"a commit"})).ok());
  EXPECT_TRUE(broker_->delete_topic("other").ok());
  EXPECT_TRUE(produce(*partition, batch_of({"room again"})).ok());
}

TEST_F(FullDisk, DeletedRecordsGiveRoom) {
  auto partition = create("t", {});
  int written = fill(*partition);
  ASSERT_TRUE(partition->log().delete_records(Offset(written / 2)).ok());
  EXPECT_TRUE(produce(*partition, batch_of({"room again"})).ok());
}

TEST_F(FullDisk, AnIdempotentProducersRetryIsTakenOnceThereIsRoom) {
  auto partition = create("t", {});
  fill(*partition);
  auto batch = record::with_producer(batch_of({"retried"}), {ProducerId(7), 0, 0, false});
  EXPECT_EQ(produce(*partition, batch).error().code, ErrorCode::kOutOfSpace);
  ASSERT_TRUE(partition->log().delete_records(kNoOffset).ok());
  auto first = produce(*partition, batch);
  ASSERT_TRUE(first.ok()) << first.error().message;
  auto second = produce(*partition, batch);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->duplicate);
  EXPECT_EQ(second->base_offset, first->base_offset);
}

TEST_F(FullDisk, DropOldestMakesRoomFromItsOwnTopicOnly) {
  auto kept = create("kept", {});
  EXPECT_EQ(write_until_refused(*kept, 20), 20);
  auto ring = create("ring", {{"on_disk_pressure", "drop_oldest"}});
  DiskSpace space(disk_, "/data", std::nullopt, metrics_of_relief_);
  int written = 0;
  std::string megabyte(1000000, 'x');
  for (int tries = 0; written < 200 && tries < 1000; ++tries) {
    if (produce(*ring, batch_of({megabyte})).ok()) {
      ++written;
    } else {  // What the broker does now and then.
      space.look();
      drop_oldest(broker_->topics(), space);
    }
  }
  EXPECT_EQ(written, 200);
  EXPECT_GT(ring->log_start(), Offset(100));
  EXPECT_EQ(ring->high_watermark(), Offset(200));
  EXPECT_EQ(kept->log_start(), Offset(0));
  int64_t dropped = metric(metrics_, "headrace_disk_dropped_bytes_total") +
                    metric(metrics_of_relief_, "headrace_disk_dropped_bytes_total");
  EXPECT_GT(dropped, static_cast<int64_t>(100 * kMiB));
}

}  // namespace
}  // namespace headrace::broker
