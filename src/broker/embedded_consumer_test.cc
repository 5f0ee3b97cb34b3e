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

TEST_F(EmbeddedConsumerTest, WhatWasReadCountsThoughAnotherPartitionFails) {
  create("a");
  create("b");
  send("a", {"1", "2"});
  ASSERT_TRUE(consumer_->assign({at("a", 0), at("b", 0)}).ok());
  ASSERT_TRUE(broker_->delete_topic("b").ok());
  for (int64_t from = 0; from < 6; from += 2) {
    auto polled = consumer_->poll(1s);
    ASSERT_TRUE(polled.ok()) << polled.error().message;
    EXPECT_THAT(offsets_of(*polled), ElementsAre(from));
    auto failed = consumer_->poll(0s);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
    send("a", {"more", "more"});
  }
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

}  // namespace
}  // namespace headrace::broker
