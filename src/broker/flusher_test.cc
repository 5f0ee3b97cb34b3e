#include "broker/flusher.h"

#include <atomic>
#include <future>

#include "broker/broker_test_support.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;

/// A clock that stands still until told, for many threads.
class StillClock final : public os::Clock {
 public:
  int64_t wall_ms() override { return 1700000000000; }
  std::chrono::nanoseconds monotonic() override { return std::chrono::nanoseconds(now_); }
  void advance(std::chrono::nanoseconds by) { now_ += by.count(); }

 private:
  std::atomic<int64_t> now_{0};
};

class FlusherTest : public testing::Test {
 protected:
  FlusherTest() {
    BrokerOptions options = options_in("/data");
    options.flush_threads = 2;
    broker_ = *Broker::open(options, metrics_, clock_, disk_);
  }
  std::shared_ptr<Partition> create(const std::string& name) {
    return (*broker_->create_topic({.name = name, .partitions = 1, .configs = {}}))->partitions[0];
  }
  static void append(
      Partition& partition, ProducedCallback done = [](Result<Produced>) {}) {
    record::Batch batch = batch_of({"x"});
    partition.produce(std::span(&batch, 1), std::move(done));
  }
  /// Leaves the partition gathering, with one append that `done` is the answer to. It gathers for half the time that
  /// its flush took; as the clock stands still, until enough others have come.
  void let_gather(Partition& partition, std::chrono::nanoseconds flush_took, ProducedCallback done) {
    std::promise<void> answered;
    append(partition, [&, flush_took, done = std::move(done)](Result<Produced>) mutable {
      clock_.advance(flush_took);
      append(partition, std::move(done));
      answered.set_value();
    });
    answered.get_future().wait();
  }
  /// Appends until `happened`, for ten seconds at the most.
  static bool append_until(Partition& partition, std::future<void>& happened) {
    auto deadline = std::chrono::steady_clock::now() + 10s;
    while (happened.wait_for(1ms) != std::future_status::ready) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      append(partition);
    }
    return true;
  }

  StillClock clock_;
  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(FlusherTest, APartitionThatGathersWaitsForNoOthersFlush) {
  auto slow = create("slow"), quick = create("quick");
  std::promise<void> stuck, go_on, answered;
  auto is_stuck = stuck.get_future(), is_answered = answered.get_future();
  auto may_go_on = go_on.get_future();
  let_gather(*quick, 4ms, [&](Result<Produced>) { answered.set_value(); });
  let_gather(*slow, 1us, [&](Result<Produced>) {
    stuck.set_value();
    may_go_on.wait();
  });
  EXPECT_TRUE(append_until(*slow, is_stuck));
  EXPECT_TRUE(append_until(*quick, is_answered));
  go_on.set_value();
  broker_.reset();
}

}  // namespace
}  // namespace headrace::broker
