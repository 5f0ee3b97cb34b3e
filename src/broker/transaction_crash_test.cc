// The transaction coordinator on a disk that loses what was not synced, crashed after every so many operations:
// idempotent and transactional producers that go on or begin anew after each crash, and what they may rely on.
//
// - A record that was answered for is in its place, once, however often it was sent.
// - A transaction's records and positions are seen together or not at all, as its end was answered; nothing late joins
//   them.
// - Positions never go back. Producer ids are never given out twice, and epochs of one only grow.
#include <functional>
#include <map>
#include <set>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/random.h"
#include "os/schedules.h"
#include "os/simulated_file_system.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;
using Values = std::vector<std::string>;

constexpr int32_t kPartitions = 3;
constexpr auto kCommitted = bus::Isolation::kReadCommitted;
constexpr auto kUncommitted = bus::Isolation::kReadUncommitted;

/// A broker, its disk, and the way to call both.
class World {
 public:
  explicit World(uint64_t seed) : random(seed), seed_(seed) {}

  Status open() {
    // Logs of the coordinators that are written anew and compacted all the time.
    BrokerOptions options{.data_directory = "/data",
                          .flush_threads = 1,
                          .compaction = {.seed = seed_},
                          .coordinator_rewrite_bytes_min = 4000};
    auto opened = Broker::open(options, metrics_, clock_, disk);
    if (!opened.ok()) return opened.error();
    broker_ = *std::move(opened);
    return {};
  }
  void close() { broker_.reset(); }
  void create_topics() {
    ASSERT_TRUE(broker_->create_topic({.name = "in", .partitions = kPartitions, .configs = {}}).ok());
    ASSERT_TRUE(broker_->create_topic({.name = "plain", .partitions = 1, .configs = {{"segment.bytes", "2000"}}}).ok());
    ASSERT_TRUE(
        broker_->create_topic({.name = "out", .partitions = kPartitions, .configs = {{"segment.bytes", "2000"}}}).ok());
    for (const char* internal : {"__transaction_state", "__consumer_offsets"}) {
      ASSERT_TRUE(
          broker_->alter_configs(internal, {{"segment.bytes", "1500"}, {"min.cleanable.dirty.ratio", "0.01"}}).ok());
    }
  }

  bool alive() const { return !disk.crashed(); }
  Transactions& transactions() { return broker_->transactions(); }
  Groups& groups() { return broker_->groups(); }
  void compact() { broker_->apply_compaction(); }
  std::shared_ptr<Partition> out(int32_t id) { return broker_->partition({"out", PartitionId(id)}); }
  std::shared_ptr<Partition> plain() { return broker_->partition({"plain", PartitionId(0)}); }
  FetchedOffset position(const std::string& group, int32_t partition, bool stable) {
    return groups().fetch(group, std::vector<TopicPartition>{{"in", PartitionId(partition)}}, stable).at(0);
  }

  os::SimulatedFileSystem disk;
  os::Random random;

 private:
  const uint64_t seed_;
  os::ManualClock clock_{1700000000000};
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

/// Whether `values` are the first ones of `expected`.
bool begins(const Values& expected, const Values& values) {
  return values.size() <= expected.size() && std::equal(values.begin(), values.end(), expected.begin());
}

/// How the transaction ended in `partition` that `value` belongs to; nothing while it has not, or without the value.
std::optional<record::ControlType> marker_behind(Partition& partition, const std::string& value) {
  std::optional<ProducerId> producer;
  Offset at = partition.log_start();
  while (at < partition.high_watermark()) {
    auto data = partition.read(at, 1 << 20, kUncommitted);
    if (!data.ok() || data->next_offset <= at) break;
    auto batches = record::split_batches(data->batches, false);
    for (const record::Batch& batch : *batches) {
      if (producer && batch.header().is_control() && batch.header().producer_id == *producer)
        return (*record::read_marker(batch.header(), batch.bytes().view()))->type;
      if (batch.header().is_control()) continue;
      record::RecordReader reader(batch, 1 << 20);
      while (const record::RecordView* record = reader.next())
        if (*record->value == value) producer = batch.header().producer_id;
    }
    at = data->next_offset;
  }
  return std::nullopt;
}

/// A producer without transactions that sends each batch until it is answered, and now and then once more.
class Idempotent {
 public:
  explicit Idempotent(World& world) : world_(world) {}

  bool step() {
    if (producer_.id == kNoProducerId && !begin()) return false;
    size_t answered = first_of_batch_.size();
    bool again = answered > 0 && world_.random.chance(0.2);
    if (again) return send(answered - 1);
    if (!in_doubt_) {
      in_doubt_ = 1 + static_cast<int32_t>(world_.random.below(3));
      for (int32_t i = 0; i < in_doubt_; ++i) sent_.push_back("n" + std::to_string(sent_.size()));
    }
    return send(answered);
  }

  void check() {
    Values found = values_in(*world_.plain(), kUncommitted);
    EXPECT_GE(found.size(), answered_);
    EXPECT_TRUE(begins(sent_, found)) << "not what was sent";
  }

 private:
  bool begin() {
    auto made = world_.transactions().new_producer_id();
    if (!made.ok()) return false;
    EXPECT_TRUE(ids_.insert(made->id).second) << "producer id " << made->id.value << " for the second time";
    producer_ = *made;
    return true;
  }

  /// The batch with this number; batches are answered in their order.
  bool send(size_t number) {
    bool again = number < first_of_batch_.size();
    size_t from = again ? first_of_batch_[number] : answered_;
    size_t to = again && number + 1 < first_of_batch_.size() ? first_of_batch_[number + 1]
                : again                                      ? answered_
                                                             : from + static_cast<size_t>(in_doubt_);
    record::Batch batch = record::with_producer(
        batch_of({sent_.begin() + static_cast<ptrdiff_t>(from), sent_.begin() + static_cast<ptrdiff_t>(to)}),
        {.id = producer_.id, .epoch = producer_.epoch, .base_sequence = static_cast<int32_t>(from)});
    auto produced = produce(*world_.plain(), batch);
    if (!produced.ok()) {
      EXPECT_FALSE(world_.alive()) << produced.error().message;
      return false;
    }
    EXPECT_EQ(produced->base_offset.value, static_cast<int64_t>(from));
    EXPECT_TRUE(produced->duplicate || !again);
    if (again) return true;
    first_of_batch_.push_back(from);
    answered_ = to;
    in_doubt_ = 0;
    return true;
  }

  World& world_;
  ProducerIdentity producer_;
  std::set<ProducerId> ids_;
  Values sent_;
  std::vector<size_t> first_of_batch_;  ///< Of those that were answered for.
  size_t answered_ = 0;
  int32_t in_doubt_ = 0;  ///< Records of the batch that is being sent.
};

enum class Fate { kOpen, kCommitSent, kAbortSent, kCommitted, kAborted };

/// A transaction as its producer knows it.
struct Attempt {
  Fate fate = Fate::kOpen;
  std::map<int32_t, Values> values;  ///< Sent, by partition.
  int64_t position = -1;
  bool answered = false;  ///< Something of it is on the disk.
};

/// A transactional producer. What was not answered it asks again, until it is; or it begins anew.
class Copier {
 public:
  Copier(World& world, std::string id, int32_t number) : world_(world), id_(std::move(id)), number_(number) {}

  /// False when the disk has failed.
  bool step() {
    if (unanswered_) return retry();
    if (!identity_) return attempt([this] { return init(); });
    if (attempts_.empty() || attempts_.back().fate != Fate::kOpen) {
      if (world_.random.chance(0.2)) return late();
      attempts_.emplace_back();
    }
    switch (world_.random.below(8)) {
      case 0:
      case 1: return end(!world_.random.chance(0.3));
      case 2: return commit_position();
      case 3: return !world_.random.chance(0.1) || attempt([this] { return init(); });
      default: return produce_one();
    }
  }

  /// After a crash: the process of the producer may be gone too.
  void crashed() {
    if (!attempts_.empty() && attempts_.back().fate == Fate::kOpen) lost_ = true;
    if (world_.random.chance(0.5)) return;
    identity_.reset();
    unanswered_ = {};
  }

  /// Ends what is open.
  void settle() {
    unanswered_ = {};
    ASSERT_TRUE(attempt([this] { return init(); }));
    ASSERT_TRUE(identity_);
  }

  void check(bool settled) {
    for (int32_t p = 0; p < kPartitions; ++p) check_partition(p, settled);
    check_position(settled);
  }

  Values sent(int32_t partition) const {
    Values all;
    for (const Attempt& one : attempts_) {
      if (auto found = one.values.find(partition); found != one.values.end())
        all.insert(all.end(), found->second.begin(), found->second.end());
    }
    return all;
  }

 private:
  using Call = std::function<bool()>;

  bool attempt(Call call) {
    unanswered_ = std::move(call);
    return retry();
  }
  bool retry() {
    Call call = unanswered_;
    if (!call()) return false;
    unanswered_ = {};
    return true;
  }
  /// What to do with a refusal. While the disk works, only what a crash took before anything of it was answered for may
  /// be refused; the producer begins anew then.
  bool refused(std::string_view what, std::string_view why) {
    if (!world_.alive()) return false;
    EXPECT_TRUE(lost_ && !attempts_.back().answered) << id_ << " " << what << " is refused: " << why;
    identity_.reset();
    return true;
  }
  ProducerIdentity me() const { return *identity_; }
  Attempt& now() { return attempts_.back(); }

  bool init() {
    auto answer =
        answer_of<IdentityAnswer>([&](auto done) { world_.transactions().init(id_, 60s, std::nullopt, done); });
    if (answer.error != Error::kNone) {
      EXPECT_FALSE(world_.alive()) << id_ << " init: " << to_string(answer.error);
      return false;
    }
    EXPECT_TRUE(answer.producer.id != last_.id || answer.producer.epoch > last_.epoch) << "an epoch goes back";
    begin_with(answer.producer);
    if (!world_.alive()) return false;  // As if the answer were lost.
    version_2_ = world_.random.chance(0.5);
    if (attempts_.empty()) return true;
    Fate fate = decided();
    if (!world_.alive()) return false;
    now().fate = fate;
    return true;
  }
  void begin_with(ProducerIdentity identity) {
    if (identity != last_) sequences_.clear();
    identity_ = last_ = identity;
    added_.clear();
    lost_ = false;
  }
  /// The next producer has begun, so the fate of what the one before left is settled, and can be looked up.
  Fate decided() {
    switch (now().fate) {
      case Fate::kCommitSent: return is_committed(now()) ? Fate::kCommitted : Fate::kAborted;
      case Fate::kCommitted: return Fate::kCommitted;
      default: return Fate::kAborted;
    }
  }
  bool is_committed(const Attempt& one) {
    if (!one.values.empty()) {
      const auto& [partition, values] = *one.values.begin();
      auto marker = marker_behind(*world_.out(partition), values.front());
      EXPECT_TRUE(marker || !world_.alive()) << values.front() << " has no marker in out-" << partition;
      return marker == record::ControlType::kCommit;
    }
    return one.position >= 0 && position(true).offset.offset.value == one.position;
  }

  bool add(int32_t partition) {
    if (!version_2_ && added_.contains(partition)) return true;
    auto error = answer_of<Error>([&](auto done) {
      world_.transactions().add_partitions(id_, me(), {{"out", PartitionId(partition)}}, joined(), done);
    });
    if (error != Error::kNone) return refused("add", to_string(error));
    has_joined(partition);
    return true;
  }
  /// Under version 2 each request joins for itself.
  Joined joined() const { return version_2_ ? Joined::kWritten : Joined::kOnDisk; }
  void has_joined(int32_t partition) {
    added_.insert(partition);
    if (!version_2_) now().answered = true;
  }
  bool produce_one() {
    auto partition = static_cast<int32_t>(world_.random.below(kPartitions));
    std::string value = id_ + "-" + std::to_string(attempts_.size()) + "-" + std::to_string(serial_++);
    now().values[partition].push_back(value);
    return attempt([this, partition, value] { return send(partition, value); });
  }
  bool send(int32_t partition, const std::string& value) {
    if (!add(partition)) return false;
    if (!identity_) return true;
    int32_t& sequence = sequences_[partition];
    auto produced = produce_as(me(), sequence, partition, value);
    if (!produced.ok()) return refused("produce", produced.error().message);
    ++sequence;
    now().answered = true;
    return true;
  }
  Result<Produced> produce_as(ProducerIdentity producer, int32_t sequence, int32_t partition,
                              const std::string& value) {
    record::Batch batch = record::with_producer(
        batch_of({value}),
        {.id = producer.id, .epoch = producer.epoch, .base_sequence = sequence, .transactional = true});
    return answer_of<Result<Produced>>(
        [&](auto done) { world_.transactions().produce(id_, world_.out(partition), std::span(&batch, 1), done); });
  }
  /// A record that comes when its transaction is over.
  bool late() {
    auto partition = static_cast<int32_t>(world_.random.below(kPartitions));
    EXPECT_FALSE(produce_as(before_, sequences_before_[partition], partition, "late").ok());
    return world_.alive();
  }

  bool commit_position() {
    int64_t position = ++position_sent_;
    now().position = position;
    return attempt([this, position] { return commit_position(position); });
  }
  bool commit_position(int64_t position) {
    if (version_2_ || !added_.contains(-1)) {
      auto error =
          answer_of<Error>([&](auto done) { world_.transactions().add_offsets(id_, me(), "g", joined(), done); });
      if (error != Error::kNone) return refused("add offsets", to_string(error));
      has_joined(-1);
    }
    std::vector<OffsetToCommit> offsets{{{"in", PartitionId(number_)}, {Offset(position), 0, "", 0}}};
    auto answer = answer_of<CommitAnswer>([&](auto done) {
      world_.groups().commit_in_transaction({.group_id = "g"}, id_, {.id = me().id, .epoch = me().epoch}, offsets,
                                            done);
    });
    if (answer.at(0) != Error::kNone) return refused("commit position", to_string(answer[0]));
    now().answered = true;
    return true;
  }

  bool end(bool commit) {
    if (added_.empty() && !now().answered) return true;
    before_ = me();
    sequences_before_ = sequences_;
    now().fate = commit ? Fate::kCommitSent : Fate::kAbortSent;
    return attempt([this, commit] { return ask_end(commit); });
  }
  bool ask_end(bool commit) {
    auto answer =
        answer_of<IdentityAnswer>([&](auto done) { world_.transactions().end(id_, me(), commit, version_2_, done); });
    if (answer.error != Error::kNone) return refused(commit ? "commit" : "abort", to_string(answer.error));
    EXPECT_EQ(answer.producer == me(), !version_2_);
    now().fate = commit ? Fate::kCommitted : Fate::kAborted;
    begin_with(answer.producer);
    return true;
  }

  void check_partition(int32_t partition, bool settled) {
    Values certain, possible;
    for (const Attempt& one : attempts_) {
      auto found = one.values.find(partition);
      if (found == one.values.end()) continue;
      if (one.fate == Fate::kCommitted) certain.insert(certain.end(), found->second.begin(), found->second.end());
      if (one.fate == Fate::kCommitSent) possible = found->second;
    }
    possible.insert(possible.begin(), certain.begin(), certain.end());
    Values found = mine(values_in(*world_.out(partition), kCommitted));
    // An open transaction, this producer's or another's, hides what came after it began.
    bool all = !settled || found == certain;
    EXPECT_TRUE(all && begins(possible, found)) << "out-" << partition << " shows " << testing::PrintToString(found)
                                                << " of " << id_ << ", not " << testing::PrintToString(possible);
    check_once(partition, certain);
  }
  /// Nothing is there twice, and nothing of a committed transaction is missing.
  void check_once(int32_t partition, const Values& certain) {
    Values found = mine(values_in(*world_.out(partition), kUncommitted));
    std::set<std::string> once(found.begin(), found.end());
    EXPECT_EQ(once.size(), found.size()) << "twice in out-" << partition;
    for (const std::string& value : certain) EXPECT_TRUE(once.contains(value)) << value << " is lost";
    Values all = sent(partition);
    for (const std::string& value : found)
      EXPECT_NE(std::find(all.begin(), all.end(), value), all.end()) << value << " was never sent";
  }
  Values mine(Values values) const {
    std::erase_if(values, [&](const std::string& value) { return !value.starts_with(id_ + "-"); });
    return values;
  }
  FetchedOffset position(bool stable) { return world_.position("g", number_, stable); }
  void check_position(bool settled) {
    int64_t certain = -1, possible = -1;
    for (const Attempt& one : attempts_) {
      if (one.position < 0) continue;
      if (one.fate == Fate::kCommitted) certain = possible = one.position;
      if (one.fate == Fate::kCommitSent) possible = one.position;
    }
    FetchedOffset found = position(settled);
    EXPECT_EQ(found.error, Error::kNone);
    EXPECT_THAT(found.offset.offset.value, testing::AnyOf(certain, possible)) << "position of " << id_;
  }

  World& world_;
  const std::string id_;
  const int32_t number_;  ///< The partition of `in` that it has positions of.
  std::optional<ProducerIdentity> identity_;
  ProducerIdentity last_;    ///< The newest identity that was answered.
  ProducerIdentity before_;  ///< The one of the transaction before.
  std::map<int32_t, int32_t> sequences_, sequences_before_;
  std::set<int32_t> added_;  ///< Partitions of the open transaction; -1: the group's.
  std::vector<Attempt> attempts_;
  Call unanswered_;
  int64_t position_sent_ = 0;
  int serial_ = 0;
  bool version_2_ = false;  ///< KIP-890: each end has a new epoch.
  bool lost_ = false;       ///< The open transaction has seen a crash.
};

/// A group that commits without transactions.
class Committer {
 public:
  explicit Committer(World& world) : world_(world) {}
  bool step() {
    std::vector<OffsetToCommit> offsets{{{"in", PartitionId(0)}, {Offset(++sent_), 0, "", 0}}};
    auto answer =
        answer_of<CommitAnswer>([&](auto done) { world_.groups().commit({.group_id = "plain"}, offsets, done); });
    if (answer.at(0) != Error::kNone) return false;
    answered_ = sent_;
    return true;
  }
  void check() {
    int64_t found = world_.position("plain", 0, true).offset.offset.value;
    EXPECT_GE(found, answered_);
    EXPECT_LE(found, sent_);
    answered_ = found;
  }

 private:
  World& world_;
  int64_t sent_ = 0, answered_ = -1;
};

class Schedule {
 public:
  explicit Schedule(uint64_t seed) : world_(seed * 7919) {}

  void run() {
    ASSERT_TRUE(world_.open().ok());
    world_.create_topics();
    for (int life = 0; life < 3; ++life) {
      SCOPED_TRACE("life " + std::to_string(life));
      live();
      if (testing::Test::HasFailure()) return;
      restart();
      if (testing::Test::HasFailure()) return;
      check(/*settled=*/false);
      if (testing::Test::HasFailure()) return;
    }
    for (Copier& copier : copiers_) copier.settle();
    check(/*settled=*/true);
    for (int32_t p = 0; p < kPartitions; ++p) {
      EXPECT_EQ(world_.out(p)->last_stable(), world_.out(p)->high_watermark()) << "out-" << p << " hangs";
    }
  }

 private:
  void live() {
    world_.disk.crash_after(world_.random.below(300));
    while (world_.alive() && step() && !testing::Test::HasFailure()) {
    }
    world_.disk.crash();
  }
  bool step() {
    switch (world_.random.below(10)) {
      case 0:
      case 1: return plain_.step();
      case 2: return committer_.step();
      case 3:
        if (world_.random.chance(0.3)) world_.compact();
        return true;
      default: return copiers_[world_.random.below(std::size(copiers_))].step();
    }
  }
  void restart() {
    auto mode = static_cast<os::CrashMode>(world_.random.below(5));
    world_.close();
    world_.disk.restart(mode, world_.random.next());
    for (Copier& copier : copiers_) copier.crashed();
    if (world_.random.chance(0.3)) {  // Opening is cut short too.
      world_.disk.crash_after(world_.random.below(30));
      (void)world_.open();
      world_.disk.crash();
      world_.close();
      world_.disk.restart(mode, world_.random.next());
    }
    Status opened = world_.open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
  }
  void check(bool settled) {
    plain_.check();
    committer_.check();
    for (Copier& copier : copiers_) copier.check(settled);
  }

  World world_;
  Idempotent plain_{world_};
  Committer committer_{world_};
  Copier copiers_[2] = {{world_, "x", 1}, {world_, "y", 2}};
};

TEST(TransactionCrash, AnsweredIsKeptOnceAndTransactionsAreWhole) {
  os::Seeds seeds = os::seeds_wanted(100);
  set_log_level(seeds.alone() ? LogLevel::kInfo : LogLevel::kError);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Schedule(seed).run();
  }
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace headrace::broker
