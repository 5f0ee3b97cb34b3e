#include "broker/group_machine.h"

#include <algorithm>
#include <map>
#include <random>

#include "broker/group_machine_test_support.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Error = CoordinatorError;

TEST_F(GroupMachineTest, ANewMemberIsGivenAnIdFirst) {
  Client a;
  machine_->join(request(a), [&](JoinGroupAnswer answer) { a.joined = answer; });
  EXPECT_EQ(a.joined->error, Error::kMemberIdRequired);
  EXPECT_FALSE(a.joined->member_id.empty());
}

TEST_F(GroupMachineTest, IdsOfMembersStayShortWhateverTheClientIsCalled) {
  Client a;
  JoinGroupRequest named = request(a);
  named.client_id = std::string(32767, 'c');
  machine_->join(named, [&](JoinGroupAnswer answer) { a.joined = answer; });
  EXPECT_LT(a.joined->member_id.size(), 400u);
}

TEST_F(GroupMachineTest, OldClientsJoinWithoutAskingTwice) {
  Client a;
  JoinGroupRequest old = request(a);
  old.require_known_member_id = false;
  machine_->join(old, [&](JoinGroupAnswer answer) { a.joined = answer; });
  EXPECT_EQ(a.joined->error, Error::kNone);
  EXPECT_EQ(a.joined->generation, 1);
}

TEST_F(GroupMachineTest, TheLeaderGetsTheMembersAndEverybodyTheirAssignment) {
  Client a, b;
  stable_pair(a, b);
  EXPECT_THAT(a.joined->members, SizeIs(2));
  EXPECT_THAT(b.joined->members, IsEmpty());
  EXPECT_EQ(a.joined->protocol_name, "range");
  EXPECT_THAT(a.synced->assignment, ElementsAre(10));
  EXPECT_THAT(b.synced->assignment, ElementsAre(20));
  EXPECT_EQ(heartbeat(a), Error::kNone);
  ASSERT_FALSE(stored_.empty());
  EXPECT_THAT(stored_.back().members, SizeIs(2));
  EXPECT_EQ(stored_.back().generation, 2);
}

TEST_F(GroupMachineTest, TheFirstRebalanceWaitsForMoreMembers) {
  make(delayed(100ms));
  Client a, b;
  join(a);
  pass(60ms);
  join(b);
  pass(60ms);
  EXPECT_FALSE(a.joined);  // b came within the delay, which began anew
  pass(60ms);
  pass(60ms);
  ASSERT_TRUE(a.joined && b.joined);
  EXPECT_EQ(a.generation, 1);
  EXPECT_EQ(b.generation, 1);
}

TEST_F(GroupMachineTest, TheFirstRebalanceWaitsForNobodyWhoWasGivenAnIdOnly) {
  make(delayed(100ms));
  Client a;
  join(a);
  machine_->join(request(), [](JoinGroupAnswer answer) { EXPECT_EQ(answer.error, Error::kMemberIdRequired); });
  pass(110ms);
  ASSERT_TRUE(a.joined);
  EXPECT_EQ(a.generation, 1);
}

TEST_F(GroupMachineTest, FollowersWaitForTheLeadersAssignmentToBeStored) {
  Client a, b;
  join(a);
  join(b);
  join(a);
  hold_store_ = true;
  sync(b);
  EXPECT_FALSE(b.synced);
  sync(a, {{a.id, {1}}, {b.id, {2}}});
  EXPECT_FALSE(b.synced);
  held_store_(true);
  EXPECT_THAT(b.synced->assignment, ElementsAre(2));
}

TEST_F(GroupMachineTest, AnAssignmentThatCantBeStoredIsNotGivenOut) {
  Client a;
  join(a);
  store_works_ = false;
  sync(a, {{a.id, {1}}});
  EXPECT_EQ(a.synced->error, Error::kNotAvailable);
  EXPECT_EQ(state(), GroupState::kPreparingRebalance);
}

TEST_F(GroupMachineTest, AMemberThatGoesSilentIsRemovedAndTheRestRebalance) {
  Client a, b;
  stable_pair(a, b);
  for (int i = 0; i < 5; ++i) {
    pass(300ms);
    if (heartbeat(a) == Error::kRebalanceInProgress) break;
  }
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  EXPECT_EQ(heartbeat(b), Error::kUnknownMember);
  join(a);
  ASSERT_TRUE(a.joined);
  EXPECT_EQ(a.generation, 3);
  EXPECT_THAT(a.joined->members, SizeIs(1));
}

TEST_F(GroupMachineTest, HeartbeatsKeepAMemberAlive) {
  Client a;
  join(a);
  sync(a, {{a.id, {1}}});
  for (int i = 0; i < 20; ++i) {
    pass(500ms);
    ASSERT_EQ(heartbeat(a), Error::kNone);
  }
}

TEST_F(GroupMachineTest, WhoDoesNotRejoinInTimeIsOut) {
  Client a, b;
  stable_pair(a, b);
  Client c;
  join(c);
  join(a);
  for (int i = 0; i < 20 && !a.joined; ++i) {
    heartbeat(b);  // alive, but it does not rejoin
    pass(200ms);
  }
  ASSERT_TRUE(a.joined && c.joined);
  EXPECT_EQ(a.generation, 3);
  EXPECT_EQ(heartbeat(b), Error::kUnknownMember);
}

TEST_F(GroupMachineTest, WhoJoinsButNeverSyncsIsOut) {
  Client a, b;
  join(a);
  join(b);
  join(a);
  sync(a, {{a.id, {1}}});
  ASSERT_EQ(state(), GroupState::kStable);
  for (int i = 0; i < 20 && heartbeat(a) == Error::kNone; ++i) {
    heartbeat(b);
    pass(200ms);
  }
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  EXPECT_EQ(heartbeat(b), Error::kUnknownMember);
}

TEST_F(GroupMachineTest, LeavingRebalancesAndTheLastOneEmptiesTheGroup) {
  Client a, b;
  stable_pair(a, b);
  EXPECT_THAT(machine_->leave("g", {{b.id, std::nullopt}}).members, ElementsAre(Error::kNone));
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  join(a);
  EXPECT_EQ(a.generation, 3);
  EXPECT_THAT(machine_->leave("g", {{a.id, std::nullopt}, {"nobody", std::nullopt}}).members,
              ElementsAre(Error::kNone, Error::kUnknownMember));
  EXPECT_EQ(state(), GroupState::kEmpty);
  EXPECT_THAT(stored_.back().members, IsEmpty());
  EXPECT_EQ(machine_->remove("g"), Error::kNone);
  EXPECT_EQ(state(), GroupState::kDead);
}

TEST_F(GroupMachineTest, StrangersAndOldGenerationsAreRefused) {
  Client a, b;
  stable_pair(a, b);
  Client stranger;
  stranger.id = "who";
  join(stranger);
  EXPECT_EQ(stranger.joined->error, Error::kUnknownMember);
  sync(stranger);
  EXPECT_EQ(stranger.synced->error, Error::kUnknownMember);
  Client late = b;
  late.generation = 1;
  EXPECT_EQ(heartbeat(late), Error::kIllegalGeneration);
  sync(late);
  EXPECT_EQ(late.synced->error, Error::kIllegalGeneration);
  EXPECT_EQ(machine_->remove("g"), Error::kNonEmptyGroup);
  EXPECT_EQ(machine_->heartbeat({"", 1, "m", {}}), Error::kInvalidGroupId);
  EXPECT_EQ(machine_->heartbeat({"none", 1, "m", {}}), Error::kUnknownMember);
}

TEST_F(GroupMachineTest, WhatCantWorkIsRefusedAtJoin) {
  auto error_of = [&](auto change) {
    JoinGroupRequest r = request();
    change(r);
    Error error = Error::kNone;
    machine_->join(r, [&](JoinGroupAnswer a) { error = a.error; });
    return error;
  };
  EXPECT_EQ(error_of([](auto& r) { r.group_id = ""; }), Error::kInvalidGroupId);
  EXPECT_EQ(error_of([](auto& r) { r.session_timeout = 1ms; }), Error::kInvalidSessionTimeout);
  EXPECT_EQ(error_of([](auto& r) { r.session_timeout = 24h; }), Error::kInvalidSessionTimeout);
  EXPECT_EQ(error_of([](auto& r) { r.protocols.clear(); }), Error::kInconsistentProtocol);
  EXPECT_EQ(error_of([](auto& r) { r.protocol_type = ""; }), Error::kInconsistentProtocol);
  Client a;
  join(a);
  EXPECT_EQ(error_of([](auto& r) { r.protocols = {{"sticky", {}}}; }), Error::kInconsistentProtocol);
  EXPECT_EQ(error_of([](auto& r) { r.protocol_type = "connect"; }), Error::kInconsistentProtocol);
}

TEST_F(GroupMachineTest, GroupsHaveAMostOfMembers) {
  for (int i = 0; i < 10; ++i) {
    machine_->join(request(), [](JoinGroupAnswer a) { EXPECT_EQ(a.error, Error::kMemberIdRequired); });
  }
  machine_->join(request(), [](JoinGroupAnswer a) { EXPECT_EQ(a.error, Error::kGroupMaxSizeReached); });
  pass(1100ms);  // ids that nobody used are taken back, and the group with them
  EXPECT_EQ(state(), GroupState::kDead);
}

TEST_F(GroupMachineTest, WhoLeavesBeforeItJoinsLeavesNoGroupBehind) {
  Client a, b;
  for (Client* client : {&a, &b})
    machine_->join(request(*client), [&](JoinGroupAnswer answer) { client->joined = answer; });
  auto leave = [&](const Client& client) {
    return machine_->leave("g", {{client.joined->member_id, std::nullopt}, {"nobody", std::nullopt}}).members;
  };
  EXPECT_THAT(leave(a), ElementsAre(Error::kNone, Error::kUnknownMember));
  EXPECT_EQ(state(), GroupState::kEmpty) << "another may still join";
  EXPECT_THAT(leave(b), ElementsAre(Error::kNone, Error::kUnknownMember));
  EXPECT_EQ(state(), GroupState::kDead);
}

TEST_F(GroupMachineTest, ThereIsAMostOfGroups) {
  make({.initial_rebalance_delay = 0ms, .groups_max = 1});
  auto join_group = [&](const std::string& id) {
    JoinGroupRequest wanted = request();
    wanted.group_id = id;
    JoinGroupAnswer given;
    machine_->join(wanted, [&](JoinGroupAnswer answer) { given = std::move(answer); });
    return given;
  };
  JoinGroupAnswer first = join_group("g");
  EXPECT_EQ(first.error, Error::kMemberIdRequired);
  EXPECT_EQ(join_group("h").error, Error::kNotAvailable);
  EXPECT_EQ(join_group("g").error, Error::kMemberIdRequired);
  pass(1100ms);
  EXPECT_EQ(join_group("h").error, Error::kMemberIdRequired);
}

TEST_F(GroupMachineTest, WhatMembersTellHasALimitInMemory) {
  Client a, b;
  a.protocols = {{"range", Bytes(600'000)}};
  join(a);
  b.protocols = {{"range", Bytes(600'000)}};
  join(b);
  EXPECT_EQ(b.joined->error, Error::kGroupMaxSizeReached);
  EXPECT_EQ(machine_->describe("g").members.size(), 1u);
  a.protocols = {{"range", Bytes(800'000)}};
  join(a);
  EXPECT_EQ(a.joined->error, Error::kNone) << "it takes the place of what it told before";
  sync(a, {{a.id, Bytes(300'000)}});
  EXPECT_EQ(a.synced->error, Error::kNotAvailable);
  sync(a, {{a.id, Bytes(100'000)}});
  EXPECT_EQ(a.synced->error, Error::kNone);
  EXPECT_GT(memory_.used(), 900'000u);
  EXPECT_THAT(machine_->leave("g", {{a.id, std::nullopt}}).members, ElementsAre(Error::kNone));
  EXPECT_EQ(memory_.used(), 0u);
  join(b);
  EXPECT_EQ(b.joined->error, Error::kNone);
  machine_.reset();
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(GroupMachineTest, WhatIsReadFromTheDiskCountsToo) {
  Client a;
  a.protocols = {{"range", Bytes(600'000)}};
  join(a);
  sync(a, {{a.id, {1}}});
  StoredGroup stored = stored_.back();
  make(quick());
  EXPECT_EQ(memory_.used(), 0u);
  machine_->restore(stored);
  EXPECT_GT(memory_.used(), 600'000u);
}

TEST_F(GroupMachineTest, TheProtocolThatMostPreferAndAllSupportWins) {
  Client a, b, c;
  a.protocols = {{"range", {1}}, {"sticky", {2}}};
  b.protocols = {{"sticky", {3}}, {"range", {4}}};
  c.protocols = {{"sticky", {5}}, {"range", {6}}};
  join(a);
  join(b);
  join(c);
  join(a);
  ASSERT_TRUE(a.joined);
  EXPECT_EQ(a.joined->protocol_name, "sticky");
  EXPECT_THAT(a.joined->members[0].metadata, SizeIs(1));
}

TEST_F(GroupMachineTest, AMemberWithNewTopicsRebalancesTheGroup) {
  Client a, b;
  stable_pair(a, b);
  b.protocols = {{"range", {99}}};
  join(b);
  EXPECT_FALSE(b.joined);
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
  join(a);
  EXPECT_EQ(a.generation, 3);
  EXPECT_EQ(b.generation, 3);
}

TEST_F(GroupMachineTest, AFollowerThatAsksAgainGetsTheSameAnswer) {
  Client a, b;
  stable_pair(a, b);
  join(b);
  ASSERT_TRUE(b.joined);
  EXPECT_EQ(b.generation, 2);
  EXPECT_EQ(state(), GroupState::kStable);
}

TEST_F(GroupMachineTest, CommitsAreTakenFromMembersOfTheGeneration) {
  EXPECT_EQ(machine_->check_commit({"g", -1, "", {}}, false), Error::kNone);
  EXPECT_EQ(machine_->check_commit({"g", 5, "m", {}}, false), Error::kIllegalGeneration);
  Client a, b;
  stable_pair(a, b);
  EXPECT_EQ(machine_->check_commit({"g", a.generation, a.id, {}}, false), Error::kNone);
  EXPECT_EQ(machine_->check_commit({"g", a.generation - 1, a.id, {}}, false), Error::kIllegalGeneration);
  EXPECT_EQ(machine_->check_commit({"g", a.generation, "who", {}}, false), Error::kUnknownMember);
  EXPECT_EQ(machine_->check_commit({"g", -1, "", {}}, false), Error::kUnknownMember);
  EXPECT_EQ(machine_->check_commit({"g", -1, "", {}}, true), Error::kNone);
  join(a);  // the leader asks for a rebalance
  EXPECT_EQ(machine_->check_commit({"g", b.generation, b.id, {}}, false), Error::kNone);
  join(b);
  EXPECT_EQ(machine_->check_commit({"g", b.generation, b.id, {}}, false), Error::kRebalanceInProgress);
}

TEST_F(GroupMachineTest, CommitsInTransactionsAreTakenDuringARebalance) {
  Client a;
  join(a);
  GroupCaller caller{"g", a.generation, a.id, {}};
  EXPECT_EQ(state(), GroupState::kCompletingRebalance);
  EXPECT_EQ(machine_->check_commit(caller, false), Error::kRebalanceInProgress);
  EXPECT_EQ(machine_->check_commit(caller, true), Error::kNone);
}

TEST_F(GroupMachineTest, WhoeverNamesNoGenerationCommitsToAnEmptyGroup) {
  Client a;
  join(a);
  GroupCaller other{"g", -1, "other", {}};
  EXPECT_EQ(machine_->check_commit(other, false), Error::kUnknownMember);
  machine_->leave("g", {{a.id, std::nullopt}});
  EXPECT_EQ(machine_->check_commit(other, false), Error::kNone);
  EXPECT_EQ(machine_->check_commit({"g", 1, "other", {}}, false), Error::kUnknownMember);
}

TEST_F(GroupMachineTest, ARestoredGroupGoesOnWithoutARebalance) {
  Client a, b;
  stable_pair(a, b);
  StoredGroup kept = stored_.back();
  make(quick());
  machine_->restore(kept);
  EXPECT_EQ(heartbeat(a), Error::kNone);
  sync(b);
  EXPECT_THAT(b.synced->assignment, ElementsAre(20));
  pass(900ms);
  heartbeat(a);
  pass(200ms);
  EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);  // b did not show up
}

TEST_F(GroupMachineTest, SubscriptionsAreRead) {
  Client a;
  a.protocols = {{"range", {0, 1, 0, 0, 0, 2, 0, 1, 't', 0, 1, 'u', 0xff, 0xff, 0xff, 0xff}}};
  join(a);
  EXPECT_THAT(machine_->subscribed_topics("g"), ElementsAre("t", "u"));
}

// Whatever members do: in one generation no partition has two owners, and when everybody stands still long enough every
// request has been answered.
TEST_F(GroupMachineTest, RandomMembersNeverShareAPartitionInOneGeneration) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::unique_ptr<Client>> all;  // answers may come for clients that are gone
  std::vector<Client*> live;
  auto restart = [&](size_t i) {
    all.push_back(std::make_unique<Client>());
    live[i] = all.back().get();
  };
  live.resize(6);
  for (size_t i = 0; i < live.size(); ++i) restart(i);
  std::map<int32_t, std::map<uint8_t, std::string>> owners;
  int stable_seen = 0;
  for (int step = 0; step < 20000; ++step) {
    size_t i = random() % live.size();
    Client& c = *live[i];
    bool joining = !c.id.empty() && !c.joined;
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        if (joining || (c.joined && heartbeat(c) == Error::kNone && random() % 20)) break;
        join(c);
        if (c.joined && c.joined->error != Error::kNone) restart(i);
        break;
      case 3:
      case 4: {
        if (!c.joined || c.joined->error != Error::kNone) break;
        std::vector<MemberAssignment> plan;
        uint8_t n = 1;
        for (const JoinedMember& m : c.joined->members) plan.push_back({m.member_id, {n++}});
        sync(c, plan);
        break;
      }
      case 5:
        if (c.joined) heartbeat(c);
        break;
      case 6: pass(milliseconds(random() % 100)); break;
      case 7:
        if (random() % 30) break;
        if (random() % 2) machine_->leave("g", {{c.id, std::nullopt}});
        restart(i);
        break;
    }
    for (Client* client : live) {
      if (!client->synced || client->synced->error != Error::kNone || client->synced->assignment.empty()) continue;
      auto [owner, first] = owners[client->generation].try_emplace(client->synced->assignment[0], client->id);
      EXPECT_EQ(owner->second, client->id) << "generation " << client->generation;
      client->synced.reset();
    }
    stable_seen += state() == GroupState::kStable;
  }
  EXPECT_GT(stable_seen, 0);
  pass(20000ms);
  for (const auto& client : all) EXPECT_TRUE(client->id.empty() || client->joined) << client->id;
  EXPECT_THAT(machine_->describe("g").members, IsEmpty());
}

}  // namespace
}  // namespace headrace::broker
