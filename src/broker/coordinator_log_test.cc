#include "broker/coordinator_log.h"

#include "broker/broker_test_support.h"

namespace headrace::broker {
namespace {

/// A log of its own in a partition of a broker that does nothing else with it.
class CoordinatorLogTest : public testing::Test {
 protected:
  static constexpr int64_t kBytesMin = 20000;

  void SetUp() override {
    auto opened = Broker::open(options_in(directory_.path()), metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
    // Written inside the call, so that the order of everything is the test's.
    auto topic = broker_->create_topic({.name = "log", .partitions = 1, .configs = {{"flush", "os"}}});
    ASSERT_TRUE(topic.ok());
    partition_ = (*topic)->partitions[0];
    log_ = std::make_unique<CoordinatorLog>(partition_, os::system_clock(), kBytesMin, [this] { return snapshot(); });
  }
  std::optional<std::vector<StateLog::Entry>> snapshot() {
    asked_at_bytes_.push_back(size());
    if (refuses_) return std::nullopt;
    return std::vector<StateLog::Entry>{{"state", Bytes(10, 's')}};
  }
  int64_t size() const { return partition_->log().size_bytes(); }
  static std::vector<StateLog::Entry> entry(const std::string& key, size_t bytes = 1000) {
    return {{key, Bytes(bytes, 'x')}};
  }
  void write(const std::string& key) {
    log_->write(entry(key), [](Result<Offset> written) { EXPECT_TRUE(written.ok()); });
  }
  std::vector<std::string> keys() {
    std::vector<std::string> found;
    EXPECT_TRUE(for_each_batch(partition_->log(), [&](const record::Batch& batch) -> Status {
                  record::RecordReader reader(batch, 1 << 20);
                  while (const record::RecordView* record = reader.next()) found.emplace_back(*record->key);
                  return reader.status();
                }).ok());
    return found;
  }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::shared_ptr<Partition> partition_;
  std::unique_ptr<CoordinatorLog> log_;
  bool refuses_ = false;
  std::vector<int64_t> asked_at_bytes_;
};

TEST_F(CoordinatorLogTest, AStateThatIsNotToBeHadIsAskedForAgainSoon) {
  refuses_ = true;
  while (asked_at_bytes_.size() < 6) write("k");
  EXPECT_LT(asked_at_bytes_[0], kBytesMin + 3000);
  for (size_t i = 1; i < asked_at_bytes_.size(); ++i) {
    EXPECT_GE(asked_at_bytes_[i], asked_at_bytes_[i - 1] * 5 / 4);
    EXPECT_LT(asked_at_bytes_[i], asked_at_bytes_[i - 1] * 5 / 4 + 3000);
  }
  refuses_ = false;
  size_t refusals = asked_at_bytes_.size();
  while (asked_at_bytes_.size() == refusals) write("k");
  EXPECT_EQ(keys(), (std::vector<std::string>{"state", "k"})) << "written anew as soon as it could be had";
}

TEST_F(CoordinatorLogTest, NothingOvertakesWhatWasHeldBack) {
  while (size() < kBytesMin) write("filler");
  auto batch = [](const std::string& key) { return batch_of(entry(key, 10), 1700000000000); };
  auto ignore = [](const Result<Offset>&) {};
  // In flight until it is let go.
  ProducedCallback let_go;
  CoordinatorLog slow(partition_, os::system_clock(), kBytesMin * 2, [this] { return snapshot(); });
  slow.write(
      batch("slow"), [&](const record::Batch&, ProducedCallback done) { let_go = std::move(done); }, ignore);
  while (size() < kBytesMin * 2) write("filler");
  auto writes_another = [&](const record::Batch& ready, ProducedCallback done) {
    slow.write(batch("third"), {}, ignore);
    partition_->produce(std::span(&ready, 1), std::move(done));
  };
  slow.write(batch("first"), writes_another, ignore);
  slow.write(batch("second"), {}, ignore);
  let_go(Produced{});
  EXPECT_EQ(keys(), (std::vector<std::string>{"state", "first", "second", "third"}));
  EXPECT_TRUE(slow.idle());
}

}  // namespace
}  // namespace headrace::broker
