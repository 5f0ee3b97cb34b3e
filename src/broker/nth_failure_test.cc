// The whole broker on a disk of which one call fails: the n-th of its kind, for every n until a pass meets no failure.
// A script touches everything that is kept: topics and their configs, settings, records, groups of both kinds, offsets,
// transactions; logs are rolled, compacted and written anew meanwhile. Whatever fails, every call is answered, what was
// answered for is there after the next start and after a power loss behind it, transactions are all or nothing, and the
// broker goes on.
//
// HEADRACE_SCHEDULES=kStride runs every n, the default one in kStride.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/schedules.h"
#include "os/simulated_file_system.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;
using Values = std::vector<std::string>;

constexpr uint64_t kStride = 7;

struct Fault {
  os::DiskCall call;
  os::DiskFault fault;
};

/// Ends the program when something takes too long, and says what.
class Watchdog {
 public:
  explicit Watchdog(std::string what) : what_(std::move(what)), thread_([this] { watch(); }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, 20s, [this] { return done_; })) return;
    std::fprintf(stderr, "%s: a call was not answered\n", what_.c_str());
    std::abort();
  }

  const std::string what_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

/// What may be found of something: what was answered for last, and what was asked for since without success.
class Known {
 public:
  Known(std::string what, std::string now) : what_(std::move(what)), possible_{std::move(now)} {}
  bool asked(std::string value, bool done) {
    if (done) possible_.clear();
    possible_.insert(std::move(value));
    return done;
  }
  void check(const std::string& found) const { EXPECT_THAT(possible_, testing::Contains(found)) << what_; }
  void settle(const std::string& found) {
    check(found);
    possible_ = {found};
  }

 private:
  const std::string what_;
  std::set<std::string> possible_;
};

/// A broker, its disk, and the way to call both.
class World {
 public:
  Status open() {
    auto opened = Broker::open({.data_directory = "/data",
                                .flush_threads = 1,
                                .group_initial_rebalance_delay = 0ms,
                                .consumer_group_session_timeout = 1800000ms,
                                .coordinator_rewrite_bytes_min = 2500},
                               metrics_, os::system_clock(), disk);
    if (!opened.ok()) return opened.error();
    broker_ = *std::move(opened);
    return {};
  }
  void close() { broker_.reset(); }
  Broker& broker() { return *broker_; }
  Groups& groups() { return broker_->groups(); }
  Transactions& transactions() { return broker_->transactions(); }
  std::shared_ptr<Partition> partition(const std::string& topic, int32_t id) {
    return broker_->partition({topic, PartitionId(id)});
  }
  std::string position(const std::string& group, const TopicPartition& tp, bool stable = false) {
    FetchedOffset found = groups().fetch(group, std::vector<TopicPartition>{tp}, stable).at(0);
    return found.error == Error::kNone ? std::to_string(found.offset.offset.value)
                                       : std::string(to_string(found.error));
  }
  bool commit(const GroupCaller& caller, const std::vector<TopicPartition>& partitions, int64_t position) {
    std::vector<OffsetToCommit> offsets;
    for (const TopicPartition& tp : partitions) offsets.push_back({tp, {Offset(position), 0, "", 0}});
    auto answer = answer_of<CommitAnswer>([&](auto done) { groups().commit(caller, offsets, done); });
    for (Error error : answer) EXPECT_EQ(error, answer[0]) << "half of a commit";
    return answer.at(0) == Error::kNone;
  }

  os::SimulatedFileSystem disk;

 private:
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

/// Topics that are made, changed and deleted, and one of an old name.
class TopicScript {
 public:
  explicit TopicScript(World& world) : world_(world) {}

  void change() {
    Broker& broker = world_.broker();
    kept_.asked("2 retention.ms=1000000", broker.create_topic({"kept", 2, -1, {{"retention.ms", "1000000"}}}).ok());
    std::string before = found("kept");
    if (before.empty()) return;
    before[0] = '3';
    kept_.asked(before, broker.create_partitions("kept", 3).ok());
    std::string count = found("kept").substr(0, 1);
    Status altered = broker.alter_configs("kept", {{"retention.ms", "2000000"}, {"max.message.bytes", "5000"}});
    kept_.asked(count + " max.message.bytes=5000 retention.ms=2000000", altered.ok());
  }
  /// Where the topic is gone, so is what was committed to it, for good.
  void make_anew() {
    Broker& broker = world_.broker();
    if (!gone_.asked("1", broker.create_topic({"gone", 1, -1, {}}).ok())) return;
    position_.asked("5", world_.commit({"gone"}, {{"gone", PartitionId(0)}}, 5));
    gone_.asked("", broker.delete_topic("gone").ok());
    position_.asked("-1", !broker.topic("gone"));
    gone_.asked("1", broker.create_topic({"gone", 1, -1, {}}).ok());
  }
  void check() {
    kept_.settle(found("kept"));
    gone_.settle(found("gone"));
    position_.settle(world_.position("gone", {"gone", PartitionId(0)}));
  }

 private:
  std::string found(const std::string& name) {
    auto topic = world_.broker().topic(name);
    if (!topic) return "";
    std::string text = std::to_string(topic->partitions.size());
    for (const auto& [key, value] : topic->configs) text += " " + key + "=" + value;
    return text;
  }

  World& world_;
  Known kept_{"topic kept", ""}, gone_{"topic gone", ""}, position_{"the position in topic gone", "-1"};
};

/// Quotas and configs of groups.
class SettingsScript {
 public:
  explicit SettingsScript(World& world) : world_(world) {}

  void change() {
    Settings& settings = world_.broker().settings();
    for (const char* rate : {"1000", "2000"})
      quota_.asked(rate, settings.alter_quota(kEntity, {{"producer_byte_rate", std::stod(rate)}}, false).ok());
    for (const char* timeout : {"50000", "55000"})
      config_.asked(timeout, settings.put_configs(ResourceKind::kGroup, "g", {{kTimeout, timeout}}).ok());
    quota_.asked("", settings.alter_quota(kEntity, {{"producer_byte_rate", std::nullopt}}, false).ok());
  }
  void check() {
    Settings& settings = world_.broker().settings();
    auto values = settings.quotas()->values_of(kEntity);
    quota_.settle(values.empty() ? "" : std::to_string(static_cast<int>(values.begin()->second)));
    auto configs = settings.configs(ResourceKind::kGroup, "g");
    config_.settle(configs.empty() ? "" : configs.at(kTimeout));
  }

 private:
  static inline const QuotaEntity kEntity{{"client-id", "c"}};
  static constexpr const char* kTimeout = "consumer.session.timeout.ms";
  World& world_;
  Known quota_{"quota", ""}, config_{"configs of group g", ""};
};

/// A producer without transactions.
class PlainScript {
 public:
  explicit PlainScript(World& world) : world_(world) {}

  bool produce_one() {
    auto partition = world_.partition("in", 0);
    if (!partition) return false;
    sent_.push_back("p" + std::to_string(sent_.size()));
    bool done = produce(*partition, batch_of({sent_.back()})).ok();
    if (done) answered_.push_back(sent_.back());
    return done;
  }
  void take_producer_id() {
    auto made = world_.transactions().new_producer_id();
    if (!made.ok()) return;
    EXPECT_TRUE(ids_.insert(made->id).second) << "producer id " << made->id.value << " for the second time";
  }
  void check() {
    take_producer_id();
    auto partition = world_.partition("in", 0);
    EXPECT_TRUE(partition || answered_.empty());
    if (!partition) return;
    Values found = values_in(*partition);
    EXPECT_TRUE(is_part(answered_, found))
        << "lost: of " << testing::PrintToString(answered_) << " there is only " << testing::PrintToString(found);
    EXPECT_TRUE(is_part(found, sent_)) << "not what was sent: " << testing::PrintToString(found);
  }

  /// Whether `part` is `whole` with some left out.
  static bool is_part(const Values& part, const Values& whole) {
    auto at = part.begin();
    for (const std::string& value : whole) at += at != part.end() && *at == value;
    return at == part.end();
  }

 private:
  World& world_;
  Values sent_, answered_;
  std::set<ProducerId> ids_;
};

/// Groups of both kinds, and committed offsets.
class GroupScript {
 public:
  explicit GroupScript(World& world) : world_(world) {}

  bool commit() {
    ++position_;
    std::string text = std::to_string(position_);
    return positions_.asked(text + " " + text, world_.commit({"plain"}, kPartitions, position_));
  }
  void forget_offsets() {
    auto answer =
        answer_of<CommitAnswer>([&](auto done) { world_.groups().delete_offsets("plain", kPartitions, done); });
    positions_.asked("-1 -1", answer.at(0) == Error::kNone);
  }
  void remove_one() {
    removed_.asked("7", world_.commit({"removed"}, {kPartitions[0]}, 7));
    auto answer = answer_of<Error>([&](auto done) { world_.groups().remove("removed", done); });
    removed_.asked("-1", answer == Error::kNone);
  }
  void join_classic() {
    JoinGroupRequest request{.group_id = "classic",
                             .member_id = member_id_,
                             .client_id = "c",
                             .client_host = "/h",
                             .session_timeout = 1800000ms,
                             .protocol_type = "consumer",
                             .protocols = {{"range", {1}}},
                             .require_known_member_id = false};
    auto joined = answer_of<JoinGroupAnswer>([&](auto done) { world_.groups().join(std::move(request), done); });
    member_id_ = joined.error == Error::kNone ? joined.member_id : "";
    if (member_id_.empty()) return;
    SyncGroupRequest sync{.group_id = "classic",
                          .generation = joined.generation,
                          .member_id = joined.member_id,
                          .assignments = {{joined.member_id, {7}}}};
    auto synced = answer_of<SyncGroupAnswer>([&](auto done) { world_.groups().sync(std::move(sync), done); });
    if (!classic_.asked(joined.member_id, synced.error == Error::kNone)) return;
    GroupCaller me{"classic", joined.generation, joined.member_id, {}};
    members_position_.asked("3", world_.commit(me, {kPartitions[0]}, 3));
  }
  void join_consumer() {
    if (beat(a_, "a", kJoinEpoch) && beat(b_, "b", kJoinEpoch)) beat(a_, "a", kLeaveEpoch);
  }
  void check() {
    positions_.settle(world_.position("plain", kPartitions[0]) + " " + world_.position("plain", kPartitions[1]));
    removed_.settle(world_.position("removed", kPartitions[0]));
    members_position_.settle(world_.position("classic", kPartitions[0]));
    classic_.settle(names(world_.groups().describe("classic").members));
    std::string members = names(world_.groups().describe_consumer("consumer").members);
    a_.settle(members.find('a') == std::string::npos ? "out" : "in");
    b_.settle(members.find('b') == std::string::npos ? "out" : "in");
  }

 private:
  static inline const std::vector<TopicPartition> kPartitions{{"in", PartitionId(0)}, {"in", PartitionId(1)}};

  bool beat(Known& known, const std::string& member, int32_t epoch) {
    ConsumerHeartbeatRequest request{
        .group_id = "consumer", .member_id = member, .member_epoch = epoch, .client_id = "c", .client_host = "/h"};
    if (epoch == kJoinEpoch) {
      request.rebalance_timeout = 60s;
      request.topics = Values{"in"};
      request.owned = PartitionSet();
    }
    auto answer = answer_of<ConsumerHeartbeatAnswer>(
        [&](auto done) { world_.groups().consumer_heartbeat(std::move(request), done); });
    return known.asked(epoch == kJoinEpoch ? "in" : "out", answer.error == Error::kNone);
  }
  template <typename Members>
  static std::string names(const Members& members) {
    std::set<std::string> sorted;
    for (const auto& member : members) sorted.insert(member.member_id);
    std::string text;
    for (const std::string& id : sorted) text += (text.empty() ? "" : " ") + id;
    return text;
  }

  World& world_;
  int64_t position_ = 0;
  std::string member_id_;  ///< In group classic.
  Known positions_{"positions of group plain", "-1 -1"}, removed_{"the position of group removed", "-1"};
  Known classic_{"members of group classic", ""}, members_position_{"the position of group classic", "-1"};
  Known a_{"member a of group consumer", "out"}, b_{"member b of group consumer", "out"};
};

/// A transactional producer: a record in each of two partitions, and a position.
class TransactionScript {
 public:
  explicit TransactionScript(World& world) : world_(world) {}

  /// Whether it was ended as was asked for.
  bool run_one(bool commit) {
    auto number = static_cast<int64_t>(fates_.size());
    fates_.push_back(Fate::kAborted);
    if (!identity_ && !init()) return false;
    if (!write(number)) {
      (void)end(/*commit=*/false);
      identity_.reset();
      return false;
    }
    if (commit) fates_.back() = Fate::kInDoubt;
    if (!end(commit)) {
      identity_.reset();
      return false;
    }
    if (commit) fates_.back() = Fate::kCommitted;
    return true;
  }
  /// What was left open is ended.
  bool init() {
    auto answer =
        answer_of<IdentityAnswer>([&](auto done) { world_.transactions().init("copier", 600s, std::nullopt, done); });
    if (answer.error == Error::kNone) become(answer.producer);
    return answer.error == Error::kNone;
  }
  void check() {
    auto a = world_.partition("out", 0), b = world_.partition("out", 1);
    EXPECT_TRUE((a && b) || fates_.empty());
    if (!a || !b) return;
    identity_.reset();
    ASSERT_TRUE(init());
    Values found = values_in(*a);
    EXPECT_EQ(found, values_in(*b)) << "half of a transaction";
    EXPECT_EQ(world_.position("copier", kInput, true), found.empty() ? "-1" : found.back()) << "half of a transaction";
    EXPECT_EQ(a->last_stable(), a->high_watermark());
    EXPECT_EQ(b->last_stable(), b->high_watermark());
    check_fates(found);
  }

 private:
  enum class Fate { kAborted, kInDoubt, kCommitted };
  static inline const TopicPartition kInput{"in", PartitionId(1)};

  void check_fates(const Values& found) {
    Values certain, possible;
    for (size_t i = 0; i < fates_.size(); ++i) {
      if (fates_[i] == Fate::kCommitted) certain.push_back(std::to_string(i));
      if (fates_[i] != Fate::kAborted) possible.push_back(std::to_string(i));
    }
    EXPECT_TRUE(PlainScript::is_part(certain, found) && PlainScript::is_part(found, possible))
        << "committed: " << testing::PrintToString(certain) << ", or in doubt: " << testing::PrintToString(possible)
        << ", found: " << testing::PrintToString(found);
    for (size_t i = 0; i < fates_.size(); ++i) {
      if (fates_[i] != Fate::kInDoubt) continue;
      bool committed = std::find(found.begin(), found.end(), std::to_string(i)) != found.end();
      fates_[i] = committed ? Fate::kCommitted : Fate::kAborted;
    }
  }
  void become(ProducerIdentity identity) {
    if (identity_ != identity) sequence_ = 0;
    identity_ = identity;
  }
  bool write(int64_t number) {
    Transactions& transactions = world_.transactions();
    std::vector<TopicPartition> partitions{{"out", PartitionId(0)}, {"out", PartitionId(1)}};
    auto added = answer_of<Error>(
        [&](auto done) { transactions.add_partitions("copier", *identity_, partitions, Joined::kOnDisk, done); });
    if (added != Error::kNone) return false;
    record::ProducerFields fields{
        .id = identity_->id, .epoch = identity_->epoch, .base_sequence = sequence_++, .transactional = true};
    record::Batch batch = record::with_producer(batch_of({std::to_string(number)}), fields);
    for (const TopicPartition& tp : partitions) {
      auto produced = answer_of<Result<Produced>>([&](auto done) {
        transactions.produce("copier", world_.broker().partition(tp), std::span(&batch, 1), done);
      });
      if (!produced.ok()) return false;
    }
    auto offsets = answer_of<Error>(
        [&](auto done) { transactions.add_offsets("copier", *identity_, "copier", Joined::kOnDisk, done); });
    if (offsets != Error::kNone) return false;
    auto committed = answer_of<CommitAnswer>([&](auto done) {
      world_.groups().commit_in_transaction({"copier"}, "copier", {.id = identity_->id, .epoch = identity_->epoch},
                                            {{kInput, {Offset(number), 0, "", 0}}}, done);
    });
    return committed.at(0) == Error::kNone;
  }
  bool end(bool commit) {
    bool version_2 = fates_.size() % 2 == 0;
    auto answer = answer_of<IdentityAnswer>(
        [&](auto done) { world_.transactions().end("copier", *identity_, commit, version_2, done); });
    if (answer.error == Error::kNone) become(answer.producer);
    return answer.error == Error::kNone;
  }

  World& world_;
  std::optional<ProducerIdentity> identity_;
  int32_t sequence_ = 0;
  std::vector<Fate> fates_;  ///< By the number of the transaction.
};

class Script {
 public:
  explicit Script(World& world) : world_(world) {}

  void run() {
    Broker& broker = world_.broker();
    in_.asked("2", broker.create_topic({"in", 2, -1, {}}).ok());
    out_.asked("2", broker.create_topic({"out", 2, -1, {{"segment.bytes", "1500"}}}).ok());
    for (const char* internal : {"__transaction_state", "__consumer_offsets"})
      (void)broker.alter_configs(internal, {{"segment.bytes", "1500"}, {"min.cleanable.dirty.ratio", "0.01"}});
    topics_.change();
    settings_.change();
    plain_.take_producer_id();
    if (broker.topic("in")) work();
    topics_.make_anew();
    if (broker.topic("in")) work();
  }
  void check() {
    for (auto [name, known] : {std::pair("in", &in_), std::pair("out", &out_)}) {
      auto topic = world_.broker().topic(name);
      known->settle(topic ? std::to_string(topic->partitions.size()) : "");
    }
    topics_.check();
    settings_.check();
    plain_.check();
    groups_.check();
    transactions_.check();
  }
  /// On a sound disk everything is done.
  void go_on() {
    Broker& broker = world_.broker();
    for (const char* name : {"in", "out"}) {
      if (broker.topic(name)) continue;
      EXPECT_TRUE(broker.create_topic({name, 2, -1, {}}).ok()) << name;
    }
    in_.asked("2", true);
    out_.asked("2", true);
    EXPECT_TRUE(broker.create_topic({"new", 1, -1, {}}).ok());
    EXPECT_TRUE(plain_.produce_one());
    EXPECT_TRUE(groups_.commit());
    EXPECT_TRUE(transactions_.run_one(/*commit=*/true));
    EXPECT_TRUE(transactions_.run_one(/*commit=*/false));
    EXPECT_TRUE(transactions_.run_one(/*commit=*/true));
  }

 private:
  void work() {
    for (int i = 0; i < 3; ++i) {
      plain_.produce_one();
      groups_.commit();
      if (world_.broker().topic("out")) transactions_.run_one(/*commit=*/i != 1);
    }
    groups_.remove_one();
    groups_.join_classic();
    groups_.join_consumer();
    world_.broker().apply_compaction();
    groups_.forget_offsets();
    groups_.commit();
  }

  World& world_;
  Known in_{"topic in", ""}, out_{"topic out", ""};
  TopicScript topics_{world_};
  SettingsScript settings_{world_};
  PlainScript plain_{world_};
  GroupScript groups_{world_};
  TransactionScript transactions_{world_};
};

/// Runs the script with the failure; whether it happened. Behind the script the power goes, or the broker is stopped
/// and started, where the failure may come too.
class Pass {
 public:
  Pass(Fault fault, uint64_t nth, bool power_loss) : fault_(fault), nth_(nth), power_loss_(power_loss) {}

  bool run() {
    world_.disk.fail(fault_.call, nth_, fault_.fault);
    open();
    if (!testing::Test::HasFailure()) script_.run();
    if (!testing::Test::HasFailure()) restart();
    bool happened = world_.disk.fault_happened();
    world_.disk.fail(fault_.call, UINT64_MAX, fault_.fault);
    if (!testing::Test::HasFailure()) script_.check();
    if (!testing::Test::HasFailure()) script_.go_on();
    if (!testing::Test::HasFailure()) lose_power(os::CrashMode::kDrop);
    if (!testing::Test::HasFailure()) script_.check();
    return happened;
  }

 private:
  /// A start may fail by the failure, and then goes well.
  void open() {
    bool before = world_.disk.fault_happened();
    Status opened = world_.open();
    if (!opened.ok() && !before && world_.disk.fault_happened()) opened = world_.open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
  }
  void restart() {
    if (power_loss_) return lose_power(nth_ % 2 ? os::CrashMode::kDrop : os::CrashMode::kRandom);
    world_.close();
    open();
  }
  void lose_power(os::CrashMode mode) {
    world_.disk.crash();
    world_.close();
    world_.disk.restart(mode, nth_);
    open();
  }

  const Fault fault_;
  const uint64_t nth_;
  const bool power_loss_;
  World world_;
  Script script_{world_};
};

class BrokerNthFailure : public testing::TestWithParam<std::tuple<os::DiskCall, os::DiskFault>> {};

TEST_P(BrokerNthFailure, LosesNothingAnsweredAndDoesNothingByHalves) {
  set_log_level(LogLevel::kError);
  auto [call, fault] = GetParam();
  os::Seeds seeds = os::seeds_wanted(1);
  for (uint64_t seed = seeds.first; seed <= std::min(seeds.last, kStride) && !HasFailure(); ++seed) {
    bool happened = true;
    for (uint64_t nth = seed; happened && !HasFailure(); nth += kStride) {
      happened = false;
      for (bool power_loss : {false, true}) {
        std::string what = fmt::format("{} call {} fails, fault {}, {}", os::to_string(call), nth,
                                       static_cast<int>(fault), power_loss ? "power loss" : "stop");
        SCOPED_TRACE(what);
        Watchdog watchdog(what);
        happened = Pass({call, fault}, nth, power_loss).run() || happened;
        if (HasFailure()) break;
      }
    }
  }
  set_log_level(LogLevel::kInfo);
}

using os::DiskCall, os::DiskFault;
INSTANTIATE_TEST_SUITE_P(Changing, BrokerNthFailure,
                         testing::Combine(testing::Values(DiskCall::kCreate, DiskCall::kWrite, DiskCall::kSync,
                                                          DiskCall::kAllocate, DiskCall::kTruncate, DiskCall::kRename,
                                                          DiskCall::kRemove, DiskCall::kMakeDirectory,
                                                          DiskCall::kSyncDirectory),
                                          testing::Values(DiskFault::kIoError, DiskFault::kOutOfSpace)));
INSTANTIATE_TEST_SUITE_P(Looking, BrokerNthFailure,
                         testing::Combine(testing::Values(DiskCall::kOpen, DiskCall::kRead, DiskCall::kList),
                                          testing::Values(DiskFault::kIoError)));
INSTANTIATE_TEST_SUITE_P(Passing, BrokerNthFailure,
                         testing::Combine(testing::Values(DiskCall::kOpen, DiskCall::kCreate, DiskCall::kList),
                                          testing::Values(DiskFault::kNoDescriptors)));
INSTANTIATE_TEST_SUITE_P(Harmless, BrokerNthFailure,
                         testing::Combine(testing::Values(DiskCall::kRead, DiskCall::kWrite),
                                          testing::Values(DiskFault::kShort, DiskFault::kInterrupted)));

}  // namespace
}  // namespace headrace::broker
