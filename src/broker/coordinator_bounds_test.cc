// How much the coordinators keep for their clients, and that the last room of a disk is not for them.
#include <gtest/gtest.h>

#include <thread>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

constexpr uint64_t kKiB = 1 << 10;

class CoordinatorBounds : public ::testing::Test {
 protected:
  void SetUp() override {
    open({});
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 1, .configs = {}}).ok());
  }
  void open(BrokerOptions options) {
    broker_.reset();
    options.data_directory = "/data";
    auto opened = Broker::open(options, metrics_, os::system_clock(), disk_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  static std::vector<OffsetToCommit> offset() { return {{{"t", PartitionId(0)}, {.offset = Offset(7)}}}; }
  Error commit(const GroupCaller& caller) {
    return answer_of<CommitAnswer>([&](auto done) { broker_->groups().commit(caller, offset(), done); }).at(0);
  }
  Error commit(const std::string& group) { return commit(GroupCaller{.group_id = group}); }
  Error commit_in(ProducerIdentity producer, const std::string& group) {
    auto error = answer_of<Error>(
        [&](auto done) { broker_->transactions().add_offsets("tx", producer, group, Joined::kOnDisk, done); });
    if (error != Error::kNone) return error;
    return answer_of<CommitAnswer>([&](auto done) {
             broker_->groups().commit_in_transaction({.group_id = group}, "tx",
                                                     {.id = producer.id, .epoch = producer.epoch}, offset(), done);
           })
        .at(0);
  }
  Error remove(const std::string& group) {
    return answer_of<Error>([&](auto done) { broker_->groups().remove(group, done); });
  }
  IdentityAnswer init(const std::string& id) {
    return answer_of<IdentityAnswer>([&](auto done) { broker_->transactions().init(id, 60s, std::nullopt, done); });
  }
  Error end(ProducerIdentity producer) {
    return answer_of<IdentityAnswer>([&](auto done) {
             broker_->transactions().end("tx", producer, /*commit=*/true, /*bump_epoch=*/false, done);
           })
        .error;
  }

  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(CoordinatorBounds, GroupsThatOnlyHaveOffsetsAreBounded) {
  open({.groups_max = 2});
  EXPECT_EQ(commit("a"), Error::kNone);
  EXPECT_EQ(commit("b"), Error::kNone);
  EXPECT_EQ(commit("c"), Error::kNotAvailable);
  EXPECT_EQ(commit("a"), Error::kNone);
  open({.groups_max = 2});
  EXPECT_EQ(commit("c"), Error::kNotAvailable);
  EXPECT_EQ(remove("a"), Error::kNone);
  EXPECT_EQ(commit("c"), Error::kNone);
}

TEST_F(CoordinatorBounds, GroupsWithOffsetsInOpenTransactionsCount) {
  open({.groups_max = 1});
  auto producer = init("tx").producer;
  EXPECT_EQ(commit_in(producer, "a"), Error::kNone);
  EXPECT_EQ(commit_in(producer, "a"), Error::kNone);
  EXPECT_EQ(commit_in(producer, "b"), Error::kNotAvailable);
  EXPECT_EQ(commit("b"), Error::kNotAvailable);
  EXPECT_EQ(end(producer), Error::kNone);
  EXPECT_EQ(commit("a"), Error::kNone);
}

TEST_F(CoordinatorBounds, TransactionalIdsAreBounded) {
  open({.transactional_ids_max = 2});
  EXPECT_EQ(init("tx").error, Error::kNone);
  EXPECT_EQ(init("b").error, Error::kNone);
  EXPECT_EQ(init("c").error, Error::kNotAvailable);
  EXPECT_EQ(init("b").error, Error::kNone);
  EXPECT_FALSE(broker_->transactions().describe("c").has_value());
}

TEST_F(CoordinatorBounds, TheLastOfTheReserveIsNotForClients) {
  set_log_level(LogLevel::kError);
  disk_.set_capacity(64 << 20);
  open({.disk_reserve_bytes = 1000 * kKiB});
  auto producer = init("tx").producer;
  ASSERT_EQ(commit_in(producer, "a"), Error::kNone);
  // The broker looks at the disk now and then, and gives back what was kept for appends.
  uint64_t filler = 0;
  auto fill_until = [&](uint64_t free, Error wanted) {
    auto deadline = std::chrono::steady_clock::now() + 10s;
    while (commit("g") != wanted && std::chrono::steady_clock::now() < deadline) {
      filler = filler + broker_->disk_space()->free_bytes - free;
      disk_.set_content("/filler", Bytes(filler));
    }
  };
  fill_until(500 * kKiB, Error::kNone);
  EXPECT_EQ(commit("g"), Error::kNone) << "the reserve is for commits";
  fill_until(200 * kKiB, Error::kNotAvailable);
  EXPECT_EQ(commit("g"), Error::kNotAvailable);
  EXPECT_EQ(commit_in(producer, "a"), Error::kNotAvailable);
  EXPECT_EQ(init("new").error, Error::kNotAvailable);
  EXPECT_EQ(end(producer), Error::kNone) << "what was begun is ended";
  fill_until(500 * kKiB, Error::kNone);
  EXPECT_EQ(commit("g"), Error::kNone);
}

TEST_F(CoordinatorBounds, AMemberOfAGroupThatIsNotThereIsTold) {
  GroupCaller member{.group_id = "g", .generation = 1, .member_id = "m"}, old = member;
  old.knows_member_epochs = false;
  EXPECT_EQ(commit(member), Error::kGroupIdNotFound);
  EXPECT_EQ(commit(old), Error::kIllegalGeneration);
  ASSERT_EQ(commit("g"), Error::kNone);
  EXPECT_EQ(commit(member), Error::kUnknownMember);
  EXPECT_EQ(commit(old), Error::kUnknownMember);
}

}  // namespace
}  // namespace headrace::broker
