// Transactions on a disk that fails: what can't be written keeps nobody waiting who has no part in it, and what was
// decided holds.
#include <thread>

#include "broker/coordinator_log.h"
#include "broker/simulated_disk_test_support.h"
#include "broker/transaction_schema.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using Error = CoordinatorError;
using Values = std::vector<std::string>;

class TransactionFault : public SimulatedDiskTest {
 protected:
  void SetUp() override {
    SimulatedDiskTest::SetUp();
    create("t");
    create("u");
  }
  /// Of what is synced from now on: the records of completed transactions are first.
  void fail_sync(uint64_t nth = 1) {
    auto states = partition("__transaction_state");
    while (states->log().durable_end() < states->log().log_end_offset()) std::this_thread::yield();
    disk_.fail(os::DiskCall::kSync, nth, os::DiskFault::kIoError);
  }
  void put_out_of_service(const std::string& topic) {
    fail_sync();
    ASSERT_EQ(produce(*partition(topic), batch_of({"lost"})).error().code, ErrorCode::kIo);
  }

  Transactions& transactions() { return broker_->transactions(); }
  IdentityAnswer init(std::optional<ProducerIdentity> current = std::nullopt, const std::string& id = "tx") {
    return answer_of<IdentityAnswer>([&](auto done) { transactions().init(id, 60s, current, done); });
  }
  Error add(ProducerIdentity producer, const std::string& topic, Joined joined = Joined::kOnDisk) {
    return answer_of<Error>([&](auto done) {
      transactions().add_partitions("tx", producer, {{topic, PartitionId(0)}}, joined, done);
    });
  }
  Result<Produced> send(ProducerIdentity producer, const std::string& topic, const std::string& value) {
    auto batch = record::with_producer(batch_of({value}), {producer.id, producer.epoch, 0, /*transactional=*/true});
    return answer_of<Result<Produced>>(
        [&](auto done) { transactions().produce("tx", partition(topic), std::span(&batch, 1), done); });
  }
  IdentityAnswer end(ProducerIdentity producer, bool commit) {
    return answer_of<IdentityAnswer>(
        [&](auto done) { transactions().end("tx", producer, commit, /*bump_epoch=*/true, done); });
  }
  /// Returns when what is tried again every half a second was tried again: timers run one by one.
  void let_retries_run() {
    auto other = answer_of<IdentityAnswer>([&](auto done) { transactions().init("o", 600ms, std::nullopt, done); });
    auto added = answer_of<Error>([&](auto done) {
      transactions().add_partitions("o", other.producer, {{"t", PartitionId(0)}}, Joined::kOnDisk, done);
    });
    ASSERT_EQ(added, Error::kNone);
    while (transactions().describe("o")->state != TransactionState::kCompleteAbort) std::this_thread::yield();
  }
  TransactionState state() { return transactions().describe("tx")->state; }
  Values values(const std::string& topic) { return values_in(*partition(topic)); }
  /// Or known not to get there.
  void await_state_on_disk() {
    const auto& log = partition("__transaction_state")->log();
    while (log.durable_end() < log.log_end_offset() && !log.out_of_service()) std::this_thread::yield();
  }
  /// The id's producer with the last epoch that there is.
  ProducerIdentity use_up_epochs() {
    StoredTransaction stored{.producer = init().producer, .timeout_ms = 60000, .state = TransactionState::kEmpty};
    stored.producer.epoch = kProducerEpochMax - 1;
    std::vector<StateLog::Entry> entry{{encode_transaction_key("tx"), encode_transaction_value(stored)}};
    EXPECT_TRUE(produce(*partition("__transaction_state"), batch_of(entry, 1)).ok());
    open();
    auto last = init().producer;
    EXPECT_EQ(last.epoch, kProducerEpochMax);
    return last;
  }
  /// A transaction of its own in `topic`.
  void expect_healthy(ProducerIdentity producer, const std::string& topic) {
    ASSERT_EQ(add(producer, topic), Error::kNone);
    ASSERT_TRUE(send(producer, topic, "next").ok());
    EXPECT_EQ(end(producer, true).error, Error::kNone);
    EXPECT_EQ(values(topic).back(), "next");
  }
};

TEST_F(TransactionFault, APartitionOutOfServiceWithoutRecordsOfItHoldsUpNoEnd) {
  put_out_of_service("u");
  auto me = init().producer;
  add(me, "t");
  add(me, "u");
  ASSERT_TRUE(send(me, "t", "a").ok());
  ASSERT_FALSE(send(me, "u", "a").ok());
  auto ended = end(me, /*commit=*/false);
  ASSERT_EQ(ended.error, Error::kNone);
  EXPECT_EQ(state(), TransactionState::kCompleteAbort);
  expect_healthy(ended.producer, "t");
  open();
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  EXPECT_THAT(values("t"), ElementsAre("next"));
  expect_healthy(init().producer, "u");
}

TEST_F(TransactionFault, OneThatWasPartOfAnEarlierTransactionHoldsUpNoEndEither) {
  auto me = init().producer;
  add(me, "u");
  ASSERT_TRUE(send(me, "u", "before").ok());
  me = end(me, true).producer;
  put_out_of_service("u");
  add(me, "u");
  ASSERT_FALSE(send(me, "u", "a").ok());
  me = end(me, false).producer;
  expect_healthy(me, "t");
  lose_power();
  EXPECT_THAT(values("u"), ElementsAre("before"));
}

TEST_F(TransactionFault, ADecisionWaitsForThePartitionThatHasRecordsOfIt) {
  auto me = init().producer;
  add(me, "t");
  add(me, "u");
  ASSERT_TRUE(send(me, "t", "a").ok());
  ASSERT_TRUE(send(me, "u", "b").ok());
  put_out_of_service("u");
  EXPECT_EQ(end(me, true).error, Error::kNotAvailable);
  EXPECT_EQ(state(), TransactionState::kPrepareCommit);
  EXPECT_EQ(init().error, Error::kConcurrentTransactions);
  EXPECT_THAT(values("u"), IsEmpty());
  lose_power();
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  EXPECT_THAT(values("t"), ElementsAre("a"));
  EXPECT_THAT(values("u"), ElementsAre("b"));
}

TEST_F(TransactionFault, DeletingThatTopicFreesTheTransactionalId) {
  auto me = init().producer;
  add(me, "u");
  ASSERT_TRUE(send(me, "u", "b").ok());
  put_out_of_service("u");
  EXPECT_EQ(end(me, true).error, Error::kNotAvailable);
  ASSERT_TRUE(broker_->delete_topic("u").ok());
  while (state() != TransactionState::kCompleteCommit) std::this_thread::yield();
  expect_healthy(init().producer, "t");
}

/// In memory the transaction has ended there then; on the disk it may be open.
TEST_F(TransactionFault, AMarkerThatIsNotOnTheDiskDoesNotCount) {
  auto me = init().producer;
  add(me, "u");
  ASSERT_TRUE(send(me, "u", "b").ok());
  fail_sync(2);  // Behind that of the decision.
  EXPECT_EQ(end(me, true).error, Error::kNotAvailable);
  ASSERT_TRUE(partition("u")->log().out_of_service());
  let_retries_run();
  EXPECT_EQ(state(), TransactionState::kPrepareCommit);
  lose_power();
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  EXPECT_THAT(values("u"), ElementsAre("b"));
}

TEST_F(TransactionFault, AnIdentityThatIsNotOnTheDiskIsGivenToNobody) {
  auto me = init().producer;
  fail_sync();
  EXPECT_EQ(init(me).error, Error::kNotAvailable);
  EXPECT_EQ(init(me).error, Error::kNotAvailable) << "asked again";
  EXPECT_EQ(transactions().describe("tx")->producer, me);
  lose_power();
  auto next = init(me);
  ASSERT_EQ(next.error, Error::kNone);
  EXPECT_GT(next.producer.epoch, me.epoch);
  expect_healthy(next.producer, "t");
}

TEST_F(TransactionFault, WhoAskedInVainForANewIdentityGoesOnWithItsOwn) {
  auto me = init().producer;
  disk_.fail(os::DiskCall::kWrite, 1, os::DiskFault::kOutOfSpace, ".log");  // The others are the flusher's.
  EXPECT_EQ(init(me).error, Error::kNotAvailable);
  expect_healthy(me, "t");
  lose_power();
  EXPECT_THAT(values("t"), ElementsAre("next"));
}

/// Each fsync of an end fails once, and the power goes: that of the decision, of the marker, and of the record that the
/// next id is in force, which the producer has been told by then.
TEST_F(TransactionFault, TheIdThatFollowsTheLastEpochIsTheSameAfterAPowerLoss) {
  int told = 0;
  bool happened = true;
  for (uint64_t nth = 1; happened && !HasFailure(); ++nth) {
    SCOPED_TRACE("fsync " + std::to_string(nth));
    auto last = use_up_epochs();
    ASSERT_EQ(add(last, "t"), Error::kNone);
    ASSERT_TRUE(send(last, "t", "kept").ok());
    fail_sync(nth);
    auto ended = end(last, true);
    await_state_on_disk();
    happened = disk_.fault_happened();
    lose_power();
    auto again = end(last, true);
    ASSERT_EQ(again.error, Error::kNone) << "an answer that was lost is given again";
    EXPECT_NE(again.producer.id, last.id);
    if (ended.error == Error::kNone) {
      EXPECT_EQ(again.producer, ended.producer);
      told += happened;
    }
    EXPECT_EQ(values("t").back(), "kept");
    expect_healthy(again.producer, "t");
  }
  EXPECT_GE(told, 1);
}

TEST_F(TransactionFault, AnIdThatWasNeverToldIsNotInForceWhereTheDecisionFailed) {
  auto last = use_up_epochs();
  ASSERT_EQ(add(last, "t"), Error::kNone);
  ASSERT_TRUE(send(last, "t", "a").ok());
  disk_.fail(os::DiskCall::kWrite, 1, os::DiskFault::kOutOfSpace);
  EXPECT_EQ(end(last, true).error, Error::kNotAvailable);
  EXPECT_EQ(transactions().describe("tx")->producer, last);
  auto ended = end(last, true);
  ASSERT_EQ(ended.error, Error::kNone);
  lose_power();
  expect_healthy(ended.producer, "t");
  EXPECT_THAT(values("t"), ElementsAre("a", "next"));
}

/// It could not be ended, and would keep readers waiting.
TEST_F(TransactionFault, NoTransactionBeginsThatCantBeWrittenDown) {
  auto me = init().producer;
  fail_sync();
  EXPECT_EQ(init({}, "other").error, Error::kNotAvailable);
  for (Joined joined : {Joined::kWritten, Joined::kOnDisk}) EXPECT_EQ(add(me, "t", joined), Error::kNotAvailable);
  EXPECT_EQ(state(), TransactionState::kEmpty);
  EXPECT_FALSE(send(me, "t", "a").ok());
  ASSERT_TRUE(produce(*partition("t"), batch_of({"plain"})).ok());
  EXPECT_THAT(values("t"), ElementsAre("plain"));
}

TEST_F(TransactionFault, AFencedProducerThatAsksForANewEpochNeverWins) {
  for (int i = 0; i < 300; ++i) {
    auto older = init().producer;
    auto asked = std::async(std::launch::async, [&] { return init(older); });
    auto newer = init();
    auto answer = asked.get();
    bool both = newer.error == Error::kNone && answer.error == Error::kNone;
    ASSERT_TRUE(!both || answer.producer.epoch < newer.producer.epoch);
  }
}

/// Each write of a start finds the disk full once, that of the marker among them.
TEST_F(TransactionFault, WhatAnUnknownProducerLeftOpenIsAbortedOnceThereIsRoom) {
  bool happened = true;
  for (uint64_t nth = 1; happened && !HasFailure(); ++nth) {
    SCOPED_TRACE("write " + std::to_string(nth));
    ProducerId unknown(12345 + static_cast<int64_t>(nth));
    auto batch = record::with_producer(batch_of({"open"}), {unknown, 0, 0, /*transactional=*/true});
    ASSERT_TRUE(produce(*partition("t"), batch).ok());
    close();
    disk_.fail(os::DiskCall::kWrite, nth, os::DiskFault::kOutOfSpace);
    if (!try_open().ok()) open();
    auto deadline = std::chrono::steady_clock::now() + 10s;
    while (partition("t")->last_stable() != partition("t")->high_watermark()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the transaction is still open";
      std::this_thread::yield();
    }
    EXPECT_THAT(values("t"), IsEmpty());
    happened = disk_.fault_happened();
  }
}

}  // namespace
}  // namespace headrace::broker
