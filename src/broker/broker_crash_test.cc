// The whole broker on a disk that crashes at every point, fails or is full.
#include <future>
#include <thread>

#include "base/logging.h"
#include "broker/broker.h"
#include "broker/broker_test_support.h"
#include "broker/embedded_bus.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using testing::ElementsAre;

// One script, cut at every operation of the disk: what was acknowledged is there, transactions are all or nothing, and
// positions agree with the records that were written with them.
class CrashScript {
 public:
  explicit CrashScript(os::SimulatedFileSystem& disk) : disk_(disk) {}

  /// Runs until the end or the power is off.
  void run() {
    flow::MetricsRegistry metrics;
    auto opened = Broker::open(options_in("/data"), metrics, os::system_clock(), disk_);
    if (!opened.ok()) return;
    auto bus = make_embedded_bus(**opened);
    if (!bus->admin().create_topic({.name = "in", .partitions = 1}).ok()) return;
    topic_created = true;
    if (!bus->admin().create_topic({.name = "out", .partitions = 2}).ok()) return;
    out_created = true;
    auto partition = (*opened)->partition({"in", PartitionId(0)});
    for (int i = 0; i < 3; ++i) {
      if (!produce(*partition, batch_of({"r" + std::to_string(i)})).ok()) return;
      ++acknowledged;
    }
    auto producer = bus->transactional_producer("copier");
    if (!producer.ok()) return;
    for (int i = 0; i < 3; ++i) {
      bus::TransactionalProducer& tx = **producer;
      bool written = tx.begin().ok() && tx.produce({"out", PartitionId(0)}, batch_of({"a" + std::to_string(i)})).ok() &&
                     tx.produce({"out", PartitionId(1)}, batch_of({"b" + std::to_string(i)})).ok() &&
                     tx.commit_positions("g", {{{"in", PartitionId(0)}, Offset(i + 1)}}).ok();
      if (!written) return;
      ++begun;
      if (!tx.commit().ok()) return;
      ++committed;
    }
    finished = true;
  }

  void check_after_restart() {
    flow::MetricsRegistry metrics;
    auto opened = Broker::open(options_in("/data"), metrics, os::system_clock(), disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    auto in = (*opened)->partition({"in", PartitionId(0)});
    ASSERT_TRUE(in || !topic_created);
    if (in) {
      EXPECT_THAT(values_in(*in).size(), testing::AllOf(testing::Ge(acknowledged), testing::Le(acknowledged + 1)));
    }
    auto a = (*opened)->partition({"out", PartitionId(0)}), b = (*opened)->partition({"out", PartitionId(1)});
    ASSERT_TRUE((a && b) || !out_created);
    if (!a || !b) return;
    // What was open is ended by the next producer of the id.
    auto bus = make_embedded_bus(**opened);
    auto producer = bus->transactional_producer("copier");
    ASSERT_TRUE(producer.ok()) << producer.error().message;
    auto as = values_in(*a), bs = values_in(*b);
    EXPECT_EQ(as.size(), bs.size());
    EXPECT_GE(as.size(), committed);
    EXPECT_LE(as.size(), begun);
    for (size_t i = 0; i < as.size(); ++i) EXPECT_EQ(as[i], "a" + std::to_string(i));
    EXPECT_EQ(a->last_stable(), a->high_watermark());
    EXPECT_EQ(b->last_stable(), b->high_watermark());
    int64_t position = (*opened)->groups().fetch("g", {{{"in", PartitionId(0)}}}, true)[0].offset.offset.value;
    EXPECT_EQ(position, as.empty() ? -1 : static_cast<int64_t>(as.size()));
    // And it goes on.
    EXPECT_TRUE((*producer)->begin().ok());
    EXPECT_TRUE((*producer)->produce({"out", PartitionId(0)}, batch_of({"after"})).ok());
    Status ended = (*producer)->commit();
    EXPECT_TRUE(ended.ok()) << ended.error().message;
    EXPECT_EQ(values_in(*a).back(), "after");
  }

  size_t acknowledged = 0, begun = 0, committed = 0;
  bool topic_created = false, out_created = false, finished = false;

 private:
  os::SimulatedFileSystem& disk_;
};

TEST(BrokerCrash, AtEveryPointOfTheDiskNothingAcknowledgedIsLostAndTransactionsAreWhole) {
  set_log_level(LogLevel::kError);
  for (os::CrashMode mode : {os::CrashMode::kDrop, os::CrashMode::kKeep, os::CrashMode::kRandom}) {
    bool finished = false;
    // Dropping what was not synced is what finds most; the others take every third point.
    uint64_t step = mode == os::CrashMode::kDrop ? 1 : 3;
    for (uint64_t point = 1; !finished && !testing::Test::HasFailure(); point += step) {
      SCOPED_TRACE("crash mode " + std::to_string(static_cast<int>(mode)) + " after " + std::to_string(point) +
                   " operations");
      os::SimulatedFileSystem disk;
      CrashScript script(disk);
      disk.crash_after(point);
      script.run();
      finished = script.finished && !disk.crashed();
      disk.crash();
      disk.restart(mode, /*seed=*/point);
      script.check_after_restart();
    }
  }
}

// Its records may be lost with a power failure, but then all that the transaction wrote there: what is told to have
// ended has its markers on the disk.
TEST(BrokerCrash, ATransactionThatEndedIsWholeWhereATopicIsNotFlushedBeforeItAnswers) {
  set_log_level(LogLevel::kError);
  os::SimulatedFileSystem disk;
  {
    flow::MetricsRegistry metrics;
    auto broker = *Broker::open(options_in("/data"), metrics, os::system_clock(), disk);
    auto bus = make_embedded_bus(*broker);
    ASSERT_TRUE(bus->admin().create_topic({.name = "strict", .partitions = 1}).ok());
    ASSERT_TRUE(bus->admin().create_topic({.name = "lazy", .partitions = 1, .configs = {{"flush", "os"}}}).ok());
    auto producer = *bus->transactional_producer("copier");
    ASSERT_TRUE(producer->begin().ok());
    ASSERT_TRUE(producer->produce({"strict", PartitionId(0)}, batch_of({"a"})).ok());
    ASSERT_TRUE(producer->produce({"lazy", PartitionId(0)}, batch_of({"b"})).ok());
    ASSERT_TRUE(producer->commit().ok());
    disk.crash();
  }
  disk.restart(os::CrashMode::kDrop, 1);
  flow::MetricsRegistry metrics;
  auto broker = *Broker::open(options_in("/data"), metrics, os::system_clock(), disk);
  EXPECT_THAT(values_in(*broker->partition({"strict", PartitionId(0)})), ElementsAre("a"));
  EXPECT_THAT(values_in(*broker->partition({"lazy", PartitionId(0)})), ElementsAre("b"));
}

TEST(BrokerFaults, AFailedFsyncFailsWhoWaitedAndOnlyThatPartition) {
  set_log_level(LogLevel::kError);
  os::SimulatedFileSystem disk;
  flow::MetricsRegistry metrics;
  auto broker = *Broker::open(options_in("/data"), metrics, os::system_clock(), disk);
  auto topic = *broker->create_topic({.name = "t", .partitions = 2});
  ASSERT_TRUE(produce(*topic->partitions[0], batch_of({"kept"})).ok());
  disk.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  EXPECT_EQ(produce(*topic->partitions[0], batch_of({"lost"})).error().code, ErrorCode::kIo);
  EXPECT_EQ(produce(*topic->partitions[0], batch_of({"never"})).error().code, ErrorCode::kIo);
  EXPECT_EQ(topic->partitions[0]->high_watermark(), Offset(1));
  EXPECT_THAT(values_in(*topic->partitions[0]), ElementsAre("kept"));
  EXPECT_TRUE(produce(*topic->partitions[1], batch_of({"fine"})).ok());
}

class BrokerWithoutDescriptors : public ::testing::Test {
 protected:
  BrokerWithoutDescriptors() {
    set_log_level(LogLevel::kError);
    BrokerOptions options = options_in("/data");
    options.offsets_partitions = options.transaction_partitions = 1;
    broker_ = *Broker::open(options, metrics_, os::system_clock(), disk_);
  }
  bool all_in_service() const {
    for (const auto& topic : broker_->topics()) {
      for (const auto& partition : topic->partitions) {
        if (partition->log().out_of_service()) return false;
      }
    }
    return true;
  }
  /// Waits until somebody has tried to open something, and been refused.
  void wait_for_a_refusal() {
    for (uint64_t before = disk_.calls(os::DiskCall::kOpen); disk_.calls(os::DiskCall::kOpen) == before;)
      std::this_thread::yield();
  }

  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(BrokerWithoutDescriptors, ProducersWaitUntilThereAreSome) {
  auto partition = (*broker_->create_topic({.name = "t", .partitions = 1}))->partitions[0];
  disk_.set_descriptors_left(false);
  std::promise<Result<Produced>> promise;
  auto answer = promise.get_future();
  record::Batch batch = batch_of({"a"});
  partition->produce({&batch, 1}, [&](Result<Produced> produced) { promise.set_value(std::move(produced)); });
  wait_for_a_refusal();
  wait_for_a_refusal();
  EXPECT_EQ(partition->high_watermark(), Offset(0));
  disk_.set_descriptors_left(true);
  EXPECT_TRUE(answer.get().ok());
  EXPECT_THAT(values_in(*partition), ElementsAre("a"));
  EXPECT_TRUE(all_in_service());
}

TEST_F(BrokerWithoutDescriptors, CommittedOffsetsWaitUntilThereAreSome) {
  auto bus = make_embedded_bus(*broker_);
  ASSERT_TRUE(bus->admin().create_topic({.name = "t", .partitions = 1, .configs = {}}).ok());
  disk_.set_descriptors_left(false);
  auto committed = std::async(std::launch::async, [&] {
    return bus->admin().commit("g", {{{"t", PartitionId(0)}, Offset(0)}});
  });
  wait_for_a_refusal();
  wait_for_a_refusal();
  disk_.set_descriptors_left(true);
  EXPECT_TRUE(committed.get().ok());
  EXPECT_TRUE(all_in_service());
}

TEST_F(BrokerWithoutDescriptors, WhatReadersSawStaysUntilAStricterFlushPolicyIsTakenUp) {
  auto partition =
      (*broker_->create_topic({.name = "t", .partitions = 1, .configs = {{"flush", "os"}}}))->partitions[0];
  ASSERT_TRUE(produce(*partition, batch_of({"a"})).ok());
  disk_.set_descriptors_left(false);
  ASSERT_TRUE(broker_->alter_configs("t", {{"flush", "commit"}}).ok());
  wait_for_a_refusal();
  EXPECT_EQ(partition->high_watermark(), Offset(1));
  EXPECT_EQ(partition->log().durable_end(), Offset(0));
  disk_.set_descriptors_left(true);
  while (partition->log().durable_end() < Offset(1)) std::this_thread::yield();
  EXPECT_TRUE(produce(*partition, batch_of({"b"})).ok());
  EXPECT_EQ(partition->log().durable_end(), Offset(2));
  EXPECT_TRUE(all_in_service());
}

TEST_F(BrokerWithoutDescriptors, ItStopsAllTheSame) {
  auto partition = (*broker_->create_topic({.name = "t", .partitions = 1}))->partitions[0];
  disk_.set_descriptors_left(false);
  std::promise<Result<Produced>> promise;
  record::Batch batch = batch_of({"a"});
  partition->produce({&batch, 1}, [&](Result<Produced> produced) { promise.set_value(std::move(produced)); });
  wait_for_a_refusal();
  broker_.reset();
  EXPECT_EQ(promise.get_future().get().error().code, ErrorCode::kClosed);
}

TEST(BrokerFaults, AFullDiskRefusesAndRecovers) {
  set_log_level(LogLevel::kError);
  os::SimulatedFileSystem disk;
  flow::MetricsRegistry metrics;
  auto broker = *Broker::open(options_in("/data"), metrics, os::system_clock(), disk);
  auto partition = (*broker->create_topic({.name = "t", .partitions = 1}))->partitions[0];
  disk.set_capacity(0);
  std::string megabyte(1000000, 'x');
  Result<Produced> answer = headrace::Error{ErrorCode::kIo, "not tried"};
  for (int i = 0; i < 100; ++i) {
    answer = produce(*partition, batch_of({megabyte}));
    if (!answer.ok()) break;
  }
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kOutOfSpace) << answer.error().message;
  EXPECT_TRUE(partition->read(Offset(0), 100, bus::Isolation::kReadUncommitted).ok());
  disk.set_capacity(uint64_t{1} << 40);
  EXPECT_TRUE(produce(*partition, batch_of({megabyte})).ok());
}

}  // namespace
}  // namespace headrace::broker
