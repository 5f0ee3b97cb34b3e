#include "broker/consumer_group_machine.h"

#include "broker/consumer_group_test_support.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Error = CoordinatorError;

/// A machine on a clock that stands still, with a disk that answers at once (or when told).
class ConsumerGroupMachineTest : public testing::Test {
 protected:
  ConsumerGroupMachineTest() { topics_.set("t", 4); }
  void SetUp() override { make(); }

  void make() {
    ConsumerGroupOptions options{.session_timeout = 1000ms, .heartbeat_interval = 100ms, .group_members_max = 3};
    machine_ = std::make_unique<ConsumerGroupMachine>(
        options, lock_, memory_, clock_, *timers_, topics_,
        [this](const std::string&, std::vector<StateLog::Entry> records, Function<void(bool)> done) {
          ++writes_;
          if (store_works_ && !hold_store_) stored_.insert(stored_.end(), records.begin(), records.end());
          if (hold_store_)
            held_store_ = std::move(done);
          else
            done(store_works_);
        });
  }
  void restart() {
    machine_.reset();
    timers_ = std::make_unique<Timers>(clock_);
    make();
    for (const auto& [id, group] : replay(stored_)) machine_->restore(id, group);
  }
  void pass(milliseconds time) {
    for (; time > 0ms; time -= 10ms) {
      clock_.advance(10ms);
      timers_->run_due();
    }
  }

  struct Client {
    std::string id;
    std::optional<std::string> instance = std::nullopt;
    std::vector<std::string> topics{"t"};
    std::optional<std::string> regex = std::nullopt;
    std::optional<std::string> assignor = std::nullopt;
    int32_t epoch = 0;
    PartitionSet owned = {};
    std::optional<ConsumerHeartbeatAnswer> answer = std::nullopt;
  };
  ConsumerHeartbeatRequest request(const Client& client, int32_t epoch, bool full = true) {
    ConsumerHeartbeatRequest out{.group_id = "g",
                                 .member_id = client.id,
                                 .member_epoch = epoch,
                                 .instance_id = client.instance,
                                 .client_id = "client",
                                 .client_host = "/host"};
    if (!full) return out;
    out.rebalance_timeout = 500ms;
    out.topics = client.topics;
    out.regex = client.regex;
    out.assignor = client.assignor;
    out.owned = epoch == kJoinEpoch ? PartitionSet() : client.owned;
    return out;
  }
  Error send(Client& client, ConsumerHeartbeatRequest sent) {
    client.answer.reset();
    machine_->heartbeat(std::move(sent), [&](ConsumerHeartbeatAnswer answer) { client.answer = std::move(answer); });
    if (!client.answer) return Error::kNone;
    if (client.answer->error == Error::kNone && client.answer->member_epoch >= 0) {
      client.epoch = client.answer->member_epoch;
      if (client.answer->assignment) client.owned = *client.answer->assignment;
    }
    return client.answer->error;
  }
  Error join(Client& client) { return send(client, request(client, kJoinEpoch)); }
  /// A heartbeat in which the member says what it has: all it was told.
  Error beat(Client& client) { return send(client, request(client, client.epoch)); }
  GroupState state() { return machine_->describe("g").state; }

  GroupLock lock_;
  GroupMemory memory_{1 << 20};
  os::ManualClock clock_{1700000000000};
  std::unique_ptr<Timers> timers_ = std::make_unique<Timers>(clock_);
  FakeTopics topics_;
  const std::vector<OffsetToCommit> offset_{{{"t", PartitionId(0)}, {}}};
  std::vector<StateLog::Entry> stored_;
  int writes_ = 0;
  bool store_works_ = true;
  bool hold_store_ = false;
  Function<void(bool)> held_store_;
  std::unique_ptr<ConsumerGroupMachine> machine_;
};

TEST_F(ConsumerGroupMachineTest, TheFirstMemberGetsEverythingAtOnce) {
  Client a{"a"};
  EXPECT_EQ(join(a), Error::kNone);
  EXPECT_EQ(a.epoch, 2) << "one for the member, one for the topics";
  EXPECT_EQ(a.owned, topics_.all("t"));
  EXPECT_EQ(a.answer->heartbeat_interval, 100ms);
  EXPECT_EQ(state(), GroupState::kStable);
}

TEST_F(ConsumerGroupMachineTest, TheEndOfAGroupIsThatOfMembersWhoseEndIsOnItsWay) {
  Client a{"a"}, b{"b"};
  join(a);
  join(b);
  hold_store_ = true;
  send(b, request(b, kLeaveEpoch, /*full=*/false));
  send(a, request(a, kLeaveEpoch, /*full=*/false));
  std::vector<StateLog::Entry> end;
  ASSERT_EQ(machine_->take_over("g", end), Error::kNone);
  held_store_(false);
  stored_.insert(stored_.end(), end.begin(), end.end());
  auto left = replay(stored_);
  for (const auto& [id, member] : left["g"].members) EXPECT_FALSE(member.info.has_value()) << id;
}

TEST_F(ConsumerGroupMachineTest, APartitionGoesToAnotherOnlyWhenItsOwnerHasConfirmed) {
  Client a{"a"}, b{"b"};
  join(a);
  join(b);
  EXPECT_TRUE(b.owned.empty());
  EXPECT_EQ(state(), GroupState::kReconciling);
  PartitionSet had = a.owned;
  send(a, request(a, a.epoch, /*full=*/false));
  ASSERT_TRUE(a.answer->assignment);
  EXPECT_EQ(a.owned.size(), 2u);
  beat(b);
  EXPECT_TRUE(b.owned.empty()) << "a has not confirmed";
  Client still = a;
  still.owned = had;
  EXPECT_EQ(send(a, request(still, a.epoch)), Error::kNone);
  beat(b);
  EXPECT_TRUE(b.owned.empty()) << "a says it still has all";
  beat(a);
  beat(b);
  EXPECT_EQ(b.owned.size(), 2u);
  EXPECT_TRUE(a.owned.intersect(b.owned).empty());
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(state(), GroupState::kStable);
}

TEST_F(ConsumerGroupMachineTest, AnUnchangedHeartbeatWritesNothingAndTellsNoAssignment) {
  Client a{"a"};
  join(a);
  int writes = writes_;
  EXPECT_EQ(send(a, request(a, a.epoch, /*full=*/false)), Error::kNone);
  EXPECT_FALSE(a.answer->assignment);
  EXPECT_EQ(writes_, writes);
  beat(a);
  EXPECT_EQ(a.answer->assignment, a.owned) << "who tells everything is told everything";
}

TEST_F(ConsumerGroupMachineTest, RequestsAreChecked) {
  Client a{"a"};
  auto refused = [&](auto change) {
    ConsumerHeartbeatRequest bad = request(a, kJoinEpoch);
    change(bad);
    return send(a, std::move(bad));
  };
  EXPECT_EQ(refused([](auto& r) { r.group_id = ""; }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.member_id = ""; }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.instance_id = ""; }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.rebalance_timeout.reset(); }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.topics.reset(); }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.owned.reset(); }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.owned = PartitionSet{{topic_id(1), 0}}; }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.member_epoch = -3; }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.member_epoch = kLeaveStaticEpoch; }), Error::kInvalidRequest);
  EXPECT_EQ(refused([](auto& r) { r.assignor = "mine"; }), Error::kUnsupportedAssignor);
  EXPECT_EQ(refused([](auto& r) { r.regex = "(a"; }), Error::kInvalidRegex);
  EXPECT_EQ(refused([](auto& r) { r.member_epoch = 5; }), Error::kGroupIdNotFound);
  EXPECT_FALSE(machine_->contains("g"));
  // Version 0: the broker gives ids.
  ConsumerHeartbeatRequest old = request(a, kJoinEpoch);
  old.member_id = "";
  old.member_id_required = false;
  EXPECT_EQ(send(a, old), Error::kNone);
  EXPECT_FALSE(a.answer->member_id.empty());
}

TEST_F(ConsumerGroupMachineTest, WrongEpochsAreFencedButALostAnswerIsForgiven) {
  Client a{"a"}, b{"b"};
  join(a);
  int32_t before = a.epoch;
  topics_.set("t", 6);
  beat(a);
  EXPECT_GT(a.epoch, before);
  // The answer was lost: the member comes with the epoch before and what it had.
  Client lost = a;
  lost.owned = topics_.all("t").intersect({{topic_id(1), 0}, {topic_id(1), 1}});
  EXPECT_EQ(send(a, request(lost, before)), Error::kNone);
  EXPECT_EQ(a.owned.size(), 6u);
  lost.owned = {{topic_id(9), 0}};
  EXPECT_EQ(send(a, request(lost, before)), Error::kFencedMemberEpoch) << "has what it was never given";
  EXPECT_EQ(send(a, request(a, a.epoch + 1)), Error::kFencedMemberEpoch);
  EXPECT_EQ(send(b, request(b, 3)), Error::kUnknownMember);
  // A member may begin anew at any time.
  EXPECT_EQ(join(a), Error::kNone);
  EXPECT_EQ(a.owned.size(), 6u);
}

TEST_F(ConsumerGroupMachineTest, TheGroupHasAMaximumOfMembers) {
  Client clients[] = {{"a"}, {"b"}, {"c"}, {"d"}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(join(clients[i]), Error::kNone);
  EXPECT_EQ(join(clients[3]), Error::kGroupMaxSizeReached);
  EXPECT_EQ(join(clients[0]), Error::kNone);
}

TEST_F(ConsumerGroupMachineTest, WhatMembersTellHasALimitInMemory) {
  Client a{"a"}, b{"b"}, c{"c"};
  a.topics = b.topics = {std::string(30'000, 'n')};
  while (a.topics.size() < 20) a.topics.push_back(std::to_string(a.topics.size()) + a.topics.front());
  EXPECT_EQ(join(a), Error::kNone);
  while (b.topics.size() < 20) b.topics.push_back("b" + std::to_string(b.topics.size()) + b.topics.front());
  EXPECT_EQ(join(b), Error::kGroupMaxSizeReached);
  EXPECT_THAT(b.answer->message, testing::HasSubstr("group_metadata_bytes_max"));
  EXPECT_EQ(machine_->describe("g").members.size(), 1u);
  EXPECT_EQ(join(c), Error::kNone) << "there is room for others";
  EXPECT_EQ(beat(a), Error::kNone) << "who has room keeps it";
  ConsumerHeartbeatRequest more = request(a, a.epoch, /*full=*/false);
  more.rack_id = std::string(300'000, 'r');
  EXPECT_EQ(send(a, more), Error::kNone);
  more.rack_id.reset();
  more.topics = a.topics;
  more.topics->push_back(std::string(200'000, 'n'));
  EXPECT_EQ(send(a, more), Error::kGroupMaxSizeReached) << "beside what it told before";
  EXPECT_EQ(send(a, request(a, kLeaveEpoch)), Error::kNone);
  EXPECT_EQ(join(b), Error::kNone);
  EXPECT_EQ(send(b, request(b, kLeaveEpoch)), Error::kNone);
  EXPECT_EQ(send(c, request(c, kLeaveEpoch)), Error::kNone);
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(ConsumerGroupMachineTest, WhatRegularExpressionsMatchCountsInMemory) {
  for (int i = 0; i < 100; ++i) topics_.set(std::string(200, 'x') + std::to_string(i), 1);
  Client a{"a"}, b{"b"};
  a.topics = b.topics = {};
  a.regex = "x.*";
  b.regex = "x+.*";
  EXPECT_EQ(join(a), Error::kNone);
  size_t one = memory_.used();
  EXPECT_GT(one, 20'000u);
  EXPECT_EQ(join(b), Error::kNone);
  EXPECT_GT(memory_.used(), one + 20'000);
  EXPECT_EQ(send(a, request(a, kLeaveEpoch)), Error::kNone);
  EXPECT_EQ(send(b, request(b, kLeaveEpoch)), Error::kNone);
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(ConsumerGroupMachineTest, SilentMembersAreRemovedAndOthersTakeOver) {
  Client a{"a"}, b{"b"};
  join(a);
  join(b);
  for (int i = 0; i < 30; ++i) {
    pass(100ms);
    beat(b);
  }
  EXPECT_EQ(b.owned, topics_.all("t"));
  EXPECT_EQ(beat(a), Error::kUnknownMember);
}

TEST_F(ConsumerGroupMachineTest, WhoWaitsForAnAnswerIsNotSilent) {
  Client a{"a"};
  join(a);
  hold_store_ = true;
  topics_.set("t", 6);
  beat(a);
  ASSERT_FALSE(a.answer);
  pass(2500ms);
  EXPECT_EQ(machine_->describe("g").members.size(), 1u);
  hold_store_ = false;
  held_store_(true);
  ASSERT_TRUE(a.answer);
  EXPECT_EQ(a.answer->error, Error::kNone);
  a.epoch = a.answer->member_epoch;
  pass(900ms);
  EXPECT_EQ(send(a, request(a, a.epoch, /*full=*/false)), Error::kNone) << "its session began with the answer";
  pass(1100ms);
  EXPECT_TRUE(machine_->describe("g").members.empty());
}

TEST_F(ConsumerGroupMachineTest, WhoDoesNotGivePartitionsUpInTimeIsRemoved) {
  Client a{"a"}, b{"b"};
  join(a);
  join(b);
  send(a, request(a, a.epoch, /*full=*/false));
  for (int i = 0; i < 6; ++i) {
    pass(100ms);
    send(a, request(a, a.epoch, /*full=*/false));
    beat(b);
  }
  EXPECT_EQ(a.answer->error, Error::kUnknownMember);
  EXPECT_EQ(b.owned, topics_.all("t"));
}

TEST_F(ConsumerGroupMachineTest, LeavingReleasesEverything) {
  Client a{"a"}, b{"b"};
  join(a);
  join(b);
  EXPECT_EQ(send(a, request(a, kLeaveEpoch, /*full=*/false)), Error::kNone);
  EXPECT_EQ(a.answer->member_epoch, kLeaveEpoch);
  EXPECT_EQ(state(), GroupState::kAssigning);
  beat(b);
  EXPECT_EQ(b.owned, topics_.all("t"));
  send(b, request(b, kLeaveEpoch, /*full=*/false));
  EXPECT_EQ(state(), GroupState::kEmpty);
}

TEST_F(ConsumerGroupMachineTest, AStaticMemberComesBackToItsPartitionsUnderANewId) {
  Client a{"a", "one"}, b{"b", "two"};
  join(a);
  join(b);
  beat(a);
  beat(a);
  beat(b);
  PartitionSet had = a.owned;
  int32_t epoch = machine_->describe("g").epoch;
  Client again{"a2", "one"};
  EXPECT_EQ(join(again), Error::kUnreleasedInstanceId);
  EXPECT_EQ(send(a, request(a, kLeaveStaticEpoch, /*full=*/false)), Error::kNone);
  EXPECT_EQ(a.answer->member_epoch, kLeaveStaticEpoch);
  beat(b);
  EXPECT_EQ(b.owned.size(), 2u) << "its partitions wait for it";
  EXPECT_EQ(join(again), Error::kNone);
  EXPECT_EQ(again.owned, had);
  EXPECT_EQ(machine_->describe("g").epoch, epoch) << "nothing was rebalanced";
  EXPECT_EQ(beat(a), Error::kFencedInstanceId);
}

TEST_F(ConsumerGroupMachineTest, AMemberThatIsThereDoesNotTakeAnInstanceOver) {
  Client a{"a", "one"}, b{"b"};
  join(a);
  join(b);
  send(a, request(a, kLeaveStaticEpoch, /*full=*/false));
  Client both{"b", "one"};
  EXPECT_EQ(join(both), Error::kInvalidRequest);
  EXPECT_EQ(send(b, request(b, kLeaveEpoch, /*full=*/false)), Error::kNone);
  Client again{"c", "one"};
  EXPECT_EQ(join(again), Error::kNone);
  for (int i = 0; i < 15; ++i) beat(again);
  EXPECT_EQ(again.owned, topics_.all("t"));
}

TEST_F(ConsumerGroupMachineTest, AStaticMemberThatDoesNotComeBackIsRemoved) {
  Client a{"a", "one"}, b{"b"};
  join(a);
  join(b);
  send(a, request(a, kLeaveStaticEpoch, /*full=*/false));
  for (int i = 0; i < 15; ++i) {
    pass(100ms);
    beat(b);
  }
  EXPECT_EQ(b.owned, topics_.all("t"));
}

TEST_F(ConsumerGroupMachineTest, RegularExpressionsFollowTheTopics) {
  Client a{"a"};
  a.topics = {};
  a.regex = "x-.*";
  join(a);
  EXPECT_TRUE(a.owned.empty());
  topics_.set("x-1", 2);
  topics_.set("ax-1", 2);
  beat(a);
  EXPECT_EQ(a.owned, topics_.all("x-1")) << "the whole name must match";
  EXPECT_THAT(machine_->subscribed_topics("g"), ElementsAre("x-1"));
  topics_.remove("x-1");
  send(a, request(a, a.epoch, false));
  EXPECT_TRUE(a.owned.empty());
  a.regex = "";
  a.topics = {"t"};
  beat(a);
  beat(a);
  EXPECT_EQ(a.owned, topics_.all("t"));
}

TEST_F(ConsumerGroupMachineTest, TheAssignorThatMostAskForIsUsed) {
  Client a{"a"}, b{"b"};
  a.assignor = b.assignor = "range";
  join(a);
  EXPECT_EQ(machine_->describe("g").assignor, "range");
  join(b);
  beat(a);
  beat(a);
  EXPECT_EQ(a.owned, (PartitionSet{{topic_id(1), 0}, {topic_id(1), 1}}));
}

TEST_F(ConsumerGroupMachineTest, AnAssignorThatIsKnownNoMoreGivesWayToTheDefault) {
  Client a{"a"};
  a.assignor = "range";
  join(a);
  auto key = encode_consumer_key({ConsumerRecordType::kMember, "g", "a"});
  auto info = machine_->describe("g").members.at(0).info;
  info.assignor = "of-another-broker";
  stored_.push_back({key, encode_consumer_member(info)});
  restart();
  topics_.set("t", 6);
  EXPECT_EQ(send(a, request(a, a.epoch, /*full=*/false)), Error::kNone);
  EXPECT_EQ(a.owned.size(), 6u);
  EXPECT_EQ(machine_->describe("g").assignor, "uniform");
}

TEST_F(ConsumerGroupMachineTest, MembersAreRemovedByOperators) {
  Client a{"a"}, b{"b", "two"}, c{"c"};
  for (Client* client : {&a, &b, &c}) join(*client);
  auto leave = [&](std::vector<LeavingMember> members) {
    std::optional<LeaveGroupAnswer> answer;
    machine_->leave("g", members, [&](LeaveGroupAnswer given) { answer = std::move(given); });
    return answer;
  };
  EXPECT_THAT(
      leave({{"a", std::nullopt}, {"a", std::nullopt}, {"nobody", std::nullopt}, {"", "three"}, {"a", "two"}})->members,
      ElementsAre(Error::kNone, Error::kNone, Error::kUnknownMember, Error::kUnknownMember, Error::kFencedInstanceId));
  EXPECT_EQ(beat(a), Error::kUnknownMember);
  EXPECT_THAT(leave({{"", "two"}})->members, ElementsAre(Error::kNone));
  EXPECT_EQ(beat(b), Error::kUnknownMember);
  hold_store_ = true;
  std::optional<LeaveGroupAnswer> answer;
  machine_->leave("g", {{"c", std::nullopt}}, [&](LeaveGroupAnswer given) { answer = std::move(given); });
  EXPECT_FALSE(answer) << "it is still on the disk";
  held_store_(false);
  EXPECT_EQ(answer->error, Error::kNotAvailable);
  EXPECT_EQ(state(), GroupState::kEmpty);
}

TEST_F(ConsumerGroupMachineTest, NobodyHearsWhatIsNotOnTheDisk) {
  Client a{"a"};
  hold_store_ = true;
  join(a);
  EXPECT_FALSE(a.answer);
  hold_store_ = false;
  held_store_(false);
  EXPECT_EQ(a.answer->error, Error::kNotAvailable);
  EXPECT_FALSE(a.answer->assignment);
  EXPECT_EQ(join(a), Error::kNone);
  restart();
  EXPECT_EQ(machine_->describe("g").members.size(), 1u) << "everything was written again";
  EXPECT_EQ(beat(a), Error::kNone);
}

TEST_F(ConsumerGroupMachineTest, ARestartGoesOnWhereItWas) {
  Client a{"a"}, b{"b", "two"};
  join(a);
  join(b);
  beat(a);
  beat(a);
  beat(b);
  ConsumerGroupDescription before = machine_->describe("g");
  restart();
  ConsumerGroupDescription after = machine_->describe("g");
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(after.state, GroupState::kStable);
  EXPECT_EQ(send(a, request(a, a.epoch, /*full=*/false)), Error::kNone);
  EXPECT_EQ(beat(b), Error::kNone);
  for (int i = 0; i < 15; ++i) {
    pass(100ms);
    beat(b);
  }
  EXPECT_EQ(b.owned, topics_.all("t")) << "who does not come back after the restart is removed";
}

TEST_F(ConsumerGroupMachineTest, CommitsAndFetchesMustNameTheMembersEpoch) {
  Client a{"a"};
  join(a);
  EXPECT_EQ(machine_->check_commit({"g", a.epoch, "a", {}}, offset_, false), Error::kNone);
  EXPECT_EQ(machine_->check_commit({"g", a.epoch - 1, "a", {}}, offset_, false), Error::kStaleMemberEpoch);
  EXPECT_EQ(machine_->check_commit({"g", a.epoch, "b", {}}, offset_, false), Error::kUnknownMember);
  EXPECT_EQ(machine_->check_commit({"g", -1, "", {}}, offset_, false), Error::kUnknownMember)
      << "the group has members";
  EXPECT_EQ(machine_->check_commit({"g", -1, "", {}}, offset_, true), Error::kNone);
  EXPECT_EQ(machine_->check_commit({"g", a.epoch, "a", {}, false}, offset_, false), Error::kUnsupportedVersion);
  EXPECT_EQ(machine_->check_fetch({"g", -1, "", {}}), Error::kNone);
  EXPECT_EQ(machine_->check_fetch({"g", a.epoch, "a", {}}), Error::kNone);
  EXPECT_EQ(machine_->check_fetch({"g", a.epoch + 1, "a", {}}), Error::kStaleMemberEpoch);
  send(a, request(a, kLeaveEpoch, /*full=*/false));
  EXPECT_EQ(machine_->check_commit({"g", -1, "", {}}, offset_, false), Error::kNone);
}

TEST_F(ConsumerGroupMachineTest, WhatAMemberHasHadSinceAnEarlierEpochItMayCommitByThat) {
  Client a{"a"}, b{"b"};
  join(a);
  int32_t before = a.epoch;
  join(b);
  for (Client* client : {&a, &a, &b}) beat(*client);
  ASSERT_GT(a.epoch, before);
  ASSERT_EQ(b.owned.size(), 2u);
  auto offset_of = [](const PartitionSet& owned) {
    return std::vector<OffsetToCommit>{{{"t", PartitionId(owned.begin()->partition)}, {}}};
  };
  auto kept = offset_of(a.owned), lost = offset_of(b.owned), both = kept;
  both.push_back(lost.front());
  auto commit = [&](int32_t epoch, const auto& offsets) {
    return machine_->check_commit({"g", epoch, "a", {}}, offsets, /*transactional=*/false);
  };
  EXPECT_EQ(commit(before, kept), Error::kNone);
  EXPECT_EQ(commit(before - 1, kept), Error::kStaleMemberEpoch);
  EXPECT_EQ(commit(a.epoch + 1, kept), Error::kStaleMemberEpoch);
  EXPECT_EQ(commit(before, lost), Error::kStaleMemberEpoch);
  EXPECT_EQ(commit(before, both), Error::kStaleMemberEpoch);
  restart();
  EXPECT_EQ(commit(before, kept), Error::kStaleMemberEpoch) << "since when is not kept";
  EXPECT_EQ(commit(a.epoch, kept), Error::kNone);
}

TEST_F(ConsumerGroupMachineTest, OnlyEmptyGroupsAreDeletedWithAllTheirRecords) {
  Client a{"a"};
  std::vector<StateLog::Entry> end;
  EXPECT_EQ(machine_->take_over("g", end), Error::kGroupIdNotFound);
  join(a);
  EXPECT_EQ(machine_->take_over("g", end), Error::kNonEmptyGroup);
  send(a, request(a, kLeaveEpoch, /*full=*/false));
  EXPECT_TRUE(end.empty());
  EXPECT_EQ(machine_->take_over("g", end), Error::kNone);
  stored_.insert(stored_.end(), end.begin(), end.end());
  auto left = replay(stored_);
  EXPECT_FALSE(left["g"].epoch);
  restart();
  EXPECT_FALSE(machine_->contains("g"));
}

}  // namespace
}  // namespace headrace::broker
