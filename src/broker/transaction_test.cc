// Transactions against the coordinator itself.
#include <future>
#include <thread>

#include "broker/broker.h"
#include "broker/broker_test_support.h"
#include "broker/coordinator_log.h"
#include "broker/embedded_bus.h"
#include "broker/transaction_schema.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::ElementsAre;
using testing::IsEmpty;
using Error = CoordinatorError;

class TransactionTest : public testing::Test {
 protected:
  void SetUp() override {
    open();
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 2}).ok());
  }
  void open(BrokerOptions options = {}) {
    options.data_directory = directory_.path();
    auto opened = Broker::open(options, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  void restart() {
    broker_.reset();
    open();
  }
  Transactions& transactions() { return broker_->transactions(); }
  IdentityAnswer init(milliseconds timeout = 60s, std::optional<ProducerIdentity> current = std::nullopt) {
    return answer_of<IdentityAnswer>([&](auto done) { transactions().init("tx", timeout, current, done); });
  }
  Error add(ProducerIdentity producer, int32_t partition = 0) {
    return answer_of<Error>([&](auto done) {
      transactions().add_partitions("tx", producer, {{"t", PartitionId(partition)}}, Joined::kOnDisk, done);
    });
  }
  IdentityAnswer end(ProducerIdentity producer, bool commit, bool bump = false) {
    return answer_of<IdentityAnswer>([&](auto done) { transactions().end("tx", producer, commit, bump, done); });
  }
  Result<Produced> produce_in(ProducerIdentity producer, const std::string& value, int32_t sequence,
                              int32_t partition = 0) {
    record::Batch batch = record::with_producer(
        batch_of({value}),
        {.id = producer.id, .epoch = producer.epoch, .base_sequence = sequence, .transactional = true});
    return answer_of<Result<Produced>>(
        [&](auto done) { transactions().produce("tx", this->partition(partition), std::span(&batch, 1), done); });
  }
  std::shared_ptr<Partition> partition(int32_t id = 0) { return broker_->partition({"t", PartitionId(id)}); }
  TransactionState state() { return transactions().describe("tx")->state; }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(TransactionTest, EachInitFencesTheOneBefore) {
  auto first = init(), second = init();
  EXPECT_EQ(second.producer.id, first.producer.id);
  EXPECT_EQ(second.producer.epoch, first.producer.epoch + 1);
  EXPECT_EQ(add(first.producer), Error::kProducerFenced);
  EXPECT_EQ(add(second.producer), Error::kNone);
  EXPECT_EQ(add({ProducerId(12345), 0}), Error::kInvalidProducerIdMapping);
  restart();
  EXPECT_GT(init().producer.epoch, second.producer.epoch);
}

TEST_F(TransactionTest, AnIdThatDoesNothingIsForgottenUnlessItsTransactionIsOpen) {
  auto old = init().producer;
  add(old);
  ASSERT_TRUE(produce_in(old, "a", 0).ok());
  answer_of<IdentityAnswer>([&](auto done) { transactions().init("idle", 60s, std::nullopt, done); });
  broker_.reset();
  BrokerOptions hasty;
  hasty.transactional_id_expiration = 1ms;
  hasty.transactional_id_cleanup_interval = 5ms;
  open(hasty);
  while (transactions().describe("idle")) std::this_thread::yield();
  ASSERT_EQ(end(old, true).error, Error::kNone);
  while (transactions().describe("tx")) std::this_thread::yield();
  EXPECT_THAT(transactions().list(), IsEmpty());
  EXPECT_EQ(add(old), Error::kInvalidProducerIdMapping);
  EXPECT_EQ(end(old, true).error, Error::kInvalidProducerIdMapping);
  restart();
  EXPECT_FALSE(transactions().describe("tx").has_value());
  auto again = init(60s, old);
  ASSERT_EQ(again.error, Error::kNone);
  EXPECT_NE(again.producer.id, old.id);
  add(again.producer);
  ASSERT_TRUE(produce_in(again.producer, "b", 0).ok());
  ASSERT_EQ(end(again.producer, true).error, Error::kNone);
  EXPECT_THAT(values_in(*partition()), ElementsAre("a", "b"));
}

TEST_F(TransactionTest, ACommitWakesWhoWaitsForSoManyCommittedBytes) {
  auto me = init().producer;
  add(me);
  std::promise<void> enough;
  partition()->add_waiter(std::make_shared<DataWaiter>(10'000, [&] { enough.set_value(); }), Offset(0),
                          bus::Isolation::kReadCommitted);
  ASSERT_TRUE(produce_in(me, std::string(20'000, 'x'), 0).ok());
  ASSERT_EQ(end(me, true).error, Error::kNone);
  enough.get_future().wait();
}

TEST_F(TransactionTest, WhatCantWorkIsRefused) {
  EXPECT_EQ(init(0ms).error, Error::kInvalidTxnTimeout);
  EXPECT_EQ(init(24h).error, Error::kInvalidTxnTimeout);
  auto me = init().producer;
  EXPECT_EQ(answer_of<Error>([&](auto done) {
              transactions().add_partitions("tx", me, {{"none", PartitionId(0)}}, Joined::kOnDisk, done);
            }),
            Error::kUnknownTopicOrPartition);
  EXPECT_EQ(end(me, true).error, Error::kInvalidTxnState);
  EXPECT_EQ(produce_in(me, "x", 0).error().code, ErrorCode::kInvalidArgument);  // not added
  add(me, 0);
  EXPECT_EQ(produce_in(me, "x", 0, 1).error().code, ErrorCode::kInvalidArgument);  // another one was
  record::Batch plain = batch_of({"x"});
  EXPECT_FALSE(answer_of<Result<Produced>>([&](auto done) {
                 transactions().produce("tx", partition(), std::span(&plain, 1), done);
               }).ok());
}

TEST_F(TransactionTest, TheBrokersOwnTopicsHaveNoPartInIt) {
  TopicPartition state{"__transaction_state", PartitionId(0)};
  auto me = init().producer;
  auto add_one = [&](const TopicPartition& tp) {
    return answer_of<Error>([&](auto done) { transactions().add_partitions("tx", me, {tp}, Joined::kOnDisk, done); });
  };
  EXPECT_EQ(add_one(state), Error::kInternalTopic);
  EXPECT_EQ(add_one({"__consumer_offsets", PartitionId(0)}), Error::kNone);
  auto marked = answer_of<Status>([&](auto done) { transactions().write_marker(state, me, true, 0, done); });
  EXPECT_EQ(marked.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(end(me, true).error, Error::kNone);
  restart();
  EXPECT_EQ(this->state(), TransactionState::kCompleteCommit);
}

TEST_F(TransactionTest, CommitMakesAllPartitionsVisibleAndRepeatingItIsFine) {
  auto me = init().producer;
  add(me, 0);
  add(me, 1);
  ASSERT_TRUE(produce_in(me, "a", 0, 0).ok());
  ASSERT_TRUE(produce_in(me, "b", 0, 1).ok());
  EXPECT_EQ(partition()->last_stable(), Offset(0));
  EXPECT_EQ(end(me, true).error, Error::kNone);
  EXPECT_EQ(end(me, true).error, Error::kNone);
  EXPECT_EQ(end(me, false).error, Error::kInvalidTxnState);
  EXPECT_THAT(values_in(*partition(0)), ElementsAre("a"));
  EXPECT_THAT(values_in(*partition(1)), ElementsAre("b"));
  EXPECT_EQ(produce_in(me, "late", 1).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TransactionTest, AnEndThatBumpsTheEpochRefusesWhatComesLate) {
  auto me = init().producer;
  add(me);
  ASSERT_TRUE(produce_in(me, "a", 0).ok());
  auto ended = end(me, true, /*bump=*/true);
  ASSERT_EQ(ended.error, Error::kNone);
  EXPECT_EQ(ended.producer.epoch, me.epoch + 1);
  EXPECT_EQ(end(me, true, true).producer, ended.producer);  // the answer was lost
  add(ended.producer);
  EXPECT_EQ(produce_in(me, "late", 1).error().code, ErrorCode::kFenced);
  EXPECT_TRUE(produce_in(ended.producer, "b", 0).ok());
  EXPECT_EQ(end(ended.producer, true, true).error, Error::kNone);
  EXPECT_THAT(values_in(*partition()), ElementsAre("a", "b"));
}

// KIP-664: markers that no coordinator asked for may carry any epoch.
TEST_F(TransactionTest, PartitionsThatKnowAHigherEpochAreEndedAllTheSame) {
  auto me = init().producer, ahead = me;
  ahead.epoch += 9;
  add(me, 0);
  add(me, 1);
  ASSERT_TRUE(produce_in(me, "a", 0, 0).ok());
  ASSERT_TRUE(produce_in(me, "b", 0, 1).ok());
  auto marked = answer_of<Status>([&](auto done) {
    transactions().write_marker({"t", PartitionId(0)}, ahead, /*commit=*/true, 0, done);
  });
  ASSERT_TRUE(marked.ok());
  auto batch = record::with_producer(batch_of({"c"}), {ahead.id, ahead.epoch, 0, /*transactional=*/true});
  ASSERT_TRUE(produce(*partition(1), batch).ok());
  ASSERT_EQ(end(me, true, true).error, Error::kNone);
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  EXPECT_THAT(values_in(*partition(0)), ElementsAre("a"));
  EXPECT_THAT(values_in(*partition(1)), ElementsAre("b", "c"));
  restart();
  EXPECT_EQ(init().error, Error::kNone);
}

TEST_F(TransactionTest, AProducerMayHaveItsOwnEpochBumped) {
  auto me = init().producer;
  auto bumped = init(60s, me);
  EXPECT_EQ(bumped.producer.epoch, me.epoch + 1);
  EXPECT_EQ(init(60s, me).producer, bumped.producer) << "the answer was lost (KIP-360)";
  add(bumped.producer);
  EXPECT_EQ(init(60s, me).error, Error::kProducerFenced);
}

// KIP-890: sequence numbers begin with each transaction, so that of requests in flight none overtakes a refused one.
TEST_F(TransactionTest, UnderVersion2TheFirstBatchInAPartitionComesFirst) {
  auto me = init().producer;
  auto added = answer_of<Error>([&](auto done) {
    transactions().add_partitions("tx", me, {{"t", PartitionId(0)}}, Joined::kWritten, done);
  });
  ASSERT_EQ(added, Error::kNone);
  EXPECT_EQ(produce_in(me, "b", 1).error().code, ErrorCode::kOutOfOrder);
  ASSERT_TRUE(produce_in(me, "a", 0).ok());
  ASSERT_TRUE(produce_in(me, "b", 1).ok());
  ASSERT_EQ(end(me, true, true).error, Error::kNone);
  EXPECT_THAT(values_in(*partition()), ElementsAre("a", "b"));
}

TEST_F(TransactionTest, UnderVersion1AProducerThatIsForgottenGoesOn) {
  auto me = init().producer;
  add(me);
  EXPECT_TRUE(produce_in(me, "b", 1).ok());  // KIP-360
}

TEST_F(TransactionTest, AnEpochThatWasNeverGivenIsRefused) {
  auto me = init().producer;
  add(me);
  auto ahead = me;
  ahead.epoch += 2;
  EXPECT_EQ(produce_in(ahead, "forged", 0).error().code, ErrorCode::kFenced);
  ASSERT_TRUE(produce_in(me, "a", 0).ok());
  EXPECT_EQ(end(me, true, true).error, Error::kNone);
  EXPECT_THAT(values_in(*partition()), ElementsAre("a"));
}

// KIP-890: what a producer aborts may never have come here; what is late of it joins no other transaction.
TEST_F(TransactionTest, AbortingWhatNeverBeganGivesANewEpoch) {
  auto me = init().producer;
  for (int i = 0; i < 3; ++i) {
    auto aborted = end(me, /*commit=*/false, /*bump=*/true);
    ASSERT_EQ(aborted.error, Error::kNone);
    EXPECT_EQ(aborted.producer.epoch, me.epoch + 1);
    EXPECT_EQ(end(me, false, true).producer, aborted.producer) << "the answer was lost";
    EXPECT_EQ(add(me), Error::kProducerFenced);
    me = aborted.producer;
    EXPECT_EQ(state(), TransactionState::kCompleteAbort);
  }
  EXPECT_EQ(end(me, true, true).error, Error::kInvalidTxnState);
  add(me);
  ASSERT_TRUE(produce_in(me, "a", 0).ok());
  me = end(me, true, true).producer;
  EXPECT_EQ(end(me, true, true).error, Error::kInvalidTxnState) << "there is nothing to commit";
  EXPECT_EQ(end(me, false, true).error, Error::kNone);
  restart();
  EXPECT_THAT(values_in(*partition()), ElementsAre("a"));
}

TEST_F(TransactionTest, ATransactionThatTakesTooLongIsAborted) {
  auto me = init(50ms).producer;
  add(me);
  ASSERT_TRUE(produce_in(me, "slow", 0).ok());
  while (state() != TransactionState::kCompleteAbort) std::this_thread::yield();
  EXPECT_EQ(end(me, true).error, Error::kInvalidTxnState);
  EXPECT_EQ(add(me), Error::kProducerFenced);
  EXPECT_THAT(values_in(*partition()), IsEmpty());
}

TEST_F(TransactionTest, ARestartKeepsWhatWasOpenForItsProducerToEnd) {
  auto me = init().producer;
  add(me);
  ASSERT_TRUE(produce_in(me, "a", 0).ok());
  me = end(me, true, true).producer;
  add(me);
  ASSERT_TRUE(produce_in(me, "b", 0).ok());
  restart();
  EXPECT_EQ(state(), TransactionState::kOngoing);
  EXPECT_THAT(values_in(*partition()), ElementsAre("a"));
  EXPECT_EQ(add(me, 1), Error::kNone);
  EXPECT_TRUE(produce_in(me, "c", 1).ok());
  EXPECT_TRUE(produce_in(me, "other", 0, 1).ok());
  EXPECT_EQ(end(me, true, true).error, Error::kNone);
  EXPECT_THAT(values_in(*partition()), ElementsAre("a", "b", "c"));
  EXPECT_THAT(values_in(*partition(1)), ElementsAre("other"));
}

TEST_F(TransactionTest, ATransactionWithoutRecordsStaysOpenOverARestart) {
  auto me = init().producer;
  add(me);
  restart();
  EXPECT_EQ(end(me, true).error, Error::kNone);
}

TEST_F(TransactionTest, AfterARestartTheTimeoutStillAborts) {
  auto me = init(50ms).producer;
  add(me);
  ASSERT_TRUE(produce_in(me, "slow", 0).ok());
  restart();
  while (state() != TransactionState::kCompleteAbort) std::this_thread::yield();
  EXPECT_EQ(partition()->last_stable(), partition()->high_watermark());
  EXPECT_THAT(values_in(*partition()), IsEmpty());
}

TEST_F(TransactionTest, AnEndWhoseAnswerARestartTookIsAnsweredAgain) {
  auto me = init().producer;
  add(me);
  ASSERT_TRUE(produce_in(me, "a", 0).ok());
  auto next = end(me, true, true).producer;
  restart();
  EXPECT_EQ(end(me, true, true).producer, next);
  EXPECT_EQ(end(me, false, true).error, Error::kInvalidTxnState);
  add(next);
  EXPECT_EQ(end(me, true, true).error, Error::kProducerFenced);
}

/// A clock on which something else happens when one thread asks it for the time.
class InterruptedClock final : public os::Clock {
 public:
  int64_t wall_ms() override {
    if (std::this_thread::get_id() == thread_ && --calls_ == 0) interruption_();
    return os::system_clock().wall_ms();
  }
  std::chrono::nanoseconds monotonic() override { return os::system_clock().monotonic(); }
  /// At this thread's `nth` call from now on.
  void interrupt(int nth, Function<void()> what) {
    calls_ = nth;
    interruption_ = std::move(what);
    thread_ = std::this_thread::get_id();
  }

 private:
  std::atomic<std::thread::id> thread_;
  int calls_ = 0;
  Function<void()> interruption_;
};

TEST_F(TransactionTest, TheRecordOfABeginningIsNeverBehindThatOfItsEnd) {
  InterruptedClock clock;
  broker_.reset();
  auto opened = Broker::open(options_in(directory_.path()), metrics_, clock);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  broker_ = *std::move(opened);
  auto me = init().producer;
  // The beginning and the change are at the first two calls, the record at the third.
  std::future<IdentityAnswer> ended;
  clock.interrupt(3, [&] {
    ended = std::async(std::launch::async, [&] { return end(me, true); });
    while (state() == TransactionState::kOngoing) std::this_thread::yield();
    ended.wait_for(500ms);  // It is to wait for the record; where it does not, it is through by then.
  });
  EXPECT_EQ(add(me), Error::kNone);
  EXPECT_EQ(ended.get().error, Error::kNone);
  auto log = broker_->partition({"__transaction_state", PartitionId(0)});
  while (log->high_watermark() < log->log().log_end_offset()) std::this_thread::yield();
  std::vector<TransactionState> states;
  for (const std::string& value : values_in(*log)) states.push_back(decode_transaction_value(value)->state);
  EXPECT_THAT(states, ElementsAre(TransactionState::kEmpty, TransactionState::kOngoing,
                                  TransactionState::kPrepareCommit, TransactionState::kCompleteCommit));
  broker_.reset();  // The clock goes first otherwise.
}

/// Every state that a crash can leave, written behind the coordinator's back.
class TransactionRestart : public TransactionTest {
 protected:
  /// An open transaction with a record, then `state` as the last thing on the disk, then a restart.
  void restart_in(TransactionState state, int16_t epochs_later) {
    auto me = init().producer;
    add(me);
    ASSERT_TRUE(produce_in(me, "r", 0).ok());
    StoredTransaction stored{.producer = {me.id, static_cast<int16_t>(me.epoch + epochs_later)},
                             .timeout_ms = 60000,
                             .state = state,
                             .partitions = {{"t", PartitionId(0)}},
                             .update_time_ms = 1,
                             .start_time_ms = 1};
    write(stored);
    restart();
  }
  void write(const StoredTransaction& stored) {
    auto log = broker_->partition({"__transaction_state", PartitionId(0)});
    std::vector<StateLog::Entry> entry{{encode_transaction_key("tx"), encode_transaction_value(stored)}};
    ASSERT_TRUE(produce(*log, batch_of(entry, 1)).ok());
  }
  void expect_ended(std::vector<std::string> values) {
    EXPECT_EQ(partition()->last_stable(), partition()->high_watermark());
    EXPECT_EQ(values_in(*partition()), values);
    auto me = init().producer;
    add(me);
    EXPECT_TRUE(produce_in(me, "next", 0).ok());
    EXPECT_EQ(end(me, true, true).error, Error::kNone);
    values.push_back("next");
    EXPECT_EQ(values_in(*partition()), values);
  }
  void expect_open() {
    EXPECT_EQ(state(), TransactionState::kOngoing);
    EXPECT_EQ(partition()->last_stable(), Offset(0));
    EXPECT_EQ(end(transactions().describe("tx")->producer, true).error, Error::kNone);
    expect_ended({"r"});
  }
};

TEST_F(TransactionRestart, UndecidedStaysOpen) {
  restart_in(TransactionState::kOngoing, 0);
  expect_open();
}

TEST_F(TransactionRestart, BegunButNotRecordedStaysOpen) {
  restart_in(TransactionState::kEmpty, 0);
  expect_open();
}

TEST_F(TransactionRestart, OpenUnderAFencedEpochIsAborted) {
  restart_in(TransactionState::kEmpty, 1);
  EXPECT_EQ(state(), TransactionState::kCompleteAbort);
  expect_ended({});
}

TEST_F(TransactionRestart, DecidedToCommitIsCommitted) {
  restart_in(TransactionState::kPrepareCommit, 1);
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  expect_ended({"r"});
}

TEST_F(TransactionRestart, DecidedToCommitByAnOlderClientIsCommitted) {
  restart_in(TransactionState::kPrepareCommit, 0);
  expect_ended({"r"});
}

TEST_F(TransactionRestart, DecidedToAbortIsAborted) {
  restart_in(TransactionState::kPrepareAbort, 1);
  EXPECT_EQ(state(), TransactionState::kCompleteAbort);
  expect_ended({});
}

TEST_F(TransactionRestart, OpenAgainAfterACompleteOneStaysOpen) {
  restart_in(TransactionState::kCompleteCommit, 0);
  expect_open();
}

TEST_F(TransactionRestart, EpochsThatRunOutGiveWayToANewId) {
  auto me = init().producer;
  write({.producer = {me.id, 32766}, .timeout_ms = 60000, .state = TransactionState::kEmpty});
  restart();
  auto next = init().producer;
  EXPECT_NE(next.id, me.id);
  EXPECT_EQ(next.epoch, 0);
  expect_ended({});
}

TEST_F(TransactionRestart, DecidedWhereAPartitionKnowsAHigherEpochIsCommitted) {
  auto me = init().producer;
  auto batch = record::with_producer(batch_of({"r"}), {me.id, 9, 0, /*transactional=*/true});
  ASSERT_TRUE(produce(*partition(), batch).ok());
  write({.producer = me,
         .timeout_ms = 60000,
         .state = TransactionState::kPrepareCommit,
         .partitions = {{"t", PartitionId(0)}}});
  restart();
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  EXPECT_THAT(values_in(*partition()), ElementsAre("r"));
}

TEST_F(TransactionRestart, WhereAPartitionKnowsAHigherEpochTheNextOneIsHigherStill) {
  auto me = init().producer;
  auto batch = record::with_producer(batch_of({"r"}), {me.id, 9, 0, /*transactional=*/true});
  ASSERT_TRUE(produce(*partition(), batch).ok());
  restart();
  EXPECT_EQ(state(), TransactionState::kCompleteAbort);
  expect_ended({});
}

TEST_F(TransactionRestart, WhatSaysNothingOfATransactionIsLeftOut) {
  auto me = init().producer;
  auto log = broker_->partition({"__transaction_state", PartitionId(0)});
  auto marker = record::end_transaction_marker(record::ControlType::kCommit, me.id, me.epoch, 0, 1);
  ASSERT_TRUE(answer_of<Result<Produced>>([&](auto done) { log->append_marker(marker, done); }).ok());
  std::vector<StateLog::Entry> damaged{{encode_transaction_key("tx"), Bytes{0, 9}}, {"?", Bytes{}}};
  ASSERT_TRUE(produce(*log, batch_of(damaged, 1)).ok());
  restart();
  EXPECT_EQ(transactions().describe("tx")->producer, me);
}

// A directory of before such partitions were refused.
TEST_F(TransactionRestart, AStoredPartOfTheBrokersOwnTopicIsEnded) {
  write({.producer = {ProducerId(5), 0},
         .timeout_ms = 60000,
         .state = TransactionState::kPrepareCommit,
         .partitions = {{"__transaction_state", PartitionId(0)}}});
  restart();
  EXPECT_EQ(state(), TransactionState::kCompleteCommit);
  restart();
  EXPECT_EQ(init().error, Error::kNone);
}

TEST_F(TransactionRestart, TheLastEpochStillEndsItsTransaction) {
  auto me = init().producer;
  write({.producer = {me.id, 32765}, .timeout_ms = 60000, .state = TransactionState::kEmpty});
  restart();
  auto last = init().producer;
  ASSERT_EQ(last.epoch, 32766);
  add(last);
  ASSERT_TRUE(produce_in(last, "r", 0).ok());
  auto ended = end(last, true, true);
  EXPECT_EQ(ended.error, Error::kNone);
  EXPECT_NE(ended.producer.id, me.id);
  EXPECT_THAT(values_in(*partition()), ElementsAre("r"));
}

}  // namespace
}  // namespace headrace::broker
