// The group coordinator on a disk that loses what was not synced, crashed after every so many operations: a committed
// offset that was answered is there, and no partition that a member was given goes to another while it has it.
#include <set>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "os/random.h"
#include "os/schedules.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;
using Error = CoordinatorError;

constexpr int32_t kPartitions = 4;

struct Client {
  std::string id;
  int32_t epoch = kJoinEpoch;
  PartitionSet owned;
  bool tell_all = true;
};

/// What clients know: where they are, and how far their commits were answered.
class Script {
 public:
  explicit Script(uint64_t seed) : seed_(seed), random_(seed) {
    for (const char* id : {"a", "b", "c"}) clients_.push_back({id, kJoinEpoch, {}, true});
  }

  Status open() {
    // Logs of the coordinators that are written anew and compacted all the time.
    auto opened = Broker::open({.data_directory = "/data",
                                .flush_threads = 1,
                                .compaction = {.seed = seed_},
                                .coordinator_rewrite_bytes_min = 6000},
                               metrics_, clock_, disk);
    if (!opened.ok()) return opened.error();
    broker_ = *std::move(opened);
    return {};
  }
  void create_topic() {
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = kPartitions, .configs = {}}).ok());
    ASSERT_TRUE(
        broker_->alter_configs("__consumer_offsets", {{"segment.bytes", "1500"}, {"min.cleanable.dirty.ratio", "0.01"}})
            .ok());
  }
  void close() { broker_.reset(); }

  /// False when the disk has failed.
  bool step() {
    Client& client = clients_[random_.below(clients_.size())];
    if (random_.chance(0.02)) broker_->apply_compaction();
    if (random_.chance(0.1) && client.epoch > 0) return leave(client);
    return random_.chance(0.5) ? beat(client) : commit(client);
  }

  void check_offsets() {
    for (int32_t p = 0; p < kPartitions; ++p) {
      auto found = broker_->groups().fetch("g", std::vector<TopicPartition>{{"t", PartitionId(p)}}, false);
      int64_t offset = found.at(0).offset.offset.value;
      EXPECT_GE(offset, answered_[p]) << "partition " << p;
      EXPECT_LE(offset, sent_[p]) << "partition " << p;
      sent_[p] = answered_[p] = offset;
    }
  }
  void check_owners() {
    std::set<TopicIdPartition> seen;
    for (const Client& client : clients_) {
      for (const TopicIdPartition& item : client.owned) {
        EXPECT_TRUE(seen.insert(item).second) << "two owners of " << item.partition;
      }
    }
  }
  /// Everybody behaves until all is assigned.
  void settle() {
    for (int i = 0; i < 12; ++i) {
      for (Client& client : clients_) {
        ASSERT_TRUE(beat(client));
        check_owners();
      }
    }
    size_t owned = 0;
    for (const Client& client : clients_) owned += client.owned.size();
    EXPECT_EQ(owned, static_cast<size_t>(kPartitions));
    EXPECT_EQ(broker_->groups().describe_consumer("g").state, GroupState::kStable);
  }

  os::SimulatedFileSystem disk;

 private:
  ConsumerHeartbeatRequest request(const Client& client, int32_t epoch) {
    return {.group_id = "g", .member_id = client.id, .member_epoch = epoch, .client_id = "c", .client_host = "/h"};
  }
  ConsumerHeartbeatAnswer send(ConsumerHeartbeatRequest request) {
    return answer_of<ConsumerHeartbeatAnswer>(
        [&](auto done) { broker_->groups().consumer_heartbeat(std::move(request), done); });
  }
  bool beat(Client& client) {
    ConsumerHeartbeatRequest out = request(client, client.epoch);
    if (client.tell_all || random_.chance(0.7)) {
      out.rebalance_timeout = 60s;
      out.topics = std::vector<std::string>{"t"};
      out.owned = client.owned;
    }
    ConsumerHeartbeatAnswer answer = send(std::move(out));
    client.tell_all = answer.error != Error::kNone;
    if (answer.error == Error::kNotAvailable) return false;
    if (answer.error != Error::kNone) {
      client.epoch = kJoinEpoch;
      client.owned = {};
      return true;
    }
    client.epoch = answer.member_epoch;
    if (answer.assignment) client.owned = *std::move(answer.assignment);
    return true;
  }
  bool leave(Client& client) {
    client.owned = {};
    ConsumerHeartbeatAnswer answer = send(request(client, kLeaveEpoch));
    client.epoch = kJoinEpoch;
    client.tell_all = true;
    return answer.error != Error::kNotAvailable;
  }
  bool commit(Client& client) {
    std::vector<OffsetToCommit> offsets;
    for (const TopicIdPartition& item : client.owned) {
      offsets.push_back({{"t", PartitionId(item.partition)}, {Offset(++sent_[item.partition]), 0, "", 0}});
    }
    if (offsets.empty()) return true;
    GroupCaller caller{"g", client.epoch, client.id, {}};
    auto answer = answer_of<CommitAnswer>([&](auto done) { broker_->groups().commit(caller, offsets, done); });
    for (size_t i = 0; i < offsets.size(); ++i) {
      int32_t p = offsets[i].tp.partition.value;
      if (answer[i] == Error::kNone) answered_[p] = offsets[i].offset.offset.value;
      if (answer[i] == Error::kStaleMemberEpoch || answer[i] == Error::kUnknownMember) --sent_[p];
    }
    return answer[0] != Error::kNotAvailable;
  }

  const uint64_t seed_;
  os::Random random_;
  os::ManualClock clock_{1700000000000};
  flow::MetricsRegistry metrics_;
  std::vector<Client> clients_;
  int64_t sent_[kPartitions] = {-1, -1, -1, -1}, answered_[kPartitions] = {-1, -1, -1, -1};
  std::unique_ptr<Broker> broker_;
};

class GroupCrash : public testing::TestWithParam<os::CrashMode> {};

TEST_P(GroupCrash, AnsweredOffsetsStayAndNoPartitionGetsASecondOwner) {
  set_log_level(LogLevel::kError);
  os::Seeds seeds = os::seeds_wanted(60);
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    os::Random random(seed * 77);
    Script script(seed);
    ASSERT_TRUE(script.open().ok());
    script.create_topic();
    for (int crash = 0; crash < 3; ++crash) {
      script.disk.crash_after(random.below(150));
      while (script.step()) script.check_owners();
      script.disk.crash();
      script.close();
      script.disk.restart(GetParam(), seed + static_cast<uint64_t>(crash));
      ASSERT_TRUE(script.open().ok());
      script.check_offsets();
      script.check_owners();
      if (HasFailure()) return;
    }
    script.settle();
    if (HasFailure()) return;
  }
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Modes, GroupCrash,
                         testing::Values(os::CrashMode::kKeep, os::CrashMode::kDrop, os::CrashMode::kTear,
                                         os::CrashMode::kRandom, os::CrashMode::kKill));

}  // namespace
}  // namespace headrace::broker
