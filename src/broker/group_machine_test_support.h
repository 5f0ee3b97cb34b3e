// A group machine on a clock that stands still and its clients, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/group_machine.h"

namespace headrace::broker {

/// A machine on a clock that stands still, with a disk that answers at once (or when told).
class GroupMachineTest : public testing::Test {
 protected:
  using Error = CoordinatorError;

  static GroupMachineOptions quick() { return {.initial_rebalance_delay = milliseconds(0), .group_members_max = 10}; }

  void make(GroupMachineOptions options) {
    timers_.emplace(clock_);  // Those of a machine that was there before go with it.
    machine_ = std::make_unique<GroupMachine>(options, lock_, memory_, clock_, *timers_,
                                              [this](StoredGroup group, Function<void(bool)> done) {
                                                stored_.push_back(std::move(group));
                                                if (hold_store_)
                                                  held_store_ = std::move(done);
                                                else
                                                  done(store_works_);
                                              });
  }
  void SetUp() override { make(quick()); }

  void pass(milliseconds time) {
    // In steps, so that timers set by timers run in their time.
    for (milliseconds step = milliseconds(10); time > milliseconds(0); time -= step) {
      clock_.advance(std::min(step, time));
      timers_->run_due();
    }
  }

  struct Client {
    std::string id;
    std::optional<std::string> instance;
    std::vector<GroupProtocol> protocols{{"range", {1}}};
    int32_t generation = -1;
    std::optional<JoinGroupAnswer> joined;
    std::optional<SyncGroupAnswer> synced;
    bool leads() const { return joined && joined->leader == id; }
  };

  static Client static_client(std::string instance) {
    Client client;
    client.instance = std::move(instance);
    return client;
  }
  JoinGroupRequest request() { return request(Client()); }
  JoinGroupRequest request(const Client& client) {
    return {.group_id = "g",
            .member_id = client.id,
            .group_instance_id = client.instance,
            .client_id = "client",
            .client_host = "/host",
            .session_timeout = milliseconds(1000),
            .rebalance_timeout = milliseconds(3000),
            .protocol_type = "consumer",
            .protocols = client.protocols};
  }
  /// Joins, again with the id that was given when one is asked for.
  void join(Client& client) {
    client.joined.reset();
    machine_->join(request(client), [&](JoinGroupAnswer a) { note_join(client, a); });
    if (client.joined && client.joined->error == Error::kMemberIdRequired) {
      client.joined.reset();
      machine_->join(request(client), [&](JoinGroupAnswer a) { note_join(client, a); });
    }
  }
  static void note_join(Client& client, const JoinGroupAnswer& a) {
    EXPECT_FALSE(client.joined.has_value()) << "a second answer";
    client.joined = a;
    if (a.error == Error::kNone || a.error == Error::kMemberIdRequired) client.id = a.member_id;
    if (a.error == Error::kNone) client.generation = a.generation;
  }
  void sync(Client& client, std::vector<MemberAssignment> assignments = {}) {
    client.synced.reset();
    machine_->sync({.group_id = "g",
                    .generation = client.generation,
                    .member_id = client.id,
                    .group_instance_id = client.instance,
                    .assignments = std::move(assignments)},
                   [&](SyncGroupAnswer a) { client.synced = std::move(a); });
  }
  Error heartbeat(const Client& client) {
    return machine_->heartbeat({"g", client.generation, client.id, client.instance});
  }
  static GroupMachineOptions delayed(milliseconds delay) {
    GroupMachineOptions options;
    options.initial_rebalance_delay = delay;
    return options;
  }
  GroupState state() { return machine_->describe("g").state; }
  /// Two members in a stable group, a leading.
  void stable_pair(Client& a, Client& b) {
    join(a);
    join(b);
    EXPECT_EQ(heartbeat(a), Error::kRebalanceInProgress);
    join(a);
    ASSERT_TRUE(a.joined && b.joined);
    ASSERT_TRUE(a.leads());
    sync(a, {{a.id, {10}}, {b.id, {20}}});
    sync(b);
    ASSERT_EQ(state(), GroupState::kStable);
  }

  GroupLock lock_;
  GroupMemory memory_{1 << 20};
  os::ManualClock clock_{1700000000000};
  std::optional<Timers> timers_;
  std::vector<StoredGroup> stored_;
  bool hold_store_ = false;
  bool store_works_ = true;
  Function<void(bool)> held_store_;
  std::unique_ptr<GroupMachine> machine_;
};

}  // namespace headrace::broker
