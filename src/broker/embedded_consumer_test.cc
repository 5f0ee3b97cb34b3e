// The bus's consumer where a partition can't be read as it was.
#include "broker/embedded_bus.h"

#include "broker/simulated_disk_test_support.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class EmbeddedConsumerTest : public SimulatedDiskTest {
 protected:
  void open() override {
    SimulatedDiskTest::open();
    bus_ = make_embedded_bus(*broker_);
    consumer_ = *bus_->consumer({});
  }
  void close() override {
    consumer_.reset();
    bus_.reset();
    SimulatedDiskTest::close();
  }
  void send(const std::string& topic, const std::vector<std::string>& values) {
    ASSERT_TRUE(produce(*partition(topic), batch_of(values)).ok());
  }
  static bus::Position at(const std::string& topic, int64_t offset) {
    return {{topic, PartitionId(0)}, Offset(offset)};
  }
  static std::vector<int64_t> offsets_of(const bus::PollResult& result) {
    std::vector<int64_t> offsets;
    for (const auto& fetched : result.batches) offsets.push_back(fetched.batch.header().base_offset.value);
    return offsets;
  }

  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<bus::Consumer> consumer_;
};

TEST_F(EmbeddedConsumerTest, ADeletedPartitionIsToldThoughOthersHaveRecords) {
  create("a");
  create("b");
  send("a", {"1", "2"});
  ASSERT_TRUE(consumer_->assign({at("a", 0), at("b", 0)}).ok());
  EXPECT_THAT(consumer_->deleted(), IsEmpty());
  ASSERT_TRUE(broker_->delete_topic("b").ok());
  create("b");
  EXPECT_THAT(consumer_->deleted(), ElementsAre(TopicPartition{"b", PartitionId(0)}));
  auto polled = consumer_->poll(1s);
  ASSERT_FALSE(polled.ok());
  EXPECT_EQ(polled.error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(consumer_->assign({at("a", 0), at("b", 0)}).ok());
  EXPECT_THAT(offsets_of(*consumer_->poll(1s)), ElementsAre(0));
}

TEST_F(EmbeddedConsumerTest, WhatWasReadCountsThoughAnotherPartitionFails) {
  create("a");
  create("b");
  send("a", {"1", "2"});
  send("b", {"3"});
  open();
  ASSERT_TRUE(consumer_->assign({at("a", 0)}).ok());
  ASSERT_TRUE(consumer_->poll(1s).ok()) << "the file is open";
  ASSERT_TRUE(consumer_->assign({at("b", 0), at("a", 0)}).ok());
  disk_.set_descriptors_left(false);
  auto polled = consumer_->poll(1s);
  ASSERT_TRUE(polled.ok()) << polled.error().message;
  EXPECT_THAT(polled->positions, ElementsAre(at("a", 2)));
  polled = consumer_->poll(1s);
  ASSERT_FALSE(polled.ok());
  EXPECT_EQ(polled.error().code, ErrorCode::kUnavailable);
  disk_.set_descriptors_left(true);
  EXPECT_THAT(consumer_->poll(1s)->positions, ElementsAre(at("b", 1)));
}

TEST_F(EmbeddedConsumerTest, AfterAPowerLossReadingGoesOnWhereTheLossBegan) {
  create("t", {{"flush", "os"}});
  send("t", {"1", "2", "3"});
  ASSERT_TRUE(partition()->log().flush().ok());
  send("t", {"lost", "lost"});
  lose_power();
  send("t", {"new"});
  ASSERT_TRUE(consumer_->assign({at("t", 5)}).ok());
  auto set_back = consumer_->poll(1s);
  ASSERT_TRUE(set_back.ok()) << set_back.error().message;
  ASSERT_EQ(set_back->set_back.size(), 1u);
  EXPECT_EQ(set_back->set_back[0].next, Offset(3));
  EXPECT_THAT(set_back->skipped, IsEmpty());
  EXPECT_THAT(offsets_of(*consumer_->poll(1s)), ElementsAre(3));
}

TEST_F(EmbeddedConsumerTest, APositionThatAPowerLossOvertookIsWhereTheLossBegan) {
  create("t", {{"flush", "os"}});
  auto position = [&] { return bus_->admin().committed("g", {{"t", PartitionId(0)}}); };
  send("t", {"1", "2", "3"});
  ASSERT_TRUE(partition()->log().flush().ok());
  send("t", {"lost", "lost"});
  ASSERT_TRUE(bus_->admin().commit("g", {at("t", 5)}).ok());
  EXPECT_THAT(*position(), ElementsAre(at("t", 5)));
  lose_power();
  EXPECT_THAT(*position(), ElementsAre(at("t", 3)));
  send("t", {"new", "new", "new"});
  EXPECT_THAT(*position(), ElementsAre(at("t", 3))) << "though offset 5 is there again";
  open();
  EXPECT_THAT(*position(), ElementsAre(at("t", 3))) << "though the start before began behind it";
  ASSERT_TRUE(bus_->admin().commit("g", {at("t", 6)}).ok());
  open();
  EXPECT_THAT(*position(), ElementsAre(at("t", 6)));
}

}  // namespace
}  // namespace headrace::broker
