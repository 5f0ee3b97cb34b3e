// Classic groups: seeded schedules of members that join, sync, leave, fall silent, and a broker that crashes
// with writes on their way. No partition has two owners in one generation, nor at one moment; offsets never go back;
// in the end everything is assigned.
#include <deque>
#include <set>

#include "base/logging.h"
#include "broker/group_machine.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

constexpr milliseconds kSession{1000}, kRebalance{1500};
constexpr int kPartitions = 5;

/// An eager member: it gives everything up before it joins again.
struct Client {
  enum class At { kOut, kJoining, kSyncing, kIn };

  std::string id;
  std::optional<std::string> instance;
  bool running = false;
  At at = At::kOut;
  int32_t generation = -1;
  std::set<uint8_t> owned;
  std::map<uint8_t, int64_t> position;
  uint64_t call = 0;  ///< Answers to earlier calls are lost.
  milliseconds alive{0};

  /// Begins anew; answers on their way are lost.
  void drop(bool forget_id) {
    owned.clear();
    at = At::kOut;
    generation = -1;
    ++call;
    if (forget_id) id.clear();
  }
};

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {
    start();
    size_t count = 2 + random_.below(4);
    for (size_t i = 0; i < count; ++i) {
      if (clients_.emplace_back(); random_.chance(0.3)) clients_.back().instance = "i" + std::to_string(i);
    }
  }

  void chaos(int steps) {
    for (int i = 0; i < steps && !failed(); ++i) {
      step();
      check();
    }
  }
  void settle() {
    for (int i = 0; i < 150 && !failed(); ++i) {
      pass(100ms);
      for (Client& client : clients_) act(client, /*lost=*/false);
      while (!pending_.empty()) arrive(true);
      check();
    }
  }
  void expect_everything_assigned() {
    size_t owned = 0, running = 0;
    for (const Client& client : clients_) {
      owned += client.owned.size();
      running += client.running ? 1 : 0;
      if (client.running) {
        EXPECT_EQ(client.generation, machine_->describe("g").generation);
      }
    }
    if (running > 0) {
      EXPECT_EQ(owned, static_cast<size_t>(kPartitions));
    }
  }
  bool failed() const { return testing::Test::HasFailure(); }

 private:
  struct Write {
    StoredGroup group;
    Function<void(bool)> done;
  };
  milliseconds now() { return std::chrono::duration_cast<milliseconds>(clock_.monotonic()); }

  void start() {
    timers_ = std::make_unique<Timers>(clock_);
    lock_ = std::make_unique<GroupLock>();
    machine_ = std::make_unique<GroupMachine>(GroupMachineOptions{.initial_rebalance_delay = 0ms}, *lock_, memory_,
                                              clock_, *timers_, [this](StoredGroup group, Function<void(bool)> done) {
                                                pending_.push_back({std::move(group), std::move(done)});
                                              });
    if (stored_) machine_->restore(*stored_);
  }
  void arrive(bool works) {
    Write write = std::move(pending_.front());
    pending_.pop_front();
    if (works) stored_ = std::move(write.group);
    write.done(works);
  }

  void step() {
    Client& client = clients_[random_.below(clients_.size())];
    switch (random_.below(20)) {
      default: return act(client, random_.chance(0.05));
      case 12:
      case 13:
        if (!pending_.empty()) arrive(!random_.chance(0.05));
        return;
      case 14: return pass(milliseconds(random_.below(300)));
      case 15:
        if (!client.running) client.running = true;
        return;
      case 16: return leave(client);
      case 17:
        if (random_.chance(0.3)) {
          client.drop(/*forget_id=*/true);
          client.running = false;
        }
        return;
      case 18:
        if (random_.chance(0.2)) crash();
        return;
      case 19: return commit(client);
    }
  }

  void pass(milliseconds time) {
    for (; time > 0ms && !failed(); time -= 10ms) {
      clock_.advance(std::min(time, milliseconds(10)));
      for (Client& client : clients_) {
        if (client.at == Client::At::kIn && now() >= client.alive + kSession) client.drop(/*forget_id=*/false);
      }
      timers_->run_due();
      check();
    }
  }

  void act(Client& client, bool lost) {
    if (!client.running) return;
    switch (client.at) {
      case Client::At::kOut: return join(client, lost);
      case Client::At::kJoining:
      case Client::At::kSyncing:
        // A client's patience with an answer ends, too.
        if (now() >= client.alive + kRebalance * 3) client.drop(/*forget_id=*/false);
        return;
      case Client::At::kIn: return heartbeat(client, lost);
    }
  }

  void join(Client& client, bool lost) {
    client.owned.clear();
    client.at = Client::At::kJoining;
    client.alive = now();
    uint64_t call = ++client.call;
    JoinGroupRequest request{.group_id = "g",
                             .member_id = client.id,
                             .group_instance_id = client.instance,
                             .client_id = "client",
                             .client_host = "/host",
                             .session_timeout = kSession,
                             .rebalance_timeout = kRebalance,
                             .protocol_type = "consumer",
                             .protocols = {{"range", {1}}}};
    if (lost) return;
    machine_->join(std::move(request), [this, &client, call](JoinGroupAnswer answer) {
      if (call == client.call) joined(client, std::move(answer));
    });
  }
  void joined(Client& client, JoinGroupAnswer answer) {
    if (answer.error == Error::kMemberIdRequired) {
      client.at = Client::At::kOut;
      client.id = answer.member_id;
      return;
    }
    if (answer.error != Error::kNone) return client.drop(/*forget_id=*/true);
    client.id = answer.member_id;
    client.generation = answer.generation;
    client.at = Client::At::kSyncing;
    client.alive = now();
    SyncGroupRequest request{
        .group_id = "g", .generation = client.generation, .member_id = client.id, .group_instance_id = client.instance};
    if (answer.leader == client.id) request.assignments = assign(answer.members);
    uint64_t call = ++client.call;
    machine_->sync(std::move(request), [this, &client, call](SyncGroupAnswer synced_answer) {
      if (call == client.call) synced(client, std::move(synced_answer));
    });
  }
  static std::vector<MemberAssignment> assign(const std::vector<JoinedMember>& members) {
    std::vector<MemberAssignment> out;
    for (const JoinedMember& member : members) out.push_back({member.member_id, {}});
    for (uint8_t p = 0; p < kPartitions && !out.empty(); ++p) out[p % out.size()].assignment.push_back(p);
    return out;
  }
  void synced(Client& client, SyncGroupAnswer answer) {
    if (answer.error != Error::kNone) return client.drop(answer.error == Error::kUnknownMember);
    client.at = Client::At::kIn;
    for (uint8_t p : answer.assignment) {
      client.owned.insert(p);
      client.position[p] = committed_[p];
      auto [owner, first] = told_.emplace(std::pair(client.generation, p), client.instance.value_or(client.id));
      EXPECT_TRUE(first || owner->second == client.instance.value_or(client.id))
          << "generation " << client.generation << " gave " << int{p} << " to " << owner->second << " and "
          << client.id;
    }
  }

  void heartbeat(Client& client, bool lost) {
    if (lost) return;
    milliseconds sent = now();
    Error error = machine_->heartbeat({"g", client.generation, client.id, client.instance});
    if (error == Error::kNone) {
      client.alive = sent;
    } else {
      client.drop(error != Error::kRebalanceInProgress && error != Error::kIllegalGeneration);
    }
  }
  void leave(Client& client) {
    if (client.at != Client::At::kIn) return;
    // Static members just go.
    if (!client.instance) machine_->leave("g", {{client.id, std::nullopt}});
    client.drop(/*forget_id=*/true);
    client.running = false;
  }
  void commit(Client& client) {
    if (client.at != Client::At::kIn) return;
    if (machine_->check_commit({"g", client.generation, client.id, client.instance}, false) != Error::kNone) return;
    for (uint8_t p : client.owned) {
      int64_t& position = client.position[p];
      ++position;
      EXPECT_GT(position, committed_[p]) << "an offset went back";
      committed_[p] = position;
    }
  }
  void crash() {
    size_t kept = random_.below(pending_.size() + 1);
    for (size_t i = 0; i < kept; ++i) stored_ = std::move(pending_[i].group);
    pending_.clear();
    for (Client& client : clients_) {
      if (client.at != Client::At::kIn) client.drop(/*forget_id=*/false);
    }
    machine_.reset();
    start();
  }
  void check() {
    std::map<uint8_t, std::string> owners;
    for (const Client& client : clients_) {
      for (uint8_t p : client.owned) {
        auto [owner, first] = owners.emplace(p, client.id);
        EXPECT_TRUE(first) << "partition " << int{p} << " belongs to " << owner->second << " and " << client.id;
      }
    }
  }

  os::Random random_;
  os::ManualClock clock_{1700000000000};
  std::unique_ptr<GroupLock> lock_;
  GroupMemory memory_{SIZE_MAX};
  std::unique_ptr<Timers> timers_;
  std::unique_ptr<GroupMachine> machine_;
  std::deque<Write> pending_;
  std::optional<StoredGroup> stored_;
  std::deque<Client> clients_;
  std::map<std::pair<int32_t, uint8_t>, std::string> told_;  ///< By generation and partition: the member.
  std::map<uint8_t, int64_t> committed_;
};

TEST(GroupModel, NoPartitionHasTwoOwnersAndEverythingIsAssignedInTheEnd) {
  os::Seeds seeds = os::seeds_wanted(2000);
  set_log_level(seeds.alone() ? LogLevel::kInfo : LogLevel::kError);
  for (uint64_t seed = seeds.first; seed <= seeds.last && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    model.chaos(250);
    model.settle();
    if (!model.failed()) model.expect_everything_assigned();
    if (model.failed()) break;
  }
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace headrace::broker
