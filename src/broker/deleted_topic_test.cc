// A topic that is made anew under an old name is a new one: no group's positions in the old one are found in it,
// whatever crashed or failed in between, and whatever was on its way.
#include <atomic>
#include <thread>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using Error = CoordinatorError;

class DeletedTopic : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kError);
    begin_anew();
  }
  /// On a new disk, a topic in which one group has committed, and another in a transaction that is open.
  void begin_anew() {
    broker_.reset();
    disk_ = std::make_unique<os::SimulatedFileSystem>();
    open();
    create();
    id_ = broker_->topic("t")->id;
    EXPECT_THAT(answer_of<CommitAnswer>([&](auto done) { commit("plain", done); }), Each(Error::kNone));
    begin_transaction();
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  void open() {
    broker_.reset();
    auto opened = Broker::open({.data_directory = "/data", .flush_threads = 1}, metrics_, clock_, *disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  bool create() { return broker_->create_topic({.name = "t", .partitions = 2, .configs = {}}).ok(); }
  static std::vector<OffsetToCommit> offsets() {
    return {{{"t", PartitionId(0)}, {.offset = Offset(5)}}, {{"t", PartitionId(1)}, {.offset = Offset(6)}}};
  }
  void commit(const std::string& group, CommitCallback done) {
    broker_->groups().commit({.group_id = group}, offsets(), std::move(done));
  }
  void begin_transaction() {
    auto init =
        answer_of<IdentityAnswer>([&](auto done) { broker_->transactions().init("tx", 60s, std::nullopt, done); });
    ASSERT_EQ(init.error, Error::kNone);
    producer_ = init.producer;
    ASSERT_EQ(answer_of<Error>([&](auto done) {
                broker_->transactions().add_offsets("tx", producer_, "transactional", Joined::kOnDisk, done);
              }),
              Error::kNone);
    EXPECT_THAT(answer_of<CommitAnswer>([&](auto done) {
                  broker_->groups().commit_in_transaction({.group_id = "transactional"}, "tx",
                                                          {.id = producer_.id, .epoch = producer_.epoch}, offsets(),
                                                          done);
                }),
                Each(Error::kNone));
  }
  void commit_transaction() {
    auto ended = answer_of<IdentityAnswer>(
        [&](auto done) { broker_->transactions().end("tx", producer_, /*commit=*/true, /*bump_epoch=*/false, done); });
    EXPECT_EQ(ended.error, Error::kNone);
  }
  int64_t committed(const std::string& group, int32_t partition = 0) {
    auto found = broker_->groups().fetch(group, {{{"t", PartitionId(partition)}}}, /*require_stable=*/false);
    return found.at(0).offset.offset.value;
  }
  bool old_one_is_there() { return broker_->topic("t") && broker_->topic("t")->id == id_; }
  void expect_nothing_is_left() {
    for (int32_t p = 0; p < 2; ++p) {
      EXPECT_EQ(committed("plain", p), -1);
      EXPECT_EQ(committed("transactional", p), -1);
    }
  }

  os::ManualClock clock_{1700000000000};
  std::unique_ptr<os::SimulatedFileSystem> disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  Uuid id_;
  ProducerIdentity producer_;
};

TEST_F(DeletedTopic, LeavesNoPositionsInOneOfItsName) {
  ASSERT_TRUE(broker_->delete_topic("t").ok());
  expect_nothing_is_left();
  ASSERT_TRUE(create());
  commit_transaction();
  expect_nothing_is_left();
  EXPECT_FALSE(broker_->groups().contains("plain"));
  EXPECT_FALSE(broker_->groups().contains("transactional"));
  open();
  expect_nothing_is_left();
  EXPECT_TRUE(broker_->groups().list().empty());
}

TEST_F(DeletedTopic, TakesCommitsWithItThatWereOnTheirWay) {
  for (int round = 0; round < 50 && !HasFailure(); ++round) {
    std::atomic<bool> deleted = false;
    std::vector<std::thread> committers;
    for (int i = 0; i < 4; ++i) {
      committers.emplace_back([&] {
        while (!deleted) answer_of<CommitAnswer>([&](auto done) { commit("plain", done); });
      });
    }
    ASSERT_TRUE(broker_->delete_topic("t").ok());
    deleted = true;
    for (std::thread& committer : committers) committer.join();
    ASSERT_TRUE(create());
    EXPECT_EQ(committed("plain"), -1);
  }
  commit_transaction();
  expect_nothing_is_left();
  open();
  expect_nothing_is_left();
}

TEST_F(DeletedTopic, LeavesNothingWhereItsEndFailsHalfWay) {
  bool failed = true;
  for (uint64_t nth = 1; failed; ++nth) {
    SCOPED_TRACE("fsync number " + std::to_string(nth) + " fails");
    disk_->fail(os::DiskCall::kSync, nth, os::DiskFault::kIoError);
    bool deleted = broker_->delete_topic("t").ok();
    failed = disk_->fault_happened();
    EXPECT_TRUE(deleted || failed);
    if (old_one_is_there()) {
      EXPECT_EQ(committed("plain"), 5);
    } else {
      expect_nothing_is_left();
      bool made = create();
      open();
      EXPECT_TRUE(made || broker_->topic("t") || create());
      expect_nothing_is_left();
    }
    if (HasFailure() || !failed) return;
    begin_anew();
  }
}

// The start after it knows what the disk holds.
TEST_F(DeletedTopic, HasNoSuccessorWhileACommitThatFailedMayComeBack) {
  disk_->fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  EXPECT_THAT(answer_of<CommitAnswer>([&](auto done) { commit("late", done); }), Each(Error::kNotAvailable));
  (void)broker_->delete_topic("t");
  ASSERT_FALSE(broker_->topic("t"));
  EXPECT_FALSE(create());
  open();
  ASSERT_TRUE(create());
  open();
  expect_nothing_is_left();
  EXPECT_EQ(committed("late"), -1);
}

class UnfinishedDeletion : public DeletedTopic {
 protected:
  /// A directory that can't be renamed keeps the deletion on record.
  void delete_in_vain() {
    disk_->fail(os::DiskCall::kRename, 1, os::DiskFault::kIoError);
    ASSERT_TRUE(broker_->delete_topic("t").ok());
    ASSERT_TRUE(*disk_->exists("/data/t-0"));
    broker_.reset();
  }
};

TEST_F(UnfinishedDeletion, KeepsNoStartAndIsTriedAgain) {
  delete_in_vain();
  disk_->fail(os::DiskCall::kRemove, 1, os::DiskFault::kIoError);
  open();
  ASSERT_TRUE(disk_->fault_happened());
  EXPECT_TRUE(*disk_->exists("/data/t-0"));
  EXPECT_FALSE(broker_->topic("t"));
  expect_nothing_is_left();
  open();
  EXPECT_FALSE(*disk_->exists("/data/t-0"));
  EXPECT_FALSE(*disk_->exists("/data/t-1"));
}

TEST_F(UnfinishedDeletion, LeavesNothingWhereverTheCrashComes) {
  for (uint64_t point = 0; point < 40 && !HasFailure(); ++point) {
    SCOPED_TRACE("crash after " + std::to_string(point) + " operations");
    begin_anew();
    delete_in_vain();
    disk_->crash_after(point);
    (void)Broker::open(options_in("/data"), metrics_, clock_, *disk_);
    disk_->crash();
    disk_->restart(os::CrashMode::kRandom, point);
    open();
    EXPECT_FALSE(*disk_->exists("/data/t-0"));
    EXPECT_FALSE(*disk_->exists("/data/t-1"));
  }
}

class DeletedTopicCrash : public DeletedTopic, public testing::WithParamInterface<os::CrashMode> {};

TEST_P(DeletedTopicCrash, LeavesNothingWhereverTheCrashComes) {
  bool finished = false;
  for (uint64_t point = 0; !finished && !HasFailure(); ++point) {
    SCOPED_TRACE("crash after " + std::to_string(point) + " operations");
    begin_anew();
    disk_->crash_after(point);
    bool deleted = broker_->delete_topic("t").ok();
    finished = deleted && create() && !disk_->crashed();
    disk_->crash();
    broker_.reset();
    disk_->restart(GetParam(), point);
    open();
    if (old_one_is_there()) {
      EXPECT_FALSE(deleted);
      EXPECT_EQ(committed("plain"), 5);
      continue;
    }
    expect_nothing_is_left();
    if (!broker_->topic("t")) {
      ASSERT_TRUE(create());
    }
    commit_transaction();
    expect_nothing_is_left();
    open();
    expect_nothing_is_left();
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, DeletedTopicCrash,
                         testing::Values(os::CrashMode::kKeep, os::CrashMode::kDrop, os::CrashMode::kTear,
                                         os::CrashMode::kRandom));

TEST_F(DeletedTopic, NothingIsAcknowledgedInATopicThatMayBeDeletedByTheNextStart) {
  auto partition = broker_->partition({"t", PartitionId(0)});
  disk_->fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  ASSERT_FALSE(broker_->delete_topic("t").ok());
  auto refused = produce(*partition, batch_of({"late"}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  partition.reset();
  open();
  EXPECT_EQ(broker_->topic("t"), nullptr) << "what was written of the deletion is found";
}

}  // namespace
}  // namespace headrace::broker
