#include "broker/embedded_bus.h"

#include <thread>

#include "broker/broker_test_support.h"
#include "bus/bus_contract_test.h"

namespace headrace::broker {
namespace {

class EmbeddedBusUnderTest final : public bus::BusUnderTest {
 public:
  EmbeddedBusUnderTest()
      : broker_(*Broker::open(options_in(directory_.path()), metrics_)), bus_(make_embedded_bus(*broker_)) {}
  bus::Bus& bus() override { return *bus_; }

 private:
  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<bus::Bus> bus_;
};

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

/// A transactional producer of the bus, and ways to take its transaction away.
class LostTransaction : public testing::Test {
 protected:
  LostTransaction() {
    BrokerOptions options = options_in(directory_.path());
    options.transactional_id_cleanup_interval = 5ms;
    broker_ = *Broker::open(options, metrics_, clock_);
    bus_ = make_embedded_bus(*broker_);
    CHECK(bus_->admin().create_topic({.name = "t", .partitions = 2}).ok());
    producer_ = open();
  }
  std::unique_ptr<bus::TransactionalProducer> open() { return *bus_->transactional_producer("tx"); }
  Status produce(const std::string& value, int32_t partition = 0) {
    return producer_->produce({"t", PartitionId(partition)}, batch_of({value}));
  }
  std::optional<TransactionState> state(const std::string& id = "tx") {
    auto found = broker_->transactions().describe(id);
    return found ? std::optional(found->state) : std::nullopt;
  }
  /// The process stands still for more than the transaction's timeout; a shorter one has the timers look at the clock.
  void time_out() {
    auto other =
        answer_of<IdentityAnswer>([&](auto done) { broker_->transactions().init("short", 200ms, std::nullopt, done); });
    answer_of<CoordinatorError>([&](auto done) {
      broker_->transactions().add_partitions("short", other.producer, {{"t", PartitionId(0)}}, Joined::kWritten, done);
    });
    clock_.advance(61s);
    while (state() != TransactionState::kCompleteAbort) std::this_thread::yield();
  }
  /// Commits by itself, as a transaction that was lost is done again.
  void expect_done_again(const std::string& value) {
    EXPECT_TRUE(producer_->abort().ok());
    ASSERT_TRUE(producer_->begin().ok());
    EXPECT_TRUE(produce(value).ok());
    EXPECT_TRUE(producer_->commit_positions("g", {{{"t", PartitionId(1)}, Offset(1)}}).ok());
    Status committed = producer_->commit();
    EXPECT_TRUE(committed.ok()) << committed.error().message;
    EXPECT_THAT(values(), ElementsAre(value));
  }
  std::vector<std::string> values(int32_t partition = 0) {
    return values_in(*broker_->partition({"t", PartitionId(partition)}));
  }

  TempDirectory directory_;
  JumpingClock clock_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<bus::TransactionalProducer> producer_;
};

TEST_F(LostTransaction, AProducerWhoseIdExpiredGoesOnUnderANewIdentity) {
  clock_.jump(24h * 8);
  while (state()) std::this_thread::yield();
  ASSERT_TRUE(producer_->begin().ok());
  EXPECT_EQ(produce("a").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(produce("b").error().code, ErrorCode::kUnavailable) << "nothing joins it before it is aborted";
  EXPECT_EQ(producer_->commit().error().code, ErrorCode::kUnavailable);
  expect_done_again("c");
}

TEST_F(LostTransaction, AfterATimeoutProducingIsDoneAgain) {
  ASSERT_TRUE(producer_->begin().ok());
  ASSERT_TRUE(produce("lost").ok());
  time_out();
  EXPECT_EQ(produce("b").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(producer_->commit().error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(values(), IsEmpty());
  expect_done_again("c");
}

TEST_F(LostTransaction, AfterATimeoutAPartitionThatIsNewInItIsDoneAgainToo) {
  ASSERT_TRUE(producer_->begin().ok());
  ASSERT_TRUE(produce("lost").ok());
  time_out();
  EXPECT_EQ(produce("b", 1).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(producer_->commit_positions("g", {{{"t", PartitionId(1)}, Offset(1)}}).error().code,
            ErrorCode::kUnavailable);
  expect_done_again("c");
  EXPECT_THAT(values(1), IsEmpty());
}

TEST_F(LostTransaction, AfterATimeoutPositionsAreDoneAgain) {
  ASSERT_TRUE(producer_->begin().ok());
  ASSERT_TRUE(producer_->commit_positions("g", {{{"t", PartitionId(1)}, Offset(7)}}).ok());
  time_out();
  Status more = producer_->commit_positions("g", {{{"t", PartitionId(1)}, Offset(8)}});
  if (more.ok()) more = producer_->commit();
  EXPECT_EQ(more.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(*bus_->admin().committed("g", {{"t", PartitionId(1)}}), IsEmpty());
  expect_done_again("c");
}

TEST_F(LostTransaction, AfterATimeoutTheCommitIsDoneAgain) {
  ASSERT_TRUE(producer_->begin().ok());
  ASSERT_TRUE(produce("lost").ok());
  time_out();
  EXPECT_EQ(producer_->commit().error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(values(), IsEmpty());
  expect_done_again("c");
}

TEST_F(LostTransaction, WhoWasReplacedMeanwhileIsFenced) {
  ASSERT_TRUE(producer_->begin().ok());
  ASSERT_TRUE(produce("lost").ok());
  time_out();
  auto newer = open();
  EXPECT_EQ(produce("b").error().code, ErrorCode::kFenced);
  EXPECT_EQ(producer_->commit().error().code, ErrorCode::kFenced);
  EXPECT_EQ(producer_->abort().error().code, ErrorCode::kFenced);
  producer_ = std::move(newer);
  ASSERT_TRUE(producer_->begin().ok());
  expect_done_again("c");
}

}  // namespace
}  // namespace headrace::broker

namespace headrace::bus {
INSTANTIATE_TEST_SUITE_P(Embedded, BusContract,
                         testing::Values(BusFactory{"embedded",
                                                    [] { return std::make_unique<broker::EmbeddedBusUnderTest>(); }}),
                         bus_name);
}  // namespace headrace::bus
