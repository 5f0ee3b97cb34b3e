// Members of the classic protocol in a consumer group, request by request, on a clock that stands still. Whole rolling
// restarts are in group_migration_test.cc.
#include <gmock/gmock.h>

#include "broker/consumer_group_machine.h"
#include "broker/consumer_group_test_support.h"
#include "broker/consumer_protocol.h"
#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using Error = CoordinatorError;

Bytes subscription(const std::string& topic, const std::vector<int32_t>& owned) {
  Bytes out;
  codec::Writer writer(out);
  writer.write<int16_t>(1);
  writer.write<int32_t>(1);
  write_string(writer, topic);
  writer.write<int32_t>(-1);
  writer.write<int32_t>(1);
  write_string(writer, topic);
  writer.write(static_cast<int32_t>(owned.size()));
  for (int32_t partition : owned) writer.write(partition);
  return out;
}

class ConsumerGroupClassicTest : public testing::Test {
 protected:
  ConsumerGroupClassicTest() { topics_.set("t", 4); }
  void SetUp() override {
    make();
    EXPECT_EQ(beat(kJoinEpoch), Error::kNone);
  }
  void make() {
    ConsumerGroupOptions options{.session_timeout = 10s, .heartbeat_interval = 100ms, .group_members_max = 3};
    machine_ = std::make_unique<ConsumerGroupMachine>(
        options, lock_, memory_, clock_, *timers_, topics_,
        [this](const std::string&, std::vector<StateLog::Entry> records, Function<void(bool)> done) {
          if (hold_store_) {
            held_store_ = std::move(done);
          } else {
            if (store_works_) stored_.insert(stored_.end(), records.begin(), records.end());
            done(store_works_);
          }
        });
    machine_->set_hand_over([this](const std::string&, StoredConsumerGroup group, std::vector<StateLog::Entry> end) {
      handed_over_ = std::move(group);
      stored_.insert(stored_.end(), end.begin(), end.end());
    });
  }
  void pass(milliseconds time) {
    for (; time > 0ms; time -= 10ms) {
      clock_.advance(10ms);
      timers_->run_due();
    }
  }

  /// Of the member "m", which speaks the consumer protocol and does as it is told.
  Error beat(int32_t epoch) {
    ConsumerHeartbeatRequest request{.group_id = "g",
                                     .member_id = "m",
                                     .member_epoch = epoch,
                                     .rebalance_timeout = 5s,
                                     .topics = std::vector<std::string>{"t"},
                                     .owned = epoch == kJoinEpoch ? PartitionSet() : owned_};
    Error error = Error::kNone;
    machine_->heartbeat(std::move(request), [&](const ConsumerHeartbeatAnswer& answer) {
      error = answer.error;
      epoch_ = answer.member_epoch;
      if (answer.assignment) owned_ = *answer.assignment;
    });
    return error;
  }
  Error beat() { return beat(epoch_); }

  struct Classic {
    std::string id;
    std::optional<std::string> instance;
    std::vector<GroupProtocol> protocols{{"range", subscription("t", {})}};
    int32_t generation = -1;
    std::optional<Error> joined, synced;
    std::vector<int32_t> assigned;
  };
  JoinGroupRequest request(const Classic& member) {
    return {.group_id = "g",
            .member_id = member.id,
            .group_instance_id = member.instance,
            .client_id = "client",
            .client_host = "/h",
            .session_timeout = 1000ms,
            .rebalance_timeout = 2000ms,
            .protocol_type = "consumer",
            .protocols = member.protocols};
  }
  Error join(Classic& member) {
    member.joined.reset();
    auto take = [&](const JoinGroupAnswer& answer) {
      member.joined = answer.error;
      if (answer.error == Error::kNone || answer.error == Error::kMemberIdRequired) member.id = answer.member_id;
      if (answer.error != Error::kNone) return;
      member.generation = answer.generation;
      EXPECT_TRUE(answer.leader.empty());
      EXPECT_EQ(answer.protocol_name, member.protocols.front().name);
    };
    machine_->join(request(member), take);
    if (member.joined == Error::kMemberIdRequired) machine_->join(request(member), take);
    return member.joined.value_or(Error::kNone);
  }
  Error sync(Classic& member) {
    member.synced.reset();
    machine_->sync({.group_id = "g",
                    .generation = member.generation,
                    .member_id = member.id,
                    .group_instance_id = member.instance},
                   [&](const SyncGroupAnswer& answer) {
                     member.synced = answer.error;
                     member.assigned.clear();
                     if (answer.error != Error::kNone) return;
                     auto assigned = decode_assignment(answer.assignment);
                     for (const NamedPartitions& topic : assigned->partitions) {
                       EXPECT_EQ(topic.topic, "t");
                       member.assigned = topic.partitions;
                     }
                   });
    return member.synced.value_or(Error::kNone);
  }
  Error heartbeat(const Classic& member) {
    return machine_->classic_heartbeat({"g", member.generation, member.id, member.instance});
  }
  size_t members() { return machine_->describe("g").members.size(); }
  /// A member of each kind, with two partitions each.
  void settle(Classic& member) {
    ASSERT_EQ(join(member), Error::kNone);
    ASSERT_EQ(sync(member), Error::kNone);
    EXPECT_THAT(member.assigned, IsEmpty()) << "they are m's still";
    EXPECT_EQ(heartbeat(member), Error::kNone);
    EXPECT_EQ(beat(), Error::kNone);
    EXPECT_EQ(beat(), Error::kNone);
    ASSERT_EQ(heartbeat(member), Error::kRebalanceInProgress) << "they are free";
    ASSERT_EQ(join(member), Error::kNone);
    ASSERT_EQ(sync(member), Error::kNone);
    EXPECT_EQ(member.assigned.size(), 2u);
    EXPECT_EQ(heartbeat(member), Error::kNone);
    EXPECT_EQ(machine_->describe("g").state, GroupState::kStable);
  }

  GroupLock lock_;
  GroupMemory memory_{SIZE_MAX};
  os::ManualClock clock_{1700000000000};
  std::unique_ptr<Timers> timers_ = std::make_unique<Timers>(clock_);
  FakeTopics topics_;
  std::vector<StateLog::Entry> stored_;
  bool store_works_ = true;
  bool hold_store_ = false;
  Function<void(bool)> held_store_;
  std::optional<StoredConsumerGroup> handed_over_;
  int32_t epoch_ = 0;
  PartitionSet owned_;
  std::unique_ptr<ConsumerGroupMachine> machine_;
};

TEST_F(ConsumerGroupClassicTest, AMemberGetsItsShareWhenOthersHaveGivenItUp) {
  Classic a;
  settle(a);
}

TEST_F(ConsumerGroupClassicTest, AShareThatShrinksIsToldWhileTheRestStays) {
  Classic a, b;
  settle(a);
  std::vector<int32_t> had = a.assigned;
  ASSERT_EQ(join(b), Error::kNone);
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  a.protocols = {{"range", subscription("t", had)}};
  ASSERT_EQ(join(a), Error::kNone);
  ASSERT_EQ(sync(a), Error::kNone);
  if (a.assigned == had) return;  // b's share comes from m.
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress) << "it is to say that it has given up";
  a.protocols = {{"range", subscription("t", a.assigned)}};
  ASSERT_EQ(join(a), Error::kNone);
  EXPECT_EQ(sync(a), Error::kNone);
  EXPECT_EQ(heartbeat(a), Error::kNone);
}

TEST_F(ConsumerGroupClassicTest, AnswersWaitForTheDisk) {
  hold_store_ = true;
  Classic a{.id = "a"};
  join(a);
  EXPECT_FALSE(a.joined.has_value());
  held_store_(false);
  EXPECT_EQ(a.joined, Error::kNotAvailable);
  hold_store_ = false;
  EXPECT_EQ(join(a), Error::kNone);
}

TEST_F(ConsumerGroupClassicTest, AnAssignmentThatCouldNotBeWrittenIsWrittenWhenItIsAskedFor) {
  Classic a;
  ASSERT_EQ(join(a), Error::kNone);
  store_works_ = false;
  EXPECT_EQ(beat(), Error::kNotAvailable);
  store_works_ = true;
  sync(a);
  EXPECT_EQ(a.synced, Error::kNone);
}

TEST_F(ConsumerGroupClassicTest, RequestsAreChecked) {
  Classic a;
  settle(a);
  Classic other = a;
  other.generation -= 1;
  EXPECT_EQ(heartbeat(other), Error::kIllegalGeneration);
  EXPECT_EQ(sync(other), Error::kIllegalGeneration);
  EXPECT_EQ(machine_->check_fetch({"g", other.generation, other.id, {}}), Error::kIllegalGeneration);
  other.id = "nobody";
  EXPECT_EQ(heartbeat(other), Error::kUnknownMember);
  other.id = "m";
  other.generation = epoch_;
  EXPECT_EQ(heartbeat(other), Error::kUnknownMember) << "m speaks the other protocol";

  Classic b{.protocols = {{"roundrobin", subscription("t", {})}}};
  EXPECT_EQ(join(b), Error::kInconsistentProtocol) << "nothing in common with a";
  b.protocols = {{"range", {1, 2, 3}}};
  EXPECT_EQ(join(b), Error::kInconsistentProtocol) << "not a subscription";
  b.protocols = {{"range", subscription("t", {})}};
  EXPECT_EQ(join(b), Error::kNone);
  Classic c;
  EXPECT_EQ(join(c), Error::kGroupMaxSizeReached);
  EXPECT_EQ(members(), 3u);

  JoinGroupRequest worker = request(a);
  worker.protocol_type = "connect";
  std::optional<Error> refused;
  machine_->join(std::move(worker), [&](const JoinGroupAnswer& answer) { refused = answer.error; });
  EXPECT_EQ(refused, Error::kInconsistentProtocol);
}

TEST_F(ConsumerGroupClassicTest, StaticMembersAreFenced) {
  Classic a{.instance = "i"};
  ASSERT_EQ(join(a), Error::kNone);
  Classic again{.instance = "i"};
  ASSERT_EQ(join(again), Error::kNone);
  EXPECT_NE(again.id, a.id);
  EXPECT_EQ(members(), 2u);
  EXPECT_EQ(heartbeat(a), Error::kFencedInstanceId);
  EXPECT_EQ(join(a), Error::kFencedInstanceId);
  Classic stranger{.id = "x", .instance = "j"};
  EXPECT_EQ(join(stranger), Error::kUnknownMember);
}

TEST_F(ConsumerGroupClassicTest, WhoDoesNotSyncIsRemoved) {
  Classic a;
  ASSERT_EQ(join(a), Error::kNone);
  for (int i = 0; i < 3; ++i) {
    pass(600ms);
    heartbeat(a);
  }
  EXPECT_EQ(members(), 2u);
  pass(300ms);
  EXPECT_EQ(members(), 1u);
}

TEST_F(ConsumerGroupClassicTest, WhoDoesNotJoinWhenAskedToIsRemoved) {
  Classic a, b;
  settle(a);
  ASSERT_EQ(join(b), Error::kNone);
  sync(b);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
    heartbeat(b);
    pass(600ms);
  }
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  pass(300ms);
  EXPECT_EQ(heartbeat(a), Error::kUnknownMember);
}

TEST_F(ConsumerGroupClassicTest, SilentMembersAreRemovedAfterTheirOwnSession) {
  Classic a;
  settle(a);
  pass(990ms);
  EXPECT_EQ(members(), 2u);
  pass(20ms);
  EXPECT_EQ(members(), 1u);
}

TEST_F(ConsumerGroupClassicTest, TheGroupIsHandedOverWhenTheLastOfTheOthersIsGone) {
  Classic a;
  settle(a);
  EXPECT_EQ(beat(kLeaveEpoch), Error::kNone);
  ASSERT_TRUE(handed_over_.has_value());
  EXPECT_FALSE(machine_->contains("g"));
  ASSERT_THAT(handed_over_->members, ElementsAre(testing::Key(a.id)));
  const auto& left = handed_over_->members.at(a.id);
  EXPECT_EQ(left.current.epoch, a.generation);
  EXPECT_EQ(handed_over_->target_epoch, a.generation);
  EXPECT_EQ(left.info->classic->protocols, a.protocols);
  for (const auto& [id, group] : replay(stored_)) EXPECT_FALSE(group.epoch.has_value());
}

TEST_F(ConsumerGroupClassicTest, AGroupThatCouldNotBeWrittenIsHandedOverLater) {
  Classic a;
  settle(a);
  store_works_ = false;
  beat(kLeaveEpoch);
  EXPECT_FALSE(handed_over_.has_value());
  store_works_ = true;
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  EXPECT_EQ(join(a), Error::kNone);
  EXPECT_TRUE(handed_over_.has_value());
}

TEST_F(ConsumerGroupClassicTest, ARestartGoesOnWhereItWas) {
  Classic a;
  settle(a);
  machine_.reset();
  timers_ = std::make_unique<Timers>(clock_);
  make();
  for (const auto& [id, group] : replay(stored_)) machine_->restore(id, group);
  EXPECT_EQ(heartbeat(a), Error::kNone);
  EXPECT_EQ(beat(), Error::kNone);
  std::vector<int32_t> had = a.assigned;
  EXPECT_EQ(sync(a), Error::kNone);
  EXPECT_EQ(a.assigned, had);
  pass(1100ms);
  EXPECT_EQ(heartbeat(a), Error::kUnknownMember) << "silent for its own session";
}

}  // namespace
}  // namespace headrace::broker
