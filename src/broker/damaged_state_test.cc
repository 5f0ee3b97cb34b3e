// Bits of the coordinators' logs that flip on the disk cost what was written in them, and no more.
#include <algorithm>

#include "base/logging.h"
#include "broker/broker.h"
#include "broker/broker_test_support.h"
#include "broker/embedded_bus.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

const std::vector<std::string> kIds = {"a", "b", "c", "d"};

class DamagedState : public testing::Test {
 protected:
  void begin_anew() {
    broker_.reset();
    disk_ = std::make_unique<os::SimulatedFileSystem>();
    ASSERT_TRUE(open());
    ASSERT_TRUE(broker_->create_topic({.name = "t", .partitions = 1}).ok());
    for (const std::string& id : kIds) {
      commit(id, 5);
      init(id);
    }
    broker_.reset();
  }
  bool open() {
    broker_.reset();
    auto opened = Broker::open(options_in("/data"), metrics_, clock_, *disk_);
    if (opened.ok()) broker_ = *std::move(opened);
    return opened.ok();
  }
  void commit(const std::string& group, int64_t offset) {
    auto bus = make_embedded_bus(*broker_);
    ASSERT_TRUE(bus->admin().commit(group, {{{"t", PartitionId(0)}, Offset(offset)}}).ok());
  }
  int64_t committed(const std::string& group) {
    auto found = broker_->groups().fetch(group, {{{"t", PartitionId(0)}}}, /*require_stable=*/false);
    return found.at(0).offset.offset.value;
  }
  void init(const std::string& id) {
    answer_of<IdentityAnswer>(
        [&](auto done) { broker_->transactions().init(id, std::chrono::seconds(60), std::nullopt, done); });
  }

  /// Opens the broker with each byte of a topic's records flipped; `known` says whether it still knows one of kIds.
  void flip_each_byte(const std::string& topic, Function<bool(const std::string&)> known) {
    set_log_level(LogLevel::kError);
    const std::string path = "/data/" + topic + "-0/00000000000000000000.log";
    size_t tried = 0, lost = 0;
    for (size_t at = 0;; at += 7, ++tried) {
      SCOPED_TRACE("byte " + std::to_string(at));
      ASSERT_NO_FATAL_FAILURE(begin_anew());
      Bytes bytes = disk_->content(path);
      if (at >= bytes.size()) break;
      bytes[at] ^= 0x41;
      disk_->set_content(path, bytes);
      ASSERT_TRUE(open());
      auto left = std::count_if(kIds.begin(), kIds.end(), [&](const std::string& id) { return known(id); });
      ASSERT_GE(left, static_cast<int64_t>(kIds.size()) - 1);
      lost += kIds.size() - static_cast<size_t>(left);
      commit("later", 7);
      init("later");
      ASSERT_TRUE(open());
      ASSERT_EQ(committed("later"), 7);
    }
    EXPECT_GT(lost, tried / 2);
    set_log_level(LogLevel::kInfo);
  }

  os::ManualClock clock_{1700000000000};
  std::unique_ptr<os::SimulatedFileSystem> disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(DamagedState, OfGroupsCostsTheCommitsThatItHeld) {
  flip_each_byte("__consumer_offsets", [&](const std::string& group) { return committed(group) == 5; });
}

TEST_F(DamagedState, OfTransactionsCostsTheIdsThatItHeld) {
  flip_each_byte("__transaction_state",
                 [&](const std::string& id) { return broker_->transactions().describe(id).has_value(); });
}

}  // namespace
}  // namespace headrace::broker
