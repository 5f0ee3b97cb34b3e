// A running broker whose wall clock jumps an hour back and forth, a day ahead, ten years back, or stands still:
// sessions and timeouts don't notice, and everything that is answered stays.
#include <atomic>
#include <thread>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/random.h"
#include "os/simulated_file_system.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

constexpr milliseconds kDay = 24h, kTenYears = 3650 * kDay;

/// A JumpingClock whose wall clock can be made to stand still.
class StoppableClock final : public os::Clock {
 public:
  int64_t wall_ms() override { return stopped_at_ms_ < 0 ? clock_.wall_ms() : stopped_at_ms_.load(); }
  std::chrono::nanoseconds monotonic() override { return clock_.monotonic(); }
  void jump(milliseconds by) { clock_.jump(by); }
  void stop_wall() { stopped_at_ms_ = clock_.wall_ms(); }

 private:
  JumpingClock clock_;
  std::atomic<int64_t> stopped_at_ms_{-1};
};

class BrokerClockJump : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kError);
    open();
    create("t", {});
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
  void open() {
    broker_.reset();
    auto opened = Broker::open(options_in("/data"), metrics_, clock_, disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  void create(const std::string& name, std::map<std::string, std::string> configs) {
    ASSERT_TRUE(broker_->create_topic({.name = name, .partitions = 1, .configs = std::move(configs)}).ok());
  }
  std::shared_ptr<Partition> partition(const std::string& topic) { return broker_->partition({topic, PartitionId(0)}); }
  Result<Produced> send(const std::string& topic, const std::string& value, int64_t time_ms) {
    return produce(*partition(topic), batch_of({value}, time_ms));
  }

  ProducerIdentity init(const std::string& id, milliseconds timeout) {
    return answer_of<IdentityAnswer>([&](auto done) { broker_->transactions().init(id, timeout, std::nullopt, done); })
        .producer;
  }
  Error begin(const std::string& id, ProducerIdentity producer) {
    return answer_of<Error>([&](auto done) {
      broker_->transactions().add_partitions(id, producer, {{"t", PartitionId(0)}}, Joined::kOnDisk, done);
    });
  }
  Error commit(const std::string& id, ProducerIdentity producer) {
    return answer_of<IdentityAnswer>([&](auto done) {
             broker_->transactions().end(id, producer, /*commit=*/true, /*bump_epoch=*/false, done);
           })
        .error;
  }
  /// Returns when the broker's timers have run what was due by now.
  void let_timers_run() {
    std::string id = "short-" + std::to_string(short_ones_++);
    ASSERT_EQ(begin(id, init(id, 20ms)), Error::kNone);
    while (broker_->transactions().describe(id)->state != TransactionState::kCompleteAbort) std::this_thread::yield();
  }
  ConsumerHeartbeatAnswer beat(int32_t epoch) {
    ConsumerHeartbeatRequest request{.group_id = "g", .member_id = "m", .member_epoch = epoch};
    if (epoch == kJoinEpoch) {
      request.rebalance_timeout = 60s;
      request.topics = std::vector<std::string>{"t"};
      request.owned = PartitionSet();
    }
    return answer_of<ConsumerHeartbeatAnswer>(
        [&](auto done) { broker_->groups().consumer_heartbeat(std::move(request), done); });
  }

  StoppableClock clock_;
  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  int short_ones_ = 0;
};

TEST_F(BrokerClockJump, TransactionsAndSessionsLastAsLongAsTheyWould) {
  auto producer = init("tx", 60s);
  ASSERT_EQ(begin("tx", producer), Error::kNone);
  int32_t epoch = beat(kJoinEpoch).member_epoch;
  for (milliseconds by : {milliseconds(1h), milliseconds(-2h), kDay, -kTenYears, kTenYears}) {
    clock_.jump(by);
    let_timers_run();
    EXPECT_EQ(broker_->transactions().describe("tx")->state, TransactionState::kOngoing);
    auto answer = beat(epoch);
    EXPECT_EQ(answer.error, Error::kNone);
    epoch = answer.member_epoch;
  }
  EXPECT_EQ(commit("tx", producer), Error::kNone);
}

TEST_F(BrokerClockJump, TransactionsThatARestartFindsOpenBeginTheirTimeAnew) {
  auto producer = init("tx", 60s);
  ASSERT_EQ(begin("tx", producer), Error::kNone);
  clock_.jump(1h);
  open();
  let_timers_run();
  EXPECT_EQ(broker_->transactions().describe("tx")->state, TransactionState::kOngoing);
  for (milliseconds by : {milliseconds(-2h), kDay, -kTenYears}) {
    clock_.jump(by);
    open();
    let_timers_run();
    EXPECT_EQ(broker_->transactions().describe("tx")->state, TransactionState::kOngoing);
  }
  EXPECT_EQ(commit("tx", producer), Error::kNone);
}

TEST_F(BrokerClockJump, NoBatchIsStoredTwiceThatIsSentAgainAfterAJumpOfYears) {
  create("kept", {{"retention.ms", "-1"}});
  auto batch = record::with_producer(batch_of({"once"}, clock_.wall_ms()), {ProducerId(7), 0, 0});
  ASSERT_TRUE(produce(*partition("kept"), batch).ok());
  clock_.jump(24h * 3650);
  broker_->apply_retention();
  auto again = produce(*partition("kept"), batch);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(values_in(*partition("kept")), std::vector<std::string>{"once"});
}

/// message.timestamp.after.max.ms is an hour (KIP-937, KIP-1030): what a broker that is behind takes, as Kafka does.
TEST_F(BrokerClockJump, RecordsOfARightClockAreTakenByABrokerThatIsAnHourBehind) {
  int64_t now_ms = clock_.wall_ms();
  clock_.jump(-1h);
  EXPECT_TRUE(send("t", "an hour ahead", now_ms).ok());
  clock_.jump(-10s);
  EXPECT_EQ(send("t", "more than that", now_ms).error().code, ErrorCode::kOutOfRange);
  clock_.jump(2h);
  EXPECT_TRUE(send("t", "of the past", now_ms).ok());
}

TEST_F(BrokerClockJump, WhileItStandsStillTransactionsTimeOutAllTheSame) {
  clock_.stop_wall();
  auto producer = init("tx", 60s);
  ASSERT_EQ(begin("tx", producer), Error::kNone);
  int32_t epoch = beat(kJoinEpoch).member_epoch;
  for (int i = 0; i < 3; ++i) {
    let_timers_run();
    ASSERT_TRUE(send("t", "same time", clock_.wall_ms()).ok());
    auto answer = beat(epoch);
    EXPECT_EQ(answer.error, Error::kNone);
    epoch = answer.member_epoch;
  }
  EXPECT_EQ(broker_->transactions().describe("tx")->state, TransactionState::kOngoing);
  EXPECT_EQ(commit("tx", producer), Error::kNone);
  EXPECT_EQ(values_in(*partition("t")).size(), 3u);
}

/// The retention of a week reaches no record that is a day older than it is, and none that is of the future.
TEST_F(BrokerClockJump, ADayAheadAndTenYearsBackDeleteNothing) {
  create("rolled", {{"segment.bytes", "2000"}});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(send("rolled", std::string(1500, 'r'), clock_.wall_ms()).ok());
  for (milliseconds by : {kDay, -kTenYears, kTenYears}) {
    clock_.jump(by);
    broker_->apply_retention();
    EXPECT_EQ(partition("rolled")->log_start(), Offset(0));
    open();
  }
  EXPECT_EQ(values_in(*partition("rolled")).size(), 5u);
}

TEST_F(BrokerClockJump, WhatIsAnsweredStaysWhileItJumps) {
  os::Random random(11);
  create("stamped", {{"message.timestamp.type", "LogAppendTime"},
                     {"segment.bytes", "2000"},
                     {"segment.ms", "600000"},
                     {"retention.ms", "-1"}});
  create("latest", {{"cleanup.policy", "compact"}, {"segment.bytes", "2000"}, {"min.cleanable.dirty.ratio", "0.01"}});
  constexpr milliseconds jumps[] = {1h, -1h, 1h, -1h, kDay, -kDay, -kTenYears};
  std::vector<std::string> sent;
  int64_t position = 0;
  for (int i = 0; i < 400; ++i) {
    if (random.chance(0.2)) clock_.jump(jumps[random.below(std::size(jumps))]);
    if (random.chance(0.02)) open();
    if (random.chance(0.05)) broker_->apply_retention();
    if (random.chance(0.05)) broker_->apply_compaction();
    sent.push_back(std::to_string(i));
    auto stamped = send("stamped", sent.back(), 0);
    ASSERT_TRUE(stamped.ok()) << stamped.error().message;
    ASSERT_EQ(stamped->base_offset, Offset(i));
    ASSERT_TRUE(send("latest", sent.back(), clock_.wall_ms()).ok());
    std::vector<OffsetToCommit> offsets{{{"t", PartitionId(0)}, {Offset(++position), 0, "", 0}}};
    auto answer =
        answer_of<CommitAnswer>([&](auto done) { broker_->groups().commit({.group_id = "plain"}, offsets, done); });
    ASSERT_EQ(answer.at(0), Error::kNone);
  }
  open();
  EXPECT_EQ(values_in(*partition("stamped")), sent);
  EXPECT_EQ(values_in(*partition("latest")).back(), sent.back());
  auto found = broker_->groups().fetch("plain", {{{"t", PartitionId(0)}}}, true);
  EXPECT_EQ(found[0].offset.offset.value, position);
}

}  // namespace
}  // namespace headrace::broker
