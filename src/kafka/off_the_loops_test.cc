// Requests that may wait for the disk keep no event loop waiting.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/temp_directory.h"
#include "broker/broker.h"
#include "kafka/kafka_server.h"
#include "kafka/testing.h"
#include "net/event_loops.h"
#include "record/batch_builder.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace wire::kafka;  // NOLINT: the messages are what this file is about

/// A clock and a disk that tell whether an event loop has used them.
class Watched final : public os::Clock, public os::FileSystem {
 public:
  explicit Watched(net::EventLoops& loops) : loops_(loops) {}
  bool seen_on_loop() const { return seen_; }

  int64_t wall_ms() override { return look(), clock_.wall_ms(); }
  std::chrono::nanoseconds monotonic() override { return clock_.monotonic(); }

  Result<std::unique_ptr<os::File>> open(const std::string& path, os::OpenMode mode) override {
    return look(), files_.open(path, mode);
  }
  Result<bool> exists(const std::string& path) override { return files_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override { return files_.list(directory); }
  Status make_directories(const std::string& directory) override { return files_.make_directories(directory); }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status remove(const std::string& path) override { return files_.remove(path); }
  Result<std::unique_ptr<os::Directory>> open_directory(const std::string& directory) override {
    return files_.open_directory(directory);
  }
  Result<std::unique_ptr<os::FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<os::SpaceInfo> space(const std::string& path) override { return files_.space(path); }

 private:
  void look() {
    for (size_t i = 0; i < loops_.size(); ++i) {
      if (loops_.loop(i).in_loop()) seen_ = true;
    }
  }

  net::EventLoops& loops_;
  os::Clock& clock_ = os::system_clock();
  os::FileSystem& files_ = os::real_file_system();
  std::atomic<bool> seen_{false};
};

class OffTheLoops : public ::testing::Test {
 protected:
  OffTheLoops() : loops_(net::EventLoops::start(1)), watched_(*loops_) {
    open();
    CHECK(broker_->create_topic({.name = "t", .partitions = 1, .configs = {{"segment.bytes", "1500"}}}).ok());
  }
  ~OffTheLoops() override {
    close();
    loops_.reset();
  }
  void open() {
    auto opened = broker::Broker::open({.data_directory = directory_.path()}, metrics_, watched_, watched_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
    auto started = KafkaServer::start(*broker_, *loops_, {.port = 0, .metrics = &metrics_});
    CHECK(started.ok());
    server_ = *std::move(started);
  }
  void append(int64_t timestamp_ms) {
    record::BatchBuilder builder;
    builder.add(timestamp_ms, "key", std::string(1000, 'x'));
    record::Batch batch = builder.finish();
    std::promise<bool> appended;
    broker_->partition({"t", PartitionId(0)})->produce(std::span(&batch, 1), [&](auto produced) {
      appended.set_value(produced.ok());
    });
    ASSERT_TRUE(appended.get_future().get());
  }
  void close() {
    server_.reset();
    broker_.reset();
  }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<net::EventLoops> loops_;
  Watched watched_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<KafkaServer> server_;
};

TEST_F(OffTheLoops, LookingARecordUpByItsTime) {
  for (int i = 0; i < 3; ++i) append(1000 + i);
  for (int64_t timestamp : {int64_t{1002}, int64_t{-3}}) {
    close();
    open();  // The indexes are not in memory.
    ListOffsetsRequest request;
    request.topics.emplace_back().name = "t";
    request.topics[0].partitions.push_back({.timestamp = timestamp});
    auto answer = KafkaTestClient(server_->port()).call<2>(request, 7).topics.at(0).partitions.at(0);
    EXPECT_EQ(answer.timestamp, 1002);
    EXPECT_EQ(answer.offset, 2);
    EXPECT_FALSE(watched_.seen_on_loop()) << timestamp;
  }
}

TEST_F(OffTheLoops, ReservingAProducersId) {
  InitProducerIdRequest request;
  request.transactional_id = "tx";
  request.transaction_timeout_ms = 60'000;
  EXPECT_EQ(KafkaTestClient(server_->port()).call<22>(request, 4).error_code, 0);
  EXPECT_FALSE(watched_.seen_on_loop());
}

}  // namespace
}  // namespace headrace::kafka
