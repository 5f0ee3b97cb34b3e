// Static members (KIP-345): who comes back under an instance id takes its old place over.
#include "broker/group_machine_test_support.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using Error = CoordinatorError;

using GroupStaticMembersTest = GroupMachineTest;

TEST_F(GroupStaticMembersTest, AStaticMemberThatNeverSyncsIsOutToo) {
  Client a = static_client("one"), b = static_client("two");
  join(a);
  join(b);
  join(a);
  sync(a, {{a.id, {1}}});
  for (int i = 0; i < 20 && heartbeat(a) == Error::kNone; ++i) {
    heartbeat(b);
    pass(200ms);
  }
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  EXPECT_EQ(heartbeat(b), Error::kUnknownMember);
  join(a);
  EXPECT_EQ(a.generation, 3);
}

TEST_F(GroupStaticMembersTest, AStaticMemberComesBackWithoutARebalance) {
  Client a = static_client("one"), b = static_client("two");
  join(a);
  join(b);
  join(a);
  ASSERT_TRUE(a.joined && b.joined);
  sync(a, {{a.id, {1}}, {b.id, {2}}});
  Client again = static_client("two");
  join(again);
  ASSERT_TRUE(again.joined);
  EXPECT_EQ(again.joined->error, Error::kNone);
  EXPECT_EQ(again.generation, 2);
  EXPECT_NE(again.id, b.id);
  EXPECT_EQ(state(), GroupState::kStable);
  sync(again);
  EXPECT_THAT(again.synced->assignment, ElementsAre(2));
  EXPECT_EQ(heartbeat(b), Error::kFencedInstanceId);
}

// Java's consumers tell the generation that they were in, so that no two starts of one say the same of themselves.
TEST_F(GroupStaticMembersTest, WhatAStaticMemberSaysOfItselfNeedsNoRebalance) {
  Client a = static_client("one"), b = static_client("two");
  a.protocols = b.protocols = {{"range", {1}}, {"sticky", {1}}};
  stable_pair(a, b);
  Client again = static_client("two");
  again.protocols = {{"range", {9}}, {"sticky", {9}}};
  join(again);
  ASSERT_TRUE(again.joined);
  EXPECT_EQ(again.generation, 2);
  EXPECT_EQ(heartbeat(a), Error::kNone);

  // After a restart only the protocol that was chosen is known of the others.
  StoredGroup kept = stored_.back();
  make(quick());
  machine_->restore(kept);
  Client anew = static_client("two");
  anew.protocols = {{"range", {10}}, {"sticky", {10}}};
  join(anew);
  ASSERT_TRUE(anew.joined);
  EXPECT_EQ(anew.generation, 2);
  EXPECT_EQ(heartbeat(a), Error::kNone);
  EXPECT_EQ(heartbeat(again), Error::kFencedInstanceId);
}

TEST_F(GroupStaticMembersTest, AStaticMemberThatWantsAnotherProtocolRebalances) {
  Client a = static_client("one");
  a.protocols = {{"range", {1}}, {"sticky", {1}}};
  join(a);
  sync(a, {{a.id, {1}}});
  Client again = static_client("one");
  again.protocols = {{"sticky", {1}}, {"range", {1}}};
  join(again);
  ASSERT_TRUE(again.joined);
  EXPECT_EQ(again.generation, 2);
  EXPECT_EQ(again.joined->protocol_name, "sticky");
}

TEST_F(GroupStaticMembersTest, AStaticMembersNewIdIsOnTheDiskBeforeItIsTold) {
  Client a = static_client("one"), b = static_client("two");
  stable_pair(a, b);
  hold_store_ = true;
  Client again = static_client("two");
  join(again);
  EXPECT_FALSE(again.joined);
  pass(900ms);
  heartbeat(a);
  pass(900ms);  // Longer than its session: it waits for us.
  heartbeat(a);
  held_store_(true);
  ASSERT_TRUE(again.joined);
  EXPECT_THAT(stored_.back().members, Contains(Field(&StoredGroup::Member::member_id, again.id)));
  pass(900ms);
  EXPECT_EQ(heartbeat(again), Error::kNone);
}

TEST_F(GroupStaticMembersTest, AStaticMemberWhoseNewIdCantBeStoredIsTheOldOne) {
  Client a = static_client("one"), b = static_client("two");
  stable_pair(a, b);
  store_works_ = false;
  for (Client* old : {&a, &b}) {
    Client again = static_client(*old->instance);
    join(again);
    ASSERT_TRUE(again.joined);
    EXPECT_EQ(again.joined->error, Error::kNotAvailable);
    EXPECT_EQ(again.id, "");
    EXPECT_EQ(heartbeat(*old), Error::kNone);
  }
  store_works_ = true;
  Client leader = static_client("one");
  join(leader);
  EXPECT_EQ(leader.joined->leader, a.id) << "still the leader, so that whoever comes back is told of it";
  sync(leader);
  EXPECT_THAT(leader.synced->assignment, ElementsAre(10));
}

TEST_F(GroupStaticMembersTest, ARebalanceAnswersAStaticMemberThatIsBeingStored) {
  Client a = static_client("one"), b = static_client("two"), c;
  stable_pair(a, b);
  hold_store_ = true;
  Client again = static_client("two");
  join(again);
  auto stored = std::move(held_store_);
  join(c);
  join(a);
  ASSERT_TRUE(again.joined && c.joined);
  EXPECT_EQ(again.generation, 3);
  EXPECT_EQ(again.joined->error, Error::kNone);
  stored(false);
  EXPECT_EQ(heartbeat(again), Error::kNone);
  EXPECT_EQ(heartbeat(b), Error::kFencedInstanceId);
}

TEST_F(GroupStaticMembersTest, AStaticLeaderThatComesBackDoesNotAssignAgain) {
  Client a = static_client("one");
  join(a);
  sync(a, {{a.id, {1}}});
  Client again = static_client("one");
  join(again);
  ASSERT_TRUE(again.joined);
  EXPECT_FALSE(again.leads());
  sync(again);
  EXPECT_THAT(again.synced->assignment, ElementsAre(1));

  JoinGroupRequest modern = request(static_client("one"));
  modern.supports_skip_assignment = true;
  machine_->join(modern, [&](JoinGroupAnswer answer) {
    EXPECT_TRUE(answer.skip_assignment);
    EXPECT_EQ(answer.leader, answer.member_id);
  });
}

TEST_F(GroupStaticMembersTest, AStaticMemberKeepsItsPlaceUntilItsSessionEnds) {
  Client a = static_client("one"), b = static_client("two");
  join(a);
  join(b);
  join(a);
  sync(a, {{a.id, {1}}, {b.id, {2}}});
  sync(b);
  pass(900ms);
  heartbeat(a);
  EXPECT_EQ(state(), GroupState::kStable);
  pass(300ms);
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
}

}  // namespace
}  // namespace headrace::broker
