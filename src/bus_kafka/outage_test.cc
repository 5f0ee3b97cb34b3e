// Produces and consumes while somebody else kills and restarts brokers; tests/servers/test_kafka_bus.py does. The two
// talk over standard input and output: "producing" goes out when a broker may be killed, a line comes in when it is
// back.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "bus_kafka/kafka_bus.h"
#include "record/batch_builder.h"

namespace headrace::bus_kafka {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr int32_t kPartitions = 3;
/// Batches that are acknowledged before the outage, and anew after it.
constexpr size_t kBatchesPerPhase = 300;
constexpr int kRecordsPerBatch = 3;

/// Keeps up to kInFlight batches on their way until told to stop.
class Load {
 public:
  Load(bus::Producer& producer, std::string topic) : producer_(producer), topic_(std::move(topic)) {}

  void run(const std::function<bool()>& enough) {
    std::unique_lock lock(mutex_);
    while (!enough()) {
      changed_.wait(lock, [&] { return in_flight_ < kInFlight; });
      int id = next_++;
      ++in_flight_;
      lock.unlock();
      send(id);
      lock.lock();
    }
    changed_.wait(lock, [&] { return in_flight_ == 0; });
  }
  void await_acked(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return acked_.size() >= count; });
  }
  size_t acked() {
    std::lock_guard lock(mutex_);
    return acked_.size();
  }
  /// The offset of the first record by batch.
  std::map<int, Offset> answers() {
    std::lock_guard lock(mutex_);
    return acked_;
  }
  size_t acked_locked() const { return acked_.size(); }
  static TopicPartition place(const std::string& topic, int id) { return {topic, PartitionId(id % kPartitions)}; }

 private:
  static constexpr int kInFlight = 20;

  void send(int id) {
    record::BatchBuilder builder;
    // Of today: a broker that starts forgets producers whose last records are a day old, and takes a retry for new.
    int64_t now_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    for (int i = 0; i < kRecordsPerBatch; ++i)
      builder.add(now_ms, std::nullopt, std::to_string(id) + "." + std::to_string(i));
    producer_.produce(place(topic_, id), builder.finish(), [this, id](Result<bus::Appended> answer) {
      std::lock_guard lock(mutex_);
      --in_flight_;
      if (answer.ok()) acked_[id] = answer->base_offset;
      changed_.notify_all();
    });
  }

  bus::Producer& producer_;
  const std::string topic_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int next_ = 0;
  int in_flight_ = 0;
  std::map<int, Offset> acked_;
};

/// All records of the topic from the start to the ends, "id.i" by partition and offset.
std::map<TopicPartition, std::map<int64_t, std::string>> read_all(bus::Bus& bus, bus::Consumer& consumer,
                                                                  const std::string& topic) {
  std::vector<TopicPartition> partitions;
  for (int32_t i = 0; i < kPartitions; ++i) partitions.push_back({topic, PartitionId(i)});
  auto ends = bus.admin().offsets(partitions, {bus::OffsetQuery::Kind::kLatest});
  EXPECT_TRUE(ends.ok()) << ends.error().message;
  std::map<TopicPartition, Offset> left;
  for (const auto& end : *ends) left[end.tp] = end.next;
  std::map<TopicPartition, std::map<int64_t, std::string>> found;
  auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!left.empty() && std::chrono::steady_clock::now() < deadline) {
    auto polled = consumer.poll(500ms);
    if (!polled.ok()) continue;
    for (const auto& fetched : polled->batches) {
      record::RecordReader reader(fetched.batch, 1 << 20);
      while (const auto* record = reader.next()) found[fetched.tp][record->offset.value] = std::string(*record->value);
    }
    for (const auto& position : polled->positions) {
      if (auto it = left.find(position.tp); it != left.end() && position.next >= it->second) left.erase(it);
    }
  }
  EXPECT_TRUE(left.empty());
  return found;
}

TEST(KafkaOutage, NothingAcknowledgedIsLostDoubledOrElsewhere) {
  const char* servers = std::getenv("HEADRACE_TEST_KAFKA_OUTAGE");
  if (servers == nullptr) GTEST_SKIP() << "HEADRACE_TEST_KAFKA_OUTAGE names no cluster";
  auto bus = *connect({{"bootstrap.servers", servers}});
  std::string topic = "outage-" + std::to_string(std::random_device()());
  auto created = bus->admin().create_topic({.name = topic, .partitions = kPartitions});
  ASSERT_TRUE(created.ok()) << created.error().message;
  auto consumer = *bus->consumer({});
  std::vector<bus::Position> starts;
  for (int32_t i = 0; i < kPartitions; ++i) starts.push_back({{topic, PartitionId(i)}, Offset(0)});
  ASSERT_TRUE(consumer->assign(starts).ok());
  auto producer = *bus->producer({});
  Load load(*producer, topic);
  std::atomic<size_t> goal{SIZE_MAX};
  std::thread controller([&] {
    load.await_acked(kBatchesPerPhase);
    std::cout << "producing" << std::endl;
    std::string line;
    std::getline(std::cin, line);
    goal = load.acked() + kBatchesPerPhase;
  });
  load.run([&] { return load.acked_locked() >= goal; });
  controller.join();
  auto found = read_all(*bus, *consumer, topic);
  std::map<std::string, int> times;
  for (const auto& [tp, records] : found) {
    for (const auto& [offset, value] : records) ++times[value];
  }
  for (const auto& [value, count] : times) EXPECT_EQ(count, 1) << value;
  for (const auto& [id, base] : load.answers()) {
    for (int i = 0; i < kRecordsPerBatch; ++i) {
      EXPECT_EQ(found[Load::place(topic, id)][base.value + i], std::to_string(id) + "." + std::to_string(i));
    }
  }
  std::cout << load.acked() << " batches acknowledged" << std::endl;
}

TEST(KafkaOutage, AClusterThatIsNotThereIsUnavailable) {
  auto bus = *connect({{"bootstrap.servers", "127.0.0.1:1"}, {"message.timeout.ms", "1000"}});
  auto count = bus->admin().partition_count("t");
  ASSERT_FALSE(count.ok());
  EXPECT_TRUE(count.error().code == ErrorCode::kUnavailable || count.error().code == ErrorCode::kTimedOut);
  EXPECT_NE(count.error().message.find("127.0.0.1:1"), std::string::npos) << count.error().message;
}

}  // namespace
}  // namespace headrace::bus_kafka
