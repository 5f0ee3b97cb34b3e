// What is forgotten of groups without members, and when.
#include <thread>

#include "broker/broker_test_support.h"
#include "broker/embedded_bus.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

class GroupExpiry : public testing::Test {
 protected:
  void SetUp() override {
    BrokerOptions options = options_in(directory_.path());
    options.transaction_timeout_max = 24h * 24;
    options.group_initial_rebalance_delay = 0ms;
    auto opened = Broker::open(options, metrics_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 2, .configs = {}}).ok());
  }

  static std::vector<OffsetToCommit> offset(int32_t partition) {
    return {{{"t", PartitionId(partition)}, {.offset = Offset(7)}}};
  }
  void commit(const GroupCaller& caller, int32_t partition) {
    auto answer =
        answer_of<CommitAnswer>([&](auto done) { broker_->groups().commit(caller, offset(partition), done); });
    ASSERT_EQ(answer.at(0), Error::kNone);
  }
  bool committed(const std::string& group, int32_t partition) {
    auto found = broker_->groups().fetch(group, {{{"t", PartitionId(partition)}}}, /*require_stable=*/false);
    return found.at(0).offset.offset != kNoOffset;
  }
  bool exists(const std::string& group) {
    for (const GroupListing& listed : broker_->groups().list()) {
      if (listed.group_id == group) return true;
    }
    return false;
  }

  JoinGroupAnswer join(const std::string& group) {
    JoinGroupRequest request{.group_id = group,
                             .session_timeout = 1800s,
                             .protocol_type = "consumer",
                             .protocols = {{"range", {1}}},
                             .require_known_member_id = false};
    return answer_of<JoinGroupAnswer>([&](auto done) { broker_->groups().join(request, done); });
  }
  void leave(const std::string& group, const JoinGroupAnswer& joined) {
    broker_->groups().leave(group, {{joined.member_id, std::nullopt}}, [](const LeaveGroupAnswer&) {});
  }
  ConsumerHeartbeatAnswer beat(const std::string& group, int32_t epoch) {
    ConsumerHeartbeatRequest request{.group_id = group, .member_id = "m", .member_epoch = epoch};
    if (epoch == kJoinEpoch) {
      request.rebalance_timeout = 60s;
      request.topics = std::vector<std::string>{"t"};
      request.owned = PartitionSet();
    }
    return answer_of<ConsumerHeartbeatAnswer>(
        [&](auto done) { broker_->groups().consumer_heartbeat(std::move(request), done); });
  }
  /// Lets time pass, and then the broker look at all groups. A group that was joined and left again goes when it looks;
  /// the second one goes when it has looked at all others since the first, and what it wrote then is before a commit.
  void pass(milliseconds time) {
    clock_.advance(time);
    for (const char* witness : {"witness-1", "witness-2"}) {
      leave(witness, join(witness));
      // Again where the look came before the leave had done all that it does.
      while (exists(witness)) {
        clock_.advance(11min);
        auto enough = std::chrono::steady_clock::now() + 1s;
        while (exists(witness) && std::chrono::steady_clock::now() < enough) std::this_thread::yield();
      }
    }
    commit({.group_id = "last"}, 0);
  }

  TempDirectory directory_;
  JumpingClock clock_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(GroupExpiry, OffsetsOfAGroupThatNeverHadMembersGoOneByOne) {
  commit({.group_id = "g"}, 0);
  pass(24h * 4);
  commit({.group_id = "g"}, 1);
  EXPECT_TRUE(committed("g", 0));
  pass(24h * 4);
  EXPECT_FALSE(committed("g", 0));
  EXPECT_TRUE(committed("g", 1));
  EXPECT_TRUE(exists("g"));
  pass(24h * 4);
  EXPECT_FALSE(exists("g"));
}

TEST_F(GroupExpiry, OffsetsOfAGroupThatHadMembersGoTogetherWhenItHasBeenEmptyForLong) {
  JoinGroupAnswer member = join("g");
  auto synced = answer_of<SyncGroupAnswer>([&](auto done) {
    broker_->groups().sync({.group_id = "g", .generation = member.generation, .member_id = member.member_id}, done);
  });
  ASSERT_EQ(synced.error, Error::kNone);
  commit({.group_id = "g", .generation = member.generation, .member_id = member.member_id}, 0);
  leave("g", member);
  pass(24h * 4);
  commit({.group_id = "g"}, 1);
  pass(24h * 2);
  EXPECT_TRUE(committed("g", 0));
  pass(24h * 2);
  EXPECT_FALSE(exists("g")) << "the later commit changes nothing about when the last member went";
}

TEST_F(GroupExpiry, AGroupThatIsEmptyInEveryWayGoesAtOnce) {
  ASSERT_EQ(beat("g", kJoinEpoch).error, Error::kNone);
  ASSERT_EQ(beat("g", kLeaveEpoch).error, Error::kNone);
  pass(1s);
  EXPECT_FALSE(exists("g"));
}

TEST_F(GroupExpiry, OffsetsOfAConsumerGroupGoOneByOneOnceItIsEmpty) {
  auto member = beat("g", kJoinEpoch);
  commit({.group_id = "g", .generation = member.member_epoch, .member_id = "m"}, 0);
  ASSERT_EQ(beat("g", kLeaveEpoch).error, Error::kNone);
  pass(24h * 4);
  commit({.group_id = "g"}, 1);
  pass(24h * 4);
  EXPECT_FALSE(committed("g", 0));
  EXPECT_TRUE(committed("g", 1));
  pass(24h * 4);
  EXPECT_FALSE(exists("g"));
}

TEST_F(GroupExpiry, ACommitBehindTheRemovalOfItsGroupStays) {
  for (int i = 0; i < 20; ++i) {
    std::string group = "g" + std::to_string(i);
    if (i % 2 == 0) {
      leave(group, join(group));
    } else {
      ASSERT_EQ(beat(group, kJoinEpoch).error, Error::kNone);
      ASSERT_EQ(beat(group, kLeaveEpoch).error, Error::kNone);
    }
    commit({.group_id = group}, 0);
    commit({.group_id = group}, 1);
    auto removed = answer_of<Error>([&](auto done) {
      broker_->groups().remove(group, std::move(done));
      commit({.group_id = group}, 0);
    });
    EXPECT_EQ(removed, Error::kNone);
    EXPECT_TRUE(committed(group, 0));
    EXPECT_FALSE(committed(group, 1));
  }
}

TEST_F(GroupExpiry, WhatAnOpenTransactionIsAboutToChangeStays) {
  commit({.group_id = "g"}, 0);
  auto producer = answer_of<IdentityAnswer>([&](auto done) {
                    broker_->transactions().init("tx", 24h * 24, std::nullopt, done);
                  }).producer;
  ASSERT_EQ(answer_of<Error>(
                [&](auto done) { broker_->transactions().add_offsets("tx", producer, "g", Joined::kOnDisk, done); }),
            Error::kNone);
  auto answer = answer_of<CommitAnswer>([&](auto done) {
    broker_->groups().commit_in_transaction({.group_id = "g"}, "tx", {.id = producer.id, .epoch = producer.epoch},
                                            offset(0), done);
  });
  ASSERT_EQ(answer.at(0), Error::kNone);
  pass(24h * 20);
  EXPECT_TRUE(committed("g", 0));
  auto ended = answer_of<IdentityAnswer>(
      [&](auto done) { broker_->transactions().end("tx", producer, /*commit=*/true, /*bump_epoch=*/false, done); });
  EXPECT_EQ(ended.error, Error::kNone);
  pass(1s);
  EXPECT_FALSE(committed("g", 0));
}

TEST_F(GroupExpiry, PositionsOfTheBusStay) {
  auto bus = make_embedded_bus(*broker_);
  ASSERT_TRUE(bus->admin().commit("pipeline", {{{"t", PartitionId(0)}, Offset(7)}}).ok());
  pass(24h * 100);
  EXPECT_TRUE(committed("pipeline", 0));
}

}  // namespace
}  // namespace headrace::broker
