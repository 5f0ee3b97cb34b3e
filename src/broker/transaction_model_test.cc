// Seeded schedules of idempotent and transactional producers against a model of what Kafka says of them. Requests
// and batches come twice, late and out of order, from producers that others have fenced long ago; sequences go beyond
// 2^31-1, epochs reach their last; transactions time out, and the broker is stopped, or loses its power, and goes on.
// Each answer, what each kind of reader sees, and the last stable offset are what the model says.
#include <algorithm>
#include <deque>
#include <future>
#include <limits>
#include <list>
#include <thread>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "broker/transaction_model_test_support.h"
#include "broker/transaction_schema.h"
#include "os/random.h"
#include "os/schedules.h"
#include "os/simulated_file_system.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using model::Answer;
using model::Values;
using Error = CoordinatorError;

constexpr int kPartitions = 3;
constexpr uint64_t kSchedulesPerBroker = 25;
constexpr auto kShortTimeout = 60s, kLongTimeout = 600s, kTimePasses = 61s;

Answer class_of(Error error) {
  switch (error) {
    case Error::kNone: return Answer::kDone;
    case Error::kProducerFenced:
    case Error::kInvalidProducerEpoch:
    case Error::kInvalidProducerIdMapping: return Answer::kFenced;
    case Error::kInvalidTxnState: return Answer::kBadState;
    case Error::kConcurrentTransactions: return Answer::kConcurrent;
    default: return Answer::kOther;
  }
}
Answer class_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFenced: return Answer::kFenced;
    case ErrorCode::kInvalidArgument: return Answer::kBadState;
    case ErrorCode::kOutOfOrder: return Answer::kOutOfOrder;
    default: return Answer::kOther;
  }
}
Answer class_of(const Result<Produced>& produced) {
  if (!produced.ok()) return class_of(produced.error().code);
  return produced->duplicate ? Answer::kDuplicate : Answer::kDone;
}
bool is_older(ProducerIdentity a, ProducerIdentity b) { return a.id == b.id ? a.epoch < b.epoch : a.id < b.id; }
std::string text(ProducerIdentity who) { return std::to_string(who.id.value) + "/" + std::to_string(who.epoch); }

/// A broker for many schedules, each with transactional ids of its own.
class World {
 public:
  explicit World(os::Seeds seeds) : seed_(seeds.first) {
    open();
    create("t", kPartitions);
    create("clock", 1);
    for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) age(seed);
    restart(/*power_loss=*/false);
  }

  Broker& broker() { return *broker_; }
  Transactions& transactions() { return broker_->transactions(); }
  std::shared_ptr<Partition> partition(int id) { return broker_->partition({"t", PartitionId(id)}); }
  static std::string id_of(uint64_t seed, int number) { return std::to_string(seed) + "-" + std::to_string(number); }
  /// What a transactional id was given before the schedule, when it is to reach the last epoch.
  std::optional<ProducerIdentity> owner_of(const std::string& id) const {
    auto found = aged_.find(id);
    return found == aged_.end() ? std::nullopt : std::optional(found->second);
  }
  /// Whether the producer id is given for the first time.
  bool first_time(ProducerId id) { return ids_.insert(id).second; }

  IdentityAnswer init(const std::string& id, milliseconds timeout, std::optional<ProducerIdentity> current) {
    return answer_of<IdentityAnswer>([&](auto done) { transactions().init(id, timeout, current, done); });
  }
  void restart(bool power_loss) {
    if (power_loss) {
      // A beginning is written but not waited for: what comes after it in the log is.
      ASSERT_EQ(init("power", 60s, std::nullopt).error, Error::kNone);
      disk_.crash();
    }
    broker_.reset();
    if (power_loss) disk_.restart(os::CrashMode::kDrop, seed_);
    open();
  }
  void pass(milliseconds time) {
    clock_.advance(time);
    wake_timers();
  }
  void await_abort(const std::string& id) {
    auto begin = std::chrono::steady_clock::now(), look_again = begin + 20ms;
    while (transactions().describe(id)->state != TransactionState::kCompleteAbort) {
      auto now = std::chrono::steady_clock::now();
      ASSERT_LT(now, begin + 10s) << id << " does not time out";
      if (now > look_again) wake_timers(), look_again = now + 20ms;
      std::this_thread::yield();
    }
  }

 private:
  /// The thread of the timers sleeps until the first is due, by the clock as it was; an earlier one wakes it.
  void wake_timers() {
    std::string id = "clock-" + std::to_string(woken_++);
    auto who = init(id, 1ms, std::nullopt).producer;
    clock_.advance(-1h);
    auto begun = answer_of<Error>([&](auto done) {
      transactions().add_partitions(id, who, {{"clock", PartitionId(0)}}, Joined::kOnDisk, done);
    });
    clock_.advance(1h);
    ASSERT_EQ(begun, Error::kNone);
    while (transactions().describe(id)->state != TransactionState::kCompleteAbort) std::this_thread::yield();
  }
  void open() {
    // Times come when the schedule says so, and logs of the coordinators are written anew all the time.
    BrokerOptions options{.data_directory = "/data",
                          .flush_threads = 1,
                          .retention_check_interval = std::chrono::hours(1000000),
                          .compaction = {.seed = seed_},
                          .coordinator_rewrite_bytes_min = 4000};
    auto opened = Broker::open(options, metrics_, clock_, disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  void create(const std::string& name, int partitions) {
    bus::TopicSpec spec{.name = name, .partitions = partitions, .configs = {{"segment.bytes", "20000"}}};
    ASSERT_TRUE(broker_->create_topic(spec).ok());
  }
  /// Writes behind the coordinator's back that some of the ids have had nearly all epochs.
  void age(uint64_t seed) {
    os::Random random(~seed);
    for (int number : {0, 1}) {
      if (!random.chance(0.3)) continue;
      ProducerIdentity owner{transactions().new_producer_id()->id, static_cast<int16_t>(32761 + random.below(6))};
      StoredTransaction stored{.producer = owner, .timeout_ms = 60000, .state = TransactionState::kEmpty};
      std::string id = id_of(seed, number);
      std::vector<StateLog::Entry> entry{{encode_transaction_key(id), encode_transaction_value(stored)}};
      ASSERT_TRUE(produce(*broker_->partition({"__transaction_state", PartitionId(0)}), batch_of(entry, 1)).ok());
      ids_.insert(owner.id);
      aged_[id] = owner;
    }
  }

  const uint64_t seed_;
  os::SimulatedFileSystem disk_;
  JumpingClock clock_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::set<ProducerId> ids_;  ///< All that were given out.
  std::map<std::string, ProducerIdentity> aged_;
  int woken_ = 0;
};

struct Batch {
  ProducerIdentity who;
  int partition;
  int32_t first_sequence;
  Values values;
};

/// A producer: all processes that ever were it. Those that were fenced go on.
struct Producer {
  std::string id;  ///< The transactional one; empty for a producer without.
  std::unique_ptr<model::TransactionModel> model;
  bool version_2 = false;
  std::vector<ProducerIdentity> given;  ///< The identities that it was told, the newest last.
  std::vector<Batch> batches;           ///< That it made, sent or not yet.
  Function<void()> again;               ///< Its last request.
  std::chrono::seconds timeout = kShortTimeout;
  std::chrono::seconds begun{0};  ///< When its open transaction began.
};

class Schedule {
 public:
  Schedule(World& world, uint64_t seed) : world_(world), seed_(seed), random_(seed) {
    for (int p = 0; p < kPartitions; ++p)
      partitions_.emplace_back(starts_.emplace_back(world_.partition(p)->high_watermark()));
    for (int number : {0, 1}) {
      Producer& producer = producers_.emplace_back();
      producer.id = World::id_of(seed, number);
      producer.model = std::make_unique<model::TransactionModel>(partitions_, position_);
      producer.version_2 = random_.chance(0.6);
      producer.timeout = random_.chance(0.5) ? kShortTimeout : kLongTimeout;
      if (auto owner = world_.owner_of(producer.id)) {
        producer.model->adopt(*owner);
        producer.given.push_back(*owner);
        producer.timeout = kShortTimeout;  // As it was stored.
      }
    }
    producers_.emplace_back();
  }

  void run() {
    auto steps = 20 + random_.below(41);
    for (uint64_t i = 0; i < steps && !failed(); ++i) {
      step();
      if (outstanding_.empty() && !failed()) check();
    }
    settle();
    if (!failed()) return;
    std::string lines;
    for (const std::string& line : said_) lines += line + "\n";
    ADD_FAILURE() << "seed " << seed_ << ":\n" << lines;
  }

 private:
  static bool failed() { return testing::Test::HasFailure(); }
  void say(std::string line) { said_.push_back(std::move(line)); }
  void expect(Answer answer, Answer expected, const std::string& what) {
    say(what + ": " + testing::PrintToString(answer));
    EXPECT_EQ(answer, expected) << what;
  }

  void step() {
    Producer& producer = producers_[random_.below(producers_.size())];
    if (!producer.model) return step_without_transactions(producer);
    if (producer.given.empty()) return init(producer, std::nullopt);
    ProducerIdentity who = someone(producer);
    begin_maybe(producer, who);
    switch (random_.below(26)) {
      case 0: return init(producer, std::nullopt);
      case 1: return init(producer, who);
      case 2:
      case 3:
      case 4: return add(producer, who, static_cast<int>(random_.below(kPartitions)));
      case 5: return add(producer, who, model::TransactionModel::kPositions);
      case 6: return commit_position(producer, who);
      case 7:
      case 8:
      case 9: return end(producer, who);
      case 10: return end_and_more(producer, who);
      case 11:
        if (auto again = std::move(producer.again)) again();
        return;
      case 12: return mark(producer, who);
      case 13: return happen();
      default: return produce(producer, who);
    }
  }
  /// Most of the time a transaction is open, and has a partition.
  void begin_maybe(Producer& producer, ProducerIdentity who) {
    if (!producer.model->added().empty() || !random_.chance(0.6)) return;
    add(producer, who, static_cast<int>(random_.below(kPartitions)));
  }
  void step_without_transactions(Producer& producer) {
    if (producer.given.empty() || random_.chance(0.1)) return begin_epoch(producer);
    produce(producer, someone(producer));
  }
  /// What is nobody's doing.
  void happen() {
    drain();
    if (random_.chance(0.4)) return pass_time();
    if (random_.chance(0.4)) return restart();
  }
  /// The newest process, or one that was fenced.
  ProducerIdentity someone(const Producer& producer) {
    return random_.chance(0.85) ? producer.given.back() : producer.given[random_.below(producer.given.size())];
  }

  /// Whether the broker's identity is the one that was expected.
  void check_identity(Producer& producer, ProducerIdentity given, ProducerIdentity expected) {
    if (expected != model::kFresh) {
      EXPECT_EQ(text(given), text(expected)) << producer.id;
      return;
    }
    EXPECT_TRUE(world_.first_time(given.id)) << producer.id << " is given " << text(given) << " for the second time";
    EXPECT_THAT(given.epoch, testing::AnyOf(0, 1));  // 1: its first epoch was used to end what was open.
    producer.model->adopt(given);
  }
  void init(Producer& producer, std::optional<ProducerIdentity> current) {
    drain();
    auto answer = world_.init(producer.id, producer.timeout, current);
    auto expected = producer.model->init(current);
    expect(class_of(answer.error), expected.answer, producer.id + " init " + (current ? text(*current) : ""));
    if (answer.error == Error::kNone && !failed()) learn(producer, answer.producer, expected.producer);
    producer.again = [this, &producer, current] { init(producer, current); };
  }
  /// Takes an answered identity over; now and then the answer is lost.
  void learn(Producer& producer, ProducerIdentity given, ProducerIdentity expected) {
    check_identity(producer, given, expected);
    say("  it is " + text(given));
    if (random_.chance(0.15) && !producer.given.empty()) return;
    if (producer.given.empty() || producer.given.back() != given) producer.given.push_back(given);
  }
  void begin_epoch(Producer& producer) {
    bool more = !producer.given.empty() && producer.given.back().epoch < std::numeric_limits<int16_t>::max();
    if (more) {
      producer.given.push_back(producer.given.back());
      ++producer.given.back().epoch;
    } else {
      auto made = world_.transactions().new_producer_id();
      ASSERT_TRUE(made.ok());
      EXPECT_TRUE(world_.first_time(made->id));
      if (random_.chance(0.5)) made->epoch = 32765;
      producer.given.push_back(*made);
    }
  }

  void add(Producer& producer, ProducerIdentity who, int partition) {
    auto answer = answer_of<Error>([&](auto done) {
      if (partition == model::TransactionModel::kPositions)
        world_.transactions().add_offsets(producer.id, who, group(), Joined::kOnDisk, done);
      else
        world_.transactions().add_partitions(producer.id, who, {{"t", PartitionId(partition)}}, Joined::kOnDisk, done);
    });
    if (!producer.model->open()) producer.begun = now_;
    auto expected = producer.model->add(who, partition);
    expect(class_of(answer), expected, producer.id + " add " + std::to_string(partition) + " as " + text(who));
    producer.again = [this, &producer, who, partition] { add(producer, who, partition); };
  }

  std::string group() const { return "g" + std::to_string(seed_); }
  void commit_position(Producer& producer, ProducerIdentity who) {
    if (random_.chance(0.5)) add(producer, who, model::TransactionModel::kPositions);
    int64_t position = ++positions_;
    std::vector<OffsetToCommit> offsets{{{"t", PartitionId(0)}, {Offset(position), 0, "", 0}}};
    auto answer = answer_of<CommitAnswer>([&](auto done) {
      world_.broker().groups().commit_in_transaction({.group_id = group()}, producer.id,
                                                     {.id = who.id, .epoch = who.epoch}, offsets, done);
    });
    auto expected = producer.model->commit_position(who, position);
    expect(class_of(answer.at(0)), expected,
           producer.id + " position " + std::to_string(position) + " as " + text(who));
  }

  void end(Producer& producer, ProducerIdentity who) {
    bool commit = random_.chance(0.7);
    end(producer, who, commit, producer.version_2 != random_.chance(0.05));
  }
  void end(Producer& producer, ProducerIdentity who, bool commit, bool bump) {
    ended(producer, who, commit, bump, ask_end(producer, who, commit, bump).get());
    producer.again = [this, &producer, who, commit, bump] { end(producer, who, commit, bump); };
  }
  std::future<IdentityAnswer> ask_end(Producer& producer, ProducerIdentity who, bool commit, bool bump) {
    auto promise = std::make_shared<std::promise<IdentityAnswer>>();
    auto done = [promise](IdentityAnswer answer) { promise->set_value(answer); };
    world_.transactions().end(producer.id, who, commit, bump, done);
    return promise->get_future();
  }
  void ended(Producer& producer, ProducerIdentity who, bool commit, bool bump, IdentityAnswer answer) {
    auto expected = producer.model->end(who, commit, bump);
    expect(class_of(answer.error), expected.answer,
           producer.id + (commit ? " commit " : " abort ") + (bump ? "2" : "1") + " as " + text(who));
    if (answer.error == Error::kNone && !failed()) learn(producer, answer.producer, expected.producer);
  }
  /// An end, and before it is answered the same question, another one, or a batch.
  void end_and_more(Producer& producer, ProducerIdentity who) {
    drain();
    bool commit = random_.chance(0.5), bump = producer.version_2, other = random_.chance(0.3) ? !commit : commit;
    Batch batch = new_batch(producer, who);
    auto first = ask_end(producer, who, commit, bump);
    if (random_.chance(0.3)) {
      auto late = ask_produce(producer, batch);
      ended(producer, who, commit, bump, first.get());
      EXPECT_FALSE(late.get().ok());
      EXPECT_NE(producer.model->produce(who, batch.partition, batch.first_sequence, batch.values).answer,
                Answer::kDone);
      return;
    }
    auto second = ask_end(producer, who, other, bump).get(), answered = first.get();
    // Where both wait for the end before to be complete, either may come first.
    bool overtaken = answered.error == Error::kConcurrentTransactions && second.error == Error::kNone;
    if (!overtaken) ended(producer, who, commit, bump, answered);
    if (second.error != Error::kConcurrentTransactions) ended(producer, who, other, bump, second);
  }

  void mark(Producer& producer, ProducerIdentity who) {
    if (!random_.chance(0.2)) return;
    drain();
    auto partition = static_cast<int>(random_.below(kPartitions));
    bool commit = random_.chance(0.5);
    if (who.epoch < 32000) who.epoch = static_cast<int16_t>(who.epoch + static_cast<int16_t>(random_.below(3)));
    auto answer = answer_of<Status>([&](auto done) {
      world_.transactions().write_marker({"t", PartitionId(partition)}, who, commit, /*coordinator_epoch=*/0, done);
    });
    auto expected = model_of(partition).mark(who, commit);
    expect(answer.ok() ? Answer::kDone : class_of(answer.error().code), expected,
           producer.id + " marker in " + std::to_string(partition) + " as " + text(who));
  }

  model::PartitionModel& model_of(int partition) { return partitions_[static_cast<size_t>(partition)]; }
  /// A batch with the sequence that is due, mostly.
  Batch new_batch(Producer& producer, ProducerIdentity who) {
    auto partition = static_cast<int>(random_.below(kPartitions));
    if (producer.model && !producer.model->added().empty() && random_.chance(0.9))
      partition = std::max(0, *std::next(producer.model->added().begin(),
                                         static_cast<int>(random_.below(producer.model->added().size()))));
    constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
    auto due = model_of(partition).expected_sequence(who);
    if (!due) due = random_.chance(0.5) ? 0 : kMax - static_cast<int32_t>(random_.below(8));
    if (random_.chance(0.05)) due = model::sequence_after(*due, 1 + random_.below(3));
    return batch_behind(producer, who, partition, *due);
  }
  Batch batch_behind(Producer& producer, ProducerIdentity who, int partition, int32_t sequence) {
    Batch batch{who, partition, sequence, {}};
    for (uint64_t i = 0; i <= random_.below(4); ++i)
      batch.values.push_back(std::to_string(seed_) + "/" + std::to_string(made_++));
    producer.batches.push_back(batch);
    return batch;
  }
  void produce(Producer& producer, ProducerIdentity who) {
    auto kind = random_.below(10);
    if (kind < 2 && !producer.batches.empty()) {  // Once more, or late.
      size_t back = random_.below(std::min<size_t>(producer.batches.size(), 9));
      return send(producer, Batch(producer.batches[producer.batches.size() - 1 - back]));
    }
    Batch batch = new_batch(producer, who);
    if (kind == 2) return;  // It comes late.
    if (kind == 3) {        // Overtaken by the next.
      auto behind = model::sequence_after(batch.first_sequence, batch.values.size());
      Batch next = batch_behind(producer, who, batch.partition, behind);
      send(producer, next);
      send(producer, batch);
      return send(producer, next);
    }
    send(producer, batch);
  }
  void send(Producer& producer, const Batch& batch) {
    sent(producer, batch, ask_produce(producer, batch));
    if (outstanding_.size() >= 5 || random_.chance(0.5)) drain();
  }
  std::future<Result<Produced>> ask_produce(Producer& producer, const Batch& batch) {
    bool transactional = producer.model != nullptr;
    record::Batch bytes = record::with_producer(batch_of(batch.values), {.id = batch.who.id,
                                                                         .epoch = batch.who.epoch,
                                                                         .base_sequence = batch.first_sequence,
                                                                         .transactional = transactional});
    auto promise = std::make_shared<std::promise<Result<Produced>>>();
    auto done = [promise](Result<Produced> produced) { promise->set_value(std::move(produced)); };
    auto partition = world_.partition(batch.partition);
    if (transactional)
      world_.transactions().produce(producer.id, partition, std::span(&bytes, 1), done);
    else
      partition->produce(std::span(&bytes, 1), done);
    return promise->get_future();
  }
  void sent(Producer& producer, const Batch& batch, std::future<Result<Produced>> answer) {
    auto expected = producer.model
                        ? producer.model->produce(batch.who, batch.partition, batch.first_sequence, batch.values)
                        : model_of(batch.partition).append(batch.who, batch.first_sequence, batch.values, false);
    // Whatever the model says: nothing of a process that a newer one has taken over from.
    bool zombie = producer.model && !producer.given.empty() && is_older(batch.who, producer.given.back());
    EXPECT_FALSE(zombie && expected.answer == Answer::kDone);
    std::string what = producer.id + " batch " + batch.values[0] + " of " + std::to_string(batch.values.size()) +
                       " from " + std::to_string(batch.first_sequence) + " to " + std::to_string(batch.partition) +
                       " as " + text(batch.who);
    outstanding_.push_back({std::move(what), std::move(answer), expected});
  }
  /// Waits for the answers of batches.
  void drain() {
    for (Outstanding& one : outstanding_) {
      auto produced = one.answer.get();
      expect(class_of(produced), one.expected.answer, one.what);
      if (!produced.ok()) continue;
      EXPECT_EQ(produced->base_offset, one.expected.offset) << one.what;
    }
    outstanding_.clear();
  }

  void pass_time() {
    say("time passes");
    now_ += kTimePasses;
    world_.pass(kTimePasses);
    for (Producer& producer : producers_) {
      bool ends = producer.model && producer.model->open() && now_ >= producer.begun + producer.timeout;
      if (!ends || failed()) continue;
      say(producer.id + " times out");
      world_.await_abort(producer.id);
      producer.model->time_out();
      check_identity(producer, world_.transactions().describe(producer.id)->producer, producer.model->owner());
    }
  }
  void restart() {
    bool power_loss = random_.chance(0.5);
    say(power_loss ? "power loss" : "restart");
    world_.restart(power_loss);
    for (Producer& producer : producers_) {
      producer.begun = now_;  // Timeouts begin anew.
      if (producer.model) producer.model->restart();
    }
  }

  /// Nothing is on its way.
  void check() {
    for (int p = 0; p < kPartitions; ++p) {
      auto partition = world_.partition(p);
      EXPECT_EQ(partition->high_watermark(), model_of(p).end()) << "the end of " << p;
      EXPECT_EQ(partition->last_stable(), model_of(p).last_stable()) << "the last stable offset of " << p;
    }
    if (random_.chance(0.2)) check_readers();
  }
  void check_readers() {
    for (int p = 0; p < kPartitions; ++p) {
      for (auto isolation : {bus::Isolation::kReadUncommitted, bus::Isolation::kReadCommitted}) {
        Values seen = values_in(*world_.partition(p), isolation, starts_[static_cast<size_t>(p)]);
        EXPECT_EQ(seen, model_of(p).visible(isolation)) << "partition " << p;
        EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size()) << "twice in " << p;
      }
    }
    for (bool stable : {false, true}) {
      auto found = world_.broker().groups().fetch(group(), {{{"t", PartitionId(0)}}}, stable).at(0);
      bool unstable = stable && !position_.stable();
      EXPECT_EQ(found.error, unstable ? Error::kUnstableOffset : Error::kNone);
      if (unstable) continue;
      EXPECT_EQ(found.offset.offset.value, position_.committed());
    }
  }
  /// A new process for each producer, which ends what is open; then everything is stable.
  void settle() {
    drain();
    for (Producer& producer : producers_)
      if (producer.model && !failed()) init(producer, std::nullopt);
    if (failed()) return;
    check();
    check_readers();
    for (int p = 0; p < kPartitions; ++p)
      EXPECT_EQ(world_.partition(p)->last_stable(), world_.partition(p)->high_watermark()) << p << " hangs";
  }

  struct Outstanding {
    std::string what;
    std::future<Result<Produced>> answer;
    model::PartitionModel::Appended expected;
  };

  World& world_;
  const uint64_t seed_;
  os::Random random_;
  std::vector<Offset> starts_;  ///< Of the partitions, when the schedule began.
  std::vector<model::PartitionModel> partitions_;
  model::PositionModel position_;
  std::deque<Producer> producers_;
  std::vector<Outstanding> outstanding_;
  std::chrono::seconds now_{0};
  int64_t positions_ = 0;
  int made_ = 0;
  std::vector<std::string> said_;
};

TEST(TransactionModel, WhatIsAnsweredAndReadIsWhatKafkaSays) {
  os::Seeds seeds = os::seeds_wanted(5000);
  set_log_level(seeds.alone() ? LogLevel::kInfo : LogLevel::kError);
  std::unique_ptr<World> world;
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) {
    if ((seed - seeds.first) % kSchedulesPerBroker == 0)
      world = std::make_unique<World>(os::Seeds{seed, std::min(seeds.last, seed + kSchedulesPerBroker - 1)});
    if (HasFailure()) break;
    Schedule(*world, seed).run();
  }
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace headrace::broker
