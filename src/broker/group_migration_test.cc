// Groups that go from one protocol to the other while their members run (KIP-848, "Online migration"), by members of
// all three kinds: eager and cooperative ones of the classic protocol, and those of the consumer protocol.
#include "broker/group_migration.h"

#include <gmock/gmock.h>

#include <mutex>
#include <set>
#include <thread>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "broker/consumer_protocol.h"
#include "broker/metadata.h"
#include "broker/schema_cursor.h"
#include "os/random.h"
#include "os/schedules.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

constexpr int32_t kPartitions = 6;

/// The disk's thread among them, which answers.
void let_others_work() {
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
}

enum class Kind { kEager, kCooperative, kConsumer };

/// A member as clients are. One request at a time; what it has is what it was given and has not given up.
class Client {
 public:
  Client(std::string name, Kind kind, bool is_static) : name_(std::move(name)), kind_(kind) {
    if (is_static) instance_ = name_;
    if (kind_ == Kind::kConsumer) member_id_ = name_ + "-" + to_string(random_uuid());
  }

  /// Sends what is next, or takes the answer that has come.
  void step(Groups& groups, const Uuid& topic) {
    std::function<void()> arrived;
    {
      std::lock_guard lock(inbox_->mutex);
      if (inbox_->waiting && !inbox_->arrived) return;
      inbox_->waiting = false;
      arrived = std::exchange(inbox_->arrived, nullptr);
    }
    if (arrived) return arrived();
    kind_ == Kind::kConsumer ? beat(groups, topic) : step_classic(groups, topic);
  }

  void leave(Groups& groups) {
    owned_ = {};
    if (kind_ == Kind::kConsumer) {
      int32_t epoch = instance_ ? kLeaveStaticEpoch : kLeaveEpoch;
      return groups.consumer_heartbeat(
          {.group_id = "g", .member_id = member_id_, .member_epoch = epoch, .instance_id = instance_},
          [](const ConsumerHeartbeatAnswer&) {});
    }
    // Static members of the classic protocol go without a word.
    if (!instance_) groups.leave("g", {{member_id_, instance_}}, [](const LeaveGroupAnswer&) {});
  }
  /// The broker is gone, and with it what it would have answered.
  void lose_answers() {
    must_join_ = must_join_ || sync_next_ || inbox_->waiting;
    sync_next_ = false;
    inbox_ = std::make_shared<Inbox>();
  }

  const std::string& name() const { return name_; }
  Kind kind() const { return kind_; }
  const PartitionSet& owned() const { return owned_; }
  const std::string& member_id() const { return member_id_; }
  int32_t epoch() const { return epoch_; }

 private:
  struct Inbox {
    std::mutex mutex;
    bool waiting = false;
    std::function<void()> arrived;
  };

  template <typename Answer>
  Function<void(Answer)> expect(void (Client::*take)(Answer)) {
    inbox_->waiting = true;
    return [this, inbox = inbox_, take](Answer answer) {
      std::lock_guard lock(inbox->mutex);
      inbox->arrived = [this, take, answer = std::move(answer)] { (this->*take)(answer); };
    };
  }

  void abandon() {
    owned_ = {};
    epoch_ = kJoinEpoch;
    must_join_ = true;
    sync_next_ = false;
  }

  void beat(Groups& groups, const Uuid&) {
    bool joins = epoch_ == kJoinEpoch;
    groups.consumer_heartbeat({.group_id = "g",
                               .member_id = member_id_,
                               .member_epoch = epoch_,
                               .instance_id = instance_,
                               .rebalance_timeout = 60s,
                               .topics = std::vector<std::string>{"t"},
                               .owned = joins ? PartitionSet() : owned_},
                              expect(&Client::take_beat));
  }
  void take_beat(ConsumerHeartbeatAnswer answer) {
    if (answer.error == Error::kNotAvailable || answer.error == Error::kUnreleasedInstanceId) return;
    if (answer.error != Error::kNone) return abandon();
    epoch_ = answer.member_epoch;
    if (answer.assignment) owned_ = *answer.assignment;
  }

  void step_classic(Groups& groups, const Uuid& topic) {
    topic_ = topic;
    if (must_join_) return join(groups);
    if (sync_next_) return sync(groups);
    Error error = groups.heartbeat({"g", epoch_, member_id_, instance_});
    if (error == Error::kRebalanceInProgress) must_join_ = true;
    if (error == Error::kUnknownMember || error == Error::kFencedInstanceId) member_id_.clear();
    if (error != Error::kNone && error != Error::kRebalanceInProgress) abandon();
  }
  void join(Groups& groups) {
    if (kind_ == Kind::kEager) owned_ = {};
    groups.join({.group_id = "g",
                 .member_id = member_id_,
                 .group_instance_id = instance_,
                 .client_id = "client",
                 .client_host = "/h",
                 .session_timeout = 60s,
                 .rebalance_timeout = 60s,
                 .protocol_type = "consumer",
                 .protocols = {{"both", subscription()}},
                 .require_known_member_id = false},
                expect(&Client::take_join));
  }
  Bytes subscription() const {
    Bytes out;
    codec::Writer writer(out);
    writer.write<int16_t>(1);
    writer.write<int32_t>(1);
    write_string(writer, "t");
    writer.write<int32_t>(-1);
    writer.write<int32_t>(1);
    write_string(writer, "t");
    writer.write(static_cast<int32_t>(owned_.size()));
    for (const TopicIdPartition& item : owned_) writer.write(item.partition);
    return out;
  }
  void take_join(JoinGroupAnswer answer) {
    if (answer.error == Error::kMemberIdRequired) member_id_ = answer.member_id;
    if (answer.error == Error::kUnknownMember || answer.error == Error::kFencedInstanceId) {
      member_id_.clear();
      abandon();
    }
    if (answer.error != Error::kNone) return;
    member_id_ = answer.member_id;
    epoch_ = answer.generation;
    must_join_ = false;
    sync_next_ = true;
    assignments_.clear();
    if (answer.leader == member_id_) assign(answer.members);
  }
  /// As the sticky assignors of clients: everybody keeps up to its share, the rest goes to who has least; what is still
  /// another's waits for the next rebalance.
  void assign(const std::vector<JoinedMember>& members) {
    size_t share = (kPartitions + members.size() - 1) / members.size();
    std::map<std::string, std::vector<int32_t>> given;
    std::set<int32_t> taken, still_had;
    for (const JoinedMember& member : members) {
      auto& mine = given[member.member_id];
      auto subscription = decode_subscription(member.metadata);
      for (const NamedPartitions& topic : subscription->owned) {
        for (int32_t p : topic.partitions) {
          still_had.insert(p);
          if (mine.size() < share && taken.insert(p).second) mine.push_back(p);
        }
      }
    }
    something_left_ = false;
    for (int32_t p = 0; p < kPartitions; ++p) {
      something_left_ = something_left_ || (still_had.contains(p) && !taken.contains(p));
      if (taken.contains(p) || still_had.contains(p)) continue;
      auto least = std::min_element(given.begin(), given.end(),
                                    [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
      least->second.push_back(p);
    }
    for (const auto& [id, partitions] : given) assignments_.push_back({id, encode_assignment(1, {{"t", partitions}})});
  }
  void sync(Groups& groups) {
    groups.sync({.group_id = "g",
                 .generation = epoch_,
                 .member_id = member_id_,
                 .group_instance_id = instance_,
                 .protocol_type = "consumer",
                 .protocol_name = "both",
                 .assignments = assignments_},
                expect(&Client::take_sync));
  }
  void take_sync(SyncGroupAnswer answer) {
    sync_next_ = false;
    must_join_ = answer.error != Error::kNone;
    if (answer.error == Error::kUnknownMember || answer.error == Error::kFencedInstanceId) {
      member_id_.clear();
      abandon();
    }
    if (answer.error == Error::kIllegalGeneration) abandon();
    if (must_join_) return;
    std::vector<TopicIdPartition> items;
    auto assigned = decode_assignment(answer.assignment);
    for (const NamedPartitions& topic : assigned->partitions) {
      for (int32_t p : topic.partitions) items.push_back({topic_, p});
    }
    PartitionSet given(std::move(items));
    // A cooperative member that had to give something up says so at once; so does a leader that left something over.
    must_join_ = !owned_.minus(given).empty() || std::exchange(something_left_, false);
    owned_ = std::move(given);
  }

  std::string name_;
  Kind kind_;
  std::optional<std::string> instance_;
  std::string member_id_;
  int32_t epoch_ = kJoinEpoch;
  PartitionSet owned_;
  bool must_join_ = true;
  bool sync_next_ = false;
  bool something_left_ = false;  ///< Of what it assigned as the leader.
  Uuid topic_;
  std::vector<MemberAssignment> assignments_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
};

class GroupMigration : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kError);
    begin_anew();
  }
  void TearDown() override {
    broker_.reset();
    set_log_level(LogLevel::kInfo);
  }
  void begin_anew() {
    broker_.reset();
    clients_.clear();
    disk_ = std::make_unique<os::SimulatedFileSystem>();
    open();
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = kPartitions, .configs = {}}).ok());
    topic_ = broker_->topic("t")->id;
  }
  void open() {
    broker_.reset();
    BrokerOptions options{.data_directory = "/data", .flush_threads = 1, .coordinator_rewrite_bytes_min = 6000};
    options.group_initial_rebalance_delay = 0ms;
    options.group_members_max = members_max_;
    auto opened = Broker::open(options, metrics_, clock_, *disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
    for (auto& client : clients_) client->lose_answers();
  }

  void start(const std::string& name, Kind kind, bool is_static = false) {
    clients_.push_back(std::make_unique<Client>(name, kind, is_static));
  }
  void stop(const std::string& name) {
    auto found = find(name);
    (*found)->leave(broker_->groups());
    gone_.push_back(std::move(*found));
    clients_.erase(found);
  }
  std::vector<std::unique_ptr<Client>>::iterator find(const std::string& name) {
    return std::find_if(clients_.begin(), clients_.end(), [&](const auto& client) { return client->name() == name; });
  }
  Client& client(const std::string& name) { return **find(name); }

  /// A member beside the clients.
  ConsumerHeartbeatAnswer join_consumer(std::optional<std::string> instance = std::nullopt) {
    ConsumerHeartbeatRequest request{.group_id = "g",
                                     .member_id = "m",
                                     .instance_id = std::move(instance),
                                     .rebalance_timeout = 60s,
                                     .topics = std::vector<std::string>{"t"},
                                     .owned = PartitionSet()};
    return answer_of<ConsumerHeartbeatAnswer>([&](auto done) { broker_->groups().consumer_heartbeat(request, done); });
  }

  void step_all() {
    for (auto& client : clients_) {
      client->step(broker_->groups(), topic_);
      check_owners();
    }
  }
  void check_owners() {
    std::set<TopicIdPartition> seen;
    for (const auto& client : clients_) {
      for (const TopicIdPartition& item : client->owned()) {
        EXPECT_TRUE(seen.insert(item).second) << "two owners of " << item.partition;
      }
    }
  }
  bool all_owned() {
    size_t owned = 0;
    for (const auto& client : clients_) owned += client->owned().size();
    return owned == kPartitions;
  }
  /// Until every partition has its owner, and nothing moves any more.
  void settle() {
    auto until = std::chrono::steady_clock::now() + 20s;
    for (int calm = 0; calm < 8 && !HasFailure();) {
      step_all();
      bool stable = classic() == GroupState::kStable || consumer() == GroupState::kStable;
      calm = stable && all_owned() ? calm + 1 : 0;
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "the group does not come to rest";
      std::this_thread::yield();
    }
  }
  /// As the end of their sessions does: members that went without a word, or whose leave a crash took back.
  void remove_strangers() {
    auto remove = [&](const auto& members) {
      for (const auto& member : members) {
        bool known = std::any_of(clients_.begin(), clients_.end(),
                                 [&](const auto& client) { return client->member_id() == member.member_id; });
        if (!known) broker_->groups().leave("g", {{member.member_id, {}}}, [](const LeaveGroupAnswer&) {});
      }
    };
    remove(broker_->groups().describe_consumer("g").members);
    remove(broker_->groups().describe("g").members);
  }
  GroupState classic() { return broker_->groups().describe("g").state; }
  GroupState consumer() { return broker_->groups().describe_consumer("g").state; }
  void expect_one_kind() {
    EXPECT_NE(classic() == GroupState::kDead, consumer() == GroupState::kDead);
    EXPECT_EQ(broker_->groups().list().size(), 1u);
  }

  size_t members_max_ = 10000;
  JumpingClock clock_;
  std::unique_ptr<os::SimulatedFileSystem> disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::vector<std::unique_ptr<Client>> clients_, gone_;
  Uuid topic_;
};

class RollingRestart : public GroupMigration, public testing::WithParamInterface<Kind> {};

TEST_P(RollingRestart, ThereAndBackWithEveryPartitionOwnedOnce) {
  for (const char* name : {"a", "b", "c"}) start(name, GetParam());
  settle();
  EXPECT_EQ(classic(), GroupState::kStable);
  for (const char* name : {"a", "b", "c"}) {
    stop(name);
    start(name, Kind::kConsumer);
    settle();
    EXPECT_EQ(consumer(), GroupState::kStable);
    expect_one_kind();
  }
  for (const auto& member : broker_->groups().describe_consumer("g").members) EXPECT_FALSE(member.info.classic);
  for (const char* name : {"a", "b", "c"}) {
    stop(name);
    start(name, GetParam());
    settle();
    expect_one_kind();
  }
  EXPECT_EQ(classic(), GroupState::kStable);
}

TEST_P(RollingRestart, StaticMembersTakeTheirPlacesOver) {
  for (const char* name : {"a", "b", "c"}) start(name, GetParam(), /*is_static=*/true);
  settle();
  for (Kind kind : {Kind::kConsumer, GetParam()}) {
    for (const char* name : {"a", "b", "c"}) {
      stop(name);
      start(name, kind, /*is_static=*/true);
      settle();
      expect_one_kind();
    }
    EXPECT_EQ(kind == Kind::kConsumer ? consumer() : classic(), GroupState::kStable);
  }
}

INSTANTIATE_TEST_SUITE_P(Classic, RollingRestart, testing::Values(Kind::kEager, Kind::kCooperative),
                         [](const auto& info) { return info.param == Kind::kEager ? "Eager" : "Cooperative"; });

TEST_F(GroupMigration, MixedGroupsOutliveARestart) {
  start("a", Kind::kEager);
  start("b", Kind::kCooperative);
  start("c", Kind::kConsumer);
  settle();
  std::map<std::string, PartitionSet> had;
  for (const auto& client : clients_) had[client->name()] = client->owned();
  open();
  settle();
  for (const auto& client : clients_) EXPECT_EQ(client->owned(), had[client->name()]) << client->name();
  EXPECT_EQ(consumer(), GroupState::kStable);
}

TEST_F(GroupMigration, MembersOfTheClassicProtocolCommitByTheirGeneration) {
  start("a", Kind::kEager);
  start("c", Kind::kConsumer);
  settle();
  auto commit = [&](int32_t generation, bool new_version) {
    GroupCaller caller{"g", generation, client("a").member_id(), {}, new_version};
    std::vector<OffsetToCommit> offsets{{{"t", PartitionId(0)}, {Offset(5), 0, "", 0}}};
    return answer_of<CommitAnswer>([&](auto done) { broker_->groups().commit(caller, offsets, done); }).at(0);
  };
  EXPECT_EQ(commit(client("a").epoch(), false), Error::kNone);
  EXPECT_EQ(commit(0, true), Error::kIllegalGeneration);
  ConsumerGroupDescription described = broker_->groups().describe_consumer("g");
  ASSERT_EQ(described.members.size(), 2u);
  for (const auto& member : described.members) {
    EXPECT_EQ(member.info.classic.has_value(), member.member_id == client("a").member_id());
  }
}

TEST_F(GroupMigration, OnlyConsumersGoOn) {
  auto worker = answer_of<JoinGroupAnswer>([&](auto done) {
    broker_->groups().join({.group_id = "g",
                            .protocol_type = "connect",
                            .protocols = {{"default", {1}}},
                            .require_known_member_id = false},
                           done);
  });
  ASSERT_EQ(worker.error, Error::kNone);
  ConsumerHeartbeatAnswer refused = join_consumer();
  EXPECT_EQ(refused.error, Error::kGroupIdNotFound);
  EXPECT_THAT(refused.message, testing::HasSubstr("consumer protocol"));
  EXPECT_EQ(broker_->groups().heartbeat({"g", worker.generation, worker.member_id, {}}), Error::kNone);
}

/// What Kafka Streams and other assignors of their own tell members beside their partitions.
Bytes assignment_with_user_data() {
  Bytes bytes = encode_assignment(1, {{"t", {0}}});
  bytes.resize(bytes.size() - sizeof(int32_t));
  for (uint8_t byte : {0, 0, 0, 2, 7, 7}) bytes.push_back(byte);
  return bytes;
}

TEST_F(GroupMigration, AGroupWhoseAssignorTellsMoreThanPartitionsStaysClassic) {
  Bytes subscription{0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff};
  auto joined = answer_of<JoinGroupAnswer>([&](auto done) {
    broker_->groups().join({.group_id = "g",
                            .session_timeout = 1800s,
                            .protocol_type = "consumer",
                            .protocols = {{"stream", subscription}},
                            .require_known_member_id = false},
                           done);
  });
  ASSERT_EQ(joined.error, Error::kNone);
  SyncGroupRequest sync{.group_id = "g",
                        .generation = joined.generation,
                        .member_id = joined.member_id,
                        .assignments = {{joined.member_id, assignment_with_user_data()}}};
  auto synced = answer_of<SyncGroupAnswer>([&](auto done) { broker_->groups().sync(sync, done); });
  ASSERT_EQ(synced.error, Error::kNone);
  ConsumerHeartbeatAnswer refused = join_consumer();
  EXPECT_EQ(refused.error, Error::kGroupIdNotFound);
  EXPECT_THAT(refused.message, testing::HasSubstr("unsupported custom assignor"));
  EXPECT_EQ(classic(), GroupState::kStable);
  EXPECT_EQ(broker_->groups().heartbeat({"g", joined.generation, joined.member_id, {}}), Error::kNone);
}

TEST_F(GroupMigration, OneMemberTooManyLeavesTheGroupAsItIs) {
  members_max_ = 2;
  open();
  start("a", Kind::kCooperative);
  start("b", Kind::kCooperative, /*is_static=*/true);
  settle();
  EXPECT_EQ(join_consumer().error, Error::kGroupMaxSizeReached);
  EXPECT_EQ(classic(), GroupState::kStable);
  EXPECT_EQ(join_consumer("b").error, Error::kNone) << "it takes a place over";
  EXPECT_EQ(classic(), GroupState::kDead);
}

// A crash at any moment of a rolling restart: one kind, and the group comes to rest again.
TEST_F(GroupMigration, ACrashOnTheWayLeavesOneKind) {
  for (bool to_consumer : {true, false}) {
    bool crashed = true;
    for (uint64_t point = 0; crashed && !HasFailure(); ++point) {
      SCOPED_TRACE((to_consumer ? "there, " : "back, ") + std::to_string(point) + " operations");
      begin_anew();
      start("a", Kind::kCooperative);
      start("b", to_consumer ? Kind::kCooperative : Kind::kConsumer);
      settle();
      disk_->crash_after(point);
      stop("b");
      start("b", to_consumer ? Kind::kConsumer : Kind::kCooperative);
      for (int i = 0; i < 40 && !disk_->crashed(); ++i) {
        step_all();
        if (all_owned() && i > 20) break;
        let_others_work();
      }
      crashed = disk_->crashed();
      disk_->crash();
      broker_.reset();
      disk_->restart(os::CrashMode::kRandom, point);
      open();
      remove_strangers();
      settle();
      expect_one_kind();
    }
  }
}

// Members of all kinds that come, go and come back as another kind, over crashes: no partition ever has two owners, and
// in the end each has one.
TEST_F(GroupMigration, RandomMembersNeverShareAPartition) {
  os::Seeds seeds = os::seeds_wanted(30);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    begin_anew();
    os::Random random(seed);
    auto any_kind = [&] { return static_cast<Kind>(random.below(3)); };
    const std::vector<std::string> names{"a", "b", "c", "d"};
    std::map<std::string, bool> is_static;
    for (const std::string& name : names) is_static[name] = random.chance(0.3);
    for (int i = 0; i < 400 && !HasFailure(); ++i) {
      const std::string& name = names[random.below(names.size())];
      bool running = find(name) != clients_.end();
      if (!running && random.chance(0.3)) {
        start(name, any_kind(), is_static[name]);
      } else if (running && random.chance(0.02)) {
        stop(name);
      } else if (running) {
        client(name).step(broker_->groups(), topic_);
      }
      check_owners();
      if (random.chance(0.2)) let_others_work();
      if (random.chance(0.005)) open();
    }
    for (const std::string& name : names) {
      if (find(name) == clients_.end()) start(name, any_kind(), is_static[name]);
    }
    remove_strangers();
    settle();
    expect_one_kind();
  }
}

}  // namespace
}  // namespace headrace::broker
