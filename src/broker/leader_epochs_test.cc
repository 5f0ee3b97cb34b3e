#include "broker/leader_epochs.h"

#include "broker/simulated_disk_test_support.h"

namespace headrace::broker {
namespace {

class LeaderEpochs : public SimulatedDiskTest {
 protected:
  void SetUp() override {
    SimulatedDiskTest::SetUp();
    create("t", {{"flush", "os"}, {"segment.bytes", "2000"}});
  }
  void produce_batches(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(produce(*partition(), batch_of({"one", "two"})).ok());
  }
  int64_t end_of(int32_t epoch) {
    auto found = end_of_epoch(*partition(), LeaderEpoch(epoch));
    EXPECT_TRUE(found.ok());
    return found.ok() && *found ? (*found)->end.value : -1;
  }
  int32_t epoch_before(int32_t epoch) {
    auto found = end_of_epoch(*partition(), LeaderEpoch(epoch));
    return found.ok() && *found ? (*found)->epoch.value : -1;
  }
};

TEST_F(LeaderEpochs, EveryStartBeginsOneAndTheLogTellsWhereItEnded) {
  EXPECT_EQ(partition()->leader_epoch(), LeaderEpoch(1));
  produce_batches(50);
  EXPECT_EQ(end_of(1), 100);
  open();
  EXPECT_EQ(partition()->leader_epoch(), LeaderEpoch(2));
  EXPECT_EQ(end_of(1), 100) << "nothing of a later one";
  EXPECT_EQ(end_of(2), 100);
  EXPECT_EQ(end_of(3), -1) << "to come";
  produce_batches(7);
  open();
  open();
  produce_batches(31);
  EXPECT_EQ(partition()->leader_epoch(), LeaderEpoch(4));
  EXPECT_EQ(end_of(1), 100);
  EXPECT_EQ(end_of(2), 114);
  EXPECT_EQ(end_of(3), 114) << "it had no records";
  EXPECT_EQ(epoch_before(3), 2);
  EXPECT_EQ(end_of(4), 176);
  EXPECT_EQ(end_of(0), 0);
}

TEST_F(LeaderEpochs, WhatAPowerLossTookIsToldThoughOthersStandThereNow) {
  produce_batches(20);
  ASSERT_TRUE(partition()->log().flush().ok());
  produce_batches(30);
  EXPECT_EQ(partition()->high_watermark(), Offset(100)) << "read by consumers, and not on the disk";
  lose_power();
  EXPECT_EQ(end_of(1), 40) << "who read to 100 goes back to here";
  produce_batches(40);
  EXPECT_EQ(partition()->high_watermark(), Offset(120));
  EXPECT_EQ(end_of(1), 40);
}

TEST_F(LeaderEpochs, DamageHidesNoEpochsButItsOwn) {
  produce_batches(40);
  open();
  produce_batches(40);
  open();
  ASSERT_EQ(end_of(1), 80);
  const std::string first = "/data/t-0/00000000000000000000.log";
  close();
  Bytes bytes = disk_.content(first);
  std::fill(bytes.begin() + 100, bytes.end() - 100, 0xff);
  disk_.set_content(first, bytes);
  open();
  for (int64_t offset = 0; offset < 160; ++offset) {
    (void)partition()->log().read(Offset(offset), 1, Offset(160));
  }
  ASSERT_FALSE(partition()->log().damaged_ranges().empty());
  EXPECT_EQ(end_of(1), 80);
  EXPECT_EQ(end_of(2), 160);
}

TEST_F(LeaderEpochs, CompactionTakesNoOffsetsFromOneThatWasRead) {
  ASSERT_TRUE(broker_->alter_configs("t", {{"cleanup.policy", "compact"}, {"min.cleanable.dirty.ratio", "0"}}).ok());
  produce_batches(50);
  open();
  produce_batches(50);
  broker_->apply_compaction();
  EXPECT_GE(end_of(1), 100) << "a position at the epoch's end is no loss";
  EXPECT_LE(end_of(1), 200);
}

TEST_F(LeaderEpochs, AnEpochIsNeverGivenTwice) {
  produce_batches(10);
  lose_power();
  LeaderEpoch second = partition()->leader_epoch();
  produce_batches(10);
  lose_power();
  EXPECT_GT(partition()->leader_epoch(), second);
}

/// As `docs/promises.md` says to do when it is damaged.
TEST_F(LeaderEpochs, MetadataThatIsPutBackFromACopyGivesNoEpochTwice) {
  const std::string metadata = "/data/__cluster_metadata-0";
  close();
  auto names = disk_.list(metadata);
  ASSERT_TRUE(names.ok());
  std::map<std::string, Bytes> copy;
  for (const std::string& name : *names) copy[name] = disk_.content(metadata + "/" + name);
  for (int i = 0; i < 5; ++i) {
    open();
    produce_batches(10);
  }
  LeaderEpoch latest = partition()->leader_epoch();
  close();
  names = disk_.list(metadata);
  for (const std::string& name : *names) ASSERT_TRUE(disk_.remove(metadata + "/" + name).ok());
  for (const auto& [name, bytes] : copy) disk_.set_content(metadata + "/" + name, bytes);
  for (int i = 0; i < 2; ++i) {
    open();
    EXPECT_GT(partition()->leader_epoch(), latest);
    latest = partition()->leader_epoch();
  }
}

TEST_F(LeaderEpochs, AStartOnADiskThatTakesNothingStillServes) {
  produce_batches(10);
  close();
  disk_.fail(os::DiskCall::kWrite, 1, os::DiskFault::kOutOfSpace);
  open();
  EXPECT_EQ(partition()->leader_epoch(), LeaderEpoch(2));
  EXPECT_EQ(end_of(1), 20);
}

}  // namespace
}  // namespace headrace::broker
