// Consumer groups (KIP-848): seeded schedules of members that join, leave, fall silent, lose requests and
// answers, take their time to give partitions up, over topics that change and a broker that crashes with writes on
// their way. No partition has two owners at any moment, offsets never go back, and in the end everything is assigned,
// evenly.
#include <deque>

#include "base/logging.h"
#include "broker/consumer_group_test_support.h"
#include "os/random.h"
#include "os/schedules.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

constexpr milliseconds kSession{1000}, kRebalance{1500}, kInterval{100};

/// A disk to which writes are on their way until they are told to arrive.
class Disk {
 public:
  ConsumerGroupMachine::Store store() {
    return [this](const std::string&, std::vector<StateLog::Entry> records, Function<void(bool)> done) {
      pending_.push_back({std::move(records), std::move(done)});
    };
  }
  bool idle() const { return pending_.empty(); }
  void arrive(bool works) {
    Write write = std::move(pending_.front());
    pending_.pop_front();
    if (works) stored_.insert(stored_.end(), write.records.begin(), write.records.end());
    write.done(works);
  }
  /// Power off: the first `kept` writes on their way had arrived, though nobody was told.
  void crash(size_t kept) {
    for (size_t i = 0; i < kept; ++i) {
      stored_.insert(stored_.end(), pending_[i].records.begin(), pending_[i].records.end());
    }
    pending_.clear();
  }
  size_t pending() const { return pending_.size(); }
  const std::vector<StateLog::Entry>& stored() const { return stored_; }

 private:
  struct Write {
    std::vector<StateLog::Entry> records;
    Function<void(bool)> done;
  };
  std::deque<Write> pending_;
  std::vector<StateLog::Entry> stored_;
};

/// A member as clients are: it stops at its own session's end, and gives everything up when it is fenced.
struct Client {
  std::string id;
  std::optional<std::string> instance;
  std::vector<std::string> topics{"t", "u"};
  std::optional<std::string> regex;
  std::optional<std::string> assignor;

  bool running = false;
  int32_t epoch = kJoinEpoch;
  PartitionSet owned;
  std::optional<PartitionSet> told;  ///< The assignment that it is on its way to.
  bool tell_all = true;              ///< After an error.
  bool confirm = false;              ///< An assignment has been reached and the broker does not know.
  bool waiting = false;
  uint64_t call = 0;  ///< Answers to earlier calls are lost.
  milliseconds sent{0};
  milliseconds alive{0};    ///< When the last answered heartbeat was sent.
  milliseconds settled{0};  ///< The same, of one after which nothing was left to do or say.
  std::map<TopicIdPartition, int64_t> position;

  void abandon() {
    owned = {};
    told.reset();
    epoch = kJoinEpoch;
    tell_all = true;
  }
};

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {
    topics_.set("t", static_cast<int32_t>(1 + random_.below(6)));
    topics_.set("u", static_cast<int32_t>(1 + random_.below(3)));
    start();
    size_t count = 2 + random_.below(4);
    const char* assignor = random_.chance(0.3) ? "range" : nullptr;
    for (size_t i = 0; i < count; ++i) {
      Client& client = clients_.emplace_back();
      client.id = "m" + std::to_string(i);
      if (random_.chance(0.3)) client.instance = "i" + std::to_string(i);
      if (random_.chance(0.3)) client.regex = "x.*";
      if (assignor) client.assignor = assignor;
      uneven_ = uneven_ || client.regex || assignor;
    }
  }

  void chaos(int steps) {
    for (int i = 0; i < steps && !failed(); ++i) {
      step();
      check();
    }
  }

  /// Everybody who runs behaves; what does not run is past its session.
  void settle() {
    for (int i = 0; i < 60 && !failed(); ++i) {
      pass(kInterval);
      for (Client& client : clients_) {
        if (client.running && !client.waiting) beat(client, /*lost_request=*/false, /*lost_answer=*/false);
      }
      while (!disk_.idle()) disk_.arrive(true);
      for (Client& client : clients_) advance(client);
      check();
    }
  }

  void expect_everything_assigned() {
    PartitionSet wanted, had;
    size_t most = 0, least = SIZE_MAX, running = 0;
    for (const Client& client : clients_) {
      if (!client.running) continue;
      ++running;
      for (const std::string& topic : client.topics) wanted = wanted.plus(topics_.all(topic));
      if (client.regex) wanted = wanted.plus(topics_.all("x1")).plus(topics_.all("x2"));
      had = had.plus(client.owned);
      most = std::max(most, client.owned.size());
      least = std::min(least, client.owned.size());
    }
    if (running == 0) return;
    EXPECT_EQ(had, wanted);
    EXPECT_EQ(machine_->describe("g").state, GroupState::kStable);
    if (!uneven_) {
      EXPECT_LE(most, least + 1);
    }
  }

  bool failed() const { return testing::Test::HasFailure(); }

 private:
  milliseconds now() { return std::chrono::duration_cast<milliseconds>(clock_.monotonic()); }

  void start() {
    timers_ = std::make_unique<Timers>(clock_);
    lock_ = std::make_unique<GroupLock>();
    machine_ = std::make_unique<ConsumerGroupMachine>(
        ConsumerGroupOptions{.session_timeout = kSession, .heartbeat_interval = kInterval}, *lock_, memory_, clock_,
        *timers_, topics_, disk_.store());
    for (const auto& [id, group] : replay(disk_.stored())) machine_->restore(id, group);
  }

  void step() {
    Client& client = clients_[random_.below(clients_.size())];
    switch (random_.below(22)) {
      default:
        if (client.running && !client.waiting) beat(client, random_.chance(0.05), random_.chance(0.05));
        return;
      case 10:
      case 11:
      case 12: return advance(client);
      case 13:
      case 14:
        if (!disk_.idle()) disk_.arrive(!random_.chance(0.05));
        return;
      case 15: return pass(milliseconds(random_.below(300)));
      case 16:
        if (!client.running) run(client);
        return;
      case 17:
        if (client.running && !client.waiting) leave(client);
        return;
      case 18:
        if (random_.chance(0.3)) silence(client);
        return;
      case 19:
        if (random_.chance(0.3)) return change_topics();
        return;
      case 20:
        if (random_.chance(0.2)) return crash();
        return;
      case 21: return commit(client);
    }
  }

  void pass(milliseconds time) {
    for (; time > 0ms && !failed(); time -= 10ms) {
      clock_.advance(std::min(time, milliseconds(10)));
      // A client's own clocks run out before the broker's: it counts from when it sent, not from when that arrived.
      for (Client& client : clients_) {
        bool expired = now() >= client.alive + kSession || now() >= client.settled + kRebalance;
        if (client.epoch != kJoinEpoch && expired) give_up(client);
      }
      timers_->run_due();
      check();
    }
  }

  void give_up(Client& client) {
    client.abandon();
    client.waiting = false;
    ++client.call;
  }
  void run(Client& client) {
    client.running = true;
    client.id = client.id.substr(0, client.id.find('.')) + "." + std::to_string(++runs_);
    give_up(client);
  }
  /// The process is gone, without a word.
  void silence(Client& client) {
    give_up(client);
    client.running = false;
  }

  void beat(Client& client, bool lost_request, bool lost_answer) {
    bool joins = client.epoch == kJoinEpoch;
    ConsumerHeartbeatRequest request{.group_id = "g",
                                     .member_id = client.id,
                                     .member_epoch = client.epoch,
                                     .instance_id = client.instance,
                                     .client_id = "client",
                                     .client_host = "/host"};
    bool full = joins || client.tell_all;
    if (full) {
      // Who says all that it has, and will be told everything, takes nothing more of what it was told before: with that
      // in hand and the answer lost it would have what the broker believes to be free.
      client.told.reset();
      request.rebalance_timeout = kRebalance;
      request.topics = client.topics;
      request.regex = client.regex;
      request.assignor = client.assignor;
    }
    if (full || std::exchange(client.confirm, false)) request.owned = joins ? PartitionSet() : client.owned;
    client.tell_all = true;  // Until the answer says otherwise.
    client.sent = now();
    if (joins) client.settled = now();
    if (lost_request) return;
    uint64_t call = ++client.call;
    client.waiting = !lost_answer;
    machine_->heartbeat(std::move(request), [this, &client, call, lost_answer](ConsumerHeartbeatAnswer answer) {
      if (!lost_answer && call == client.call) take(client, std::move(answer));
    });
  }

  void take(Client& client, ConsumerHeartbeatAnswer answer) {
    client.waiting = false;
    switch (answer.error) {
      case Error::kNone: break;
      case Error::kNotAvailable: return;
      case Error::kUnreleasedInstanceId: return client.abandon();
      case Error::kFencedMemberEpoch:
      case Error::kFencedInstanceId:
      case Error::kUnknownMember:
      case Error::kGroupIdNotFound: return client.abandon();
      default: FAIL() << to_string(answer.error) << ": " << answer.message;
    }
    if (answer.member_epoch < 0) return;
    // Clients wait for an answer for less than a session (request.timeout.ms).
    if (now() >= client.sent + kSession) return give_up(client);
    EXPECT_GE(answer.member_epoch, client.epoch);
    client.epoch = answer.member_epoch;
    client.tell_all = false;
    client.alive = client.sent;
    if (answer.assignment) client.told = std::move(answer.assignment);
    if (!client.told && !client.confirm) client.settled = client.sent;
  }

  /// First it gives up, then, at another time, it takes, and then it says so.
  void advance(Client& client) {
    if (!client.told || client.waiting) return;
    PartitionSet kept = client.owned.intersect(*client.told);
    if (kept != client.owned) {
      client.owned = std::move(kept);
      return;
    }
    client.confirm = true;
    for (const TopicIdPartition& item : client.told->minus(client.owned)) client.position[item] = committed_[item];
    client.owned = *std::exchange(client.told, std::nullopt);
  }

  void leave(Client& client) {
    if (client.epoch == kJoinEpoch) return;
    bool returns = client.instance && random_.chance(0.7);
    ConsumerHeartbeatRequest request{.group_id = "g",
                                     .member_id = client.id,
                                     .member_epoch = returns ? kLeaveStaticEpoch : kLeaveEpoch,
                                     .instance_id = client.instance};
    silence(client);
    machine_->heartbeat(std::move(request), [](const ConsumerHeartbeatAnswer&) {});
  }

  void commit(Client& client) {
    if (client.owned.empty() || client.epoch == kJoinEpoch) return;
    std::vector<OffsetToCommit> offsets;
    for (const TopicIdPartition& item : client.owned) {
      if (auto name = topics_.find_name(item.topic)) offsets.push_back({{*name, PartitionId(item.partition)}, {}});
    }
    GroupCaller caller{"g", client.epoch, client.id, client.instance};
    if (machine_->check_commit(caller, offsets, /*transactional=*/false) != Error::kNone) return;
    for (const TopicIdPartition& item : client.owned) {
      int64_t& position = client.position[item];
      ++position;
      EXPECT_GT(position, committed_[item]) << "an offset went back";
      committed_[item] = position;
    }
  }

  void change_topics() {
    switch (random_.below(4)) {
      case 0: return topics_.set("t", topics_.find_entry("t")->partitions + 1);
      case 1: return topics_.set("x1", 2);
      case 2: return topics_.set("x2", 1);
      default: return topics_.remove("x1");
    }
  }

  void crash() {
    disk_.crash(random_.below(disk_.pending() + 1));
    for (Client& client : clients_) {
      if (client.waiting) ++client.call;
      client.waiting = false;
    }
    machine_.reset();
    start();
  }

  void check() {
    std::map<TopicIdPartition, std::string> owners;
    for (const Client& client : clients_) {
      for (const TopicIdPartition& item : client.owned) {
        auto [owner, first] = owners.emplace(item, client.id);
        EXPECT_TRUE(first) << "partition " << item.partition << " belongs to " << owner->second << " and " << client.id;
      }
    }
  }

  os::Random random_;
  os::ManualClock clock_{1700000000000};
  FakeTopics topics_;
  Disk disk_;
  std::unique_ptr<GroupLock> lock_;
  GroupMemory memory_{SIZE_MAX};
  std::unique_ptr<Timers> timers_;
  std::unique_ptr<ConsumerGroupMachine> machine_;
  std::deque<Client> clients_;
  std::map<TopicIdPartition, int64_t> committed_;
  bool uneven_ = false;
  int runs_ = 0;
};

TEST(ConsumerGroupModel, NoPartitionHasTwoOwnersAndEverythingIsAssignedInTheEnd) {
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
