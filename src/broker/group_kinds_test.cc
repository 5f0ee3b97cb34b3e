// A group without members changes its kind when somebody joins by the other protocol, and is never of two kinds.
#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

class GroupKinds : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kError);
    begin_anew();
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
  void begin_anew() {
    broker_.reset();
    disk_ = std::make_unique<os::SimulatedFileSystem>();
    open();
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 1, .configs = {}}).ok());
  }
  void open() {
    broker_.reset();
    BrokerOptions options{.data_directory = "/data", .flush_threads = 1};
    options.group_initial_rebalance_delay = 0ms;
    auto opened = Broker::open(options, metrics_, clock_, *disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }

  static JoinGroupRequest join_request() {
    return {.group_id = "g",
            .session_timeout = 1800s,
            .protocol_type = "consumer",
            .protocols = {{"range", {1}}},
            .require_known_member_id = false};
  }
  static ConsumerHeartbeatRequest heartbeat_request() {
    return {.group_id = "g",
            .member_id = "m",
            .member_epoch = kJoinEpoch,
            .rebalance_timeout = 60s,
            .topics = std::vector<std::string>{"t"},
            .owned = PartitionSet()};
  }
  JoinGroupAnswer join(JoinGroupRequest request = join_request()) {
    return answer_of<JoinGroupAnswer>([&](auto done) { broker_->groups().join(request, done); });
  }
  ConsumerHeartbeatAnswer beat(ConsumerHeartbeatRequest request = heartbeat_request()) {
    return answer_of<ConsumerHeartbeatAnswer>([&](auto done) { broker_->groups().consumer_heartbeat(request, done); });
  }
  /// A member of a stable classic group.
  Error become_classic() {
    JoinGroupAnswer joined = join();
    if (joined.error != Error::kNone) return joined.error;
    auto synced = answer_of<SyncGroupAnswer>([&](auto done) {
      broker_->groups().sync({.group_id = "g", .generation = joined.generation, .member_id = joined.member_id}, done);
    });
    classic_member_ = joined.member_id;
    return synced.error;
  }
  Error become_consumer() { return beat().error; }
  void leave_classic() {
    answer_of<LeaveGroupAnswer>([&](auto done) {
      broker_->groups().leave("g", {{classic_member_, std::nullopt}}, done);
    });
  }
  void leave_consumer() {
    ConsumerHeartbeatRequest request{.group_id = "g", .member_id = "m", .member_epoch = kLeaveEpoch};
    ASSERT_EQ(beat(std::move(request)).error, Error::kNone);
  }
  GroupState classic() { return broker_->groups().describe("g").state; }
  GroupState consumer() { return broker_->groups().describe_consumer("g").state; }
  /// From an empty group of the one kind to one of the other with a member, tried until it works.
  bool change(bool to_classic) {
    for (int i = 0; i < 3; ++i) {
      if ((to_classic ? become_classic() : become_consumer()) == Error::kNone) return true;
      if (to_classic) leave_classic();
    }
    return false;
  }
  void begin_empty(bool consumer_group) {
    begin_anew();
    ASSERT_EQ(consumer_group ? become_consumer() : become_classic(), Error::kNone);
    consumer_group ? leave_consumer() : leave_classic();
  }
  void expect_one_kind_at_most() {
    EXPECT_TRUE(classic() == GroupState::kDead || consumer() == GroupState::kDead);
    EXPECT_LE(broker_->groups().list().size(), 1u);
  }

  os::ManualClock clock_{1700000000000};
  std::unique_ptr<os::SimulatedFileSystem> disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::string classic_member_;
};

TEST_F(GroupKinds, AnEmptyGroupChangesBothWaysAndStaysWhatItIs) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(become_consumer(), Error::kNone);
    EXPECT_EQ(join().error, Error::kInconsistentProtocol);
    leave_consumer();
    ASSERT_EQ(become_classic(), Error::kNone);
    EXPECT_EQ(beat().error, Error::kGroupIdNotFound);
    leave_classic();
  }
  ASSERT_EQ(become_consumer(), Error::kNone);
  open();
  expect_one_kind_at_most();
  EXPECT_NE(consumer(), GroupState::kDead);
}

TEST_F(GroupKinds, ARequestThatIsRefusedChangesNothing) {
  ASSERT_EQ(become_consumer(), Error::kNone);
  leave_consumer();
  auto bad_join = [&](auto spoil) {
    JoinGroupRequest request = join_request();
    spoil(request);
    return join(std::move(request)).error;
  };
  EXPECT_EQ(bad_join([](auto& r) { r.session_timeout = 1ms; }), Error::kInvalidSessionTimeout);
  EXPECT_EQ(bad_join([](auto& r) { r.protocols.clear(); }), Error::kInconsistentProtocol);
  EXPECT_EQ(bad_join([](auto& r) { r.member_id = "stranger"; }), Error::kUnknownMember);
  EXPECT_EQ(consumer(), GroupState::kEmpty);

  ASSERT_EQ(become_classic(), Error::kNone);
  leave_classic();
  auto bad_beat = [&](auto spoil) {
    ConsumerHeartbeatRequest request = heartbeat_request();
    spoil(request);
    return beat(std::move(request)).error;
  };
  EXPECT_EQ(bad_beat([](auto& r) { r.assignor = "mine"; }), Error::kUnsupportedAssignor);
  EXPECT_EQ(bad_beat([](auto& r) { r.topics.reset(); }), Error::kInvalidRequest);
  EXPECT_EQ(bad_beat([](auto& r) { r.member_epoch = 3; }), Error::kGroupIdNotFound);
  EXPECT_EQ(classic(), GroupState::kEmpty);
}

TEST_F(GroupKinds, ADeletionThatFailedIsMadeUpForByTheNext) {
  for (bool consumer_group : {true, false}) {
    begin_empty(consumer_group);
    auto remove = [&] { return answer_of<Error>([&](auto done) { broker_->groups().remove("g", done); }); };
    disk_->fail(os::DiskCall::kWrite, 1, os::DiskFault::kOutOfSpace, ".log");  // The others are the flusher's.
    ASSERT_EQ(remove(), Error::kNotAvailable);
    EXPECT_EQ(remove(), Error::kNone);
    EXPECT_EQ(remove(), Error::kGroupIdNotFound);
    open();
    EXPECT_EQ(classic(), GroupState::kDead);
    EXPECT_EQ(consumer(), GroupState::kDead);
  }
}

TEST_F(GroupKinds, OffsetsAreForgottenInTheirTurn) {
  auto commit = [&](int64_t offset, auto done) {
    std::vector<OffsetToCommit> offsets{{{"t", PartitionId(0)}, {.offset = Offset(offset)}}};
    broker_->groups().commit({.group_id = "g"}, std::move(offsets), std::move(done));
  };
  answer_of<CommitAnswer>([&](auto done) { commit(1, done); });
  std::promise<CommitAnswer> committed, forgotten;
  // While a thread tells what was decided, what others decide waits for its turn.
  broker_->groups().leave("none", {{"m", std::nullopt}}, [&](const LeaveGroupAnswer&) {
    commit(2, [&](CommitAnswer answer) { committed.set_value(std::move(answer)); });
    broker_->groups().delete_offsets("g", {{"t", PartitionId(0)}},
                                     [&](CommitAnswer answer) { forgotten.set_value(std::move(answer)); });
  });
  EXPECT_EQ(committed.get_future().get().at(0), Error::kNone);
  EXPECT_EQ(forgotten.get_future().get().at(0), Error::kNone);
  EXPECT_FALSE(broker_->groups().contains("g"));
}

TEST_F(GroupKinds, AFullDiskOnTheWayLeavesOneKind) {
  for (bool to_classic : {true, false}) {
    bool failed = true;
    for (uint64_t nth = 1; failed && !HasFailure(); ++nth) {
      SCOPED_TRACE("write number " + std::to_string(nth) + " fails");
      begin_empty(/*consumer_group=*/to_classic);
      disk_->fail(os::DiskCall::kWrite, nth, os::DiskFault::kOutOfSpace);
      EXPECT_TRUE(change(to_classic));
      failed = disk_->fault_happened();
      open();
      expect_one_kind_at_most();
      EXPECT_NE(to_classic ? classic() : consumer(), GroupState::kDead);
    }
  }
}

TEST_F(GroupKinds, ACrashOnTheWayLeavesOneKind) {
  for (bool to_classic : {true, false}) {
    bool crashed = true;
    for (uint64_t point = 0; crashed && !HasFailure(); ++point) {
      SCOPED_TRACE("crash after " + std::to_string(point) + " operations");
      begin_empty(/*consumer_group=*/to_classic);
      disk_->crash_after(point);
      bool changed = change(to_classic);
      crashed = disk_->crashed();
      disk_->crash();
      broker_.reset();
      disk_->restart(os::CrashMode::kRandom, point);
      open();
      expect_one_kind_at_most();
      if (changed) {
        EXPECT_NE(to_classic ? classic() : consumer(), GroupState::kDead);
      }
    }
  }
}

}  // namespace
}  // namespace headrace::broker
