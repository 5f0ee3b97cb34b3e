#include "app/bench/produce_load.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <mutex>
#include <optional>

#include "app/bench/kafka_link.h"
#include "record/batch_builder.h"
#include "wire/kafka/messages/00_produce.h"

namespace headrace::app {
namespace {

using Clock = std::chrono::steady_clock;
using wire::kafka::ProduceRequest;
using wire::kafka::ProduceResponse;

constexpr int16_t kProduceVersion = 9;
constexpr int32_t kTimeoutMs = 30'000;

record::Batch full_batch(const ProduceLoadOptions& options) {
  record::BatchBuilder builder;
  std::string value(options.record_bytes, 'x');
  int64_t now_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  constexpr size_t kRecordOverheadBytes = 10;
  do {
    builder.add(now_ms, std::nullopt, value);
  } while (builder.bytes() + options.record_bytes + kRecordOverheadBytes <= options.batch_bytes);
  return builder.finish();
}

/// What all producers share.
struct Shared {
  std::atomic<int64_t> requests_left;
  std::atomic<size_t> producers_left;
  std::mutex mutex;
  std::vector<int64_t> latencies_us;
  std::optional<Error> error;
  std::promise<void> done;

  void fail(Error why) {
    requests_left = 0;
    std::lock_guard lock(mutex);
    error = std::move(why);
  }
};

/// One connection's side of the load; on its loop.
class Producer {
 public:
  Producer(SharedBytes frame, const ProduceLoadOptions& options, Shared& shared)
      : frame_(std::move(frame)), options_(options), shared_(shared) {}

  void begin(KafkaLink& link) {
    link_ = &link;
    link.on_response = [this](BytesView response) { answered(response); };
    link.on_lost = [this] {
      shared_.fail({ErrorCode::kUnavailable, "the server closed a connection"});
      end();
    };
    for (size_t i = 0; i < options_.in_flight; ++i) send();
    if (sent_.empty()) end();
  }

 private:
  void send() {
    if (shared_.requests_left.fetch_sub(1, std::memory_order_relaxed) <= 0) return;
    sent_.push_back(Clock::now());
    link_->send(frame_);
  }
  void answered(BytesView bytes) {
    latencies_us_.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent_.front()).count());
    sent_.pop_front();
    check(bytes);
    send();
    if (sent_.empty()) end();
  }
  void check(BytesView bytes) {
    auto response = read_response<ProduceResponse>(SharedBytes(nullptr, bytes), kProduceVersion);
    if (!response.ok()) return shared_.fail(response.error());
    for (const auto& topic : response->responses) {
      for (const auto& p : topic.partition_responses) {
        if (p.error_code == 0) continue;
        shared_.fail({ErrorCode::kUnavailable,
                      fmt::format("{}-{} was refused: Kafka error {}", topic.name, p.index, p.error_code)});
      }
    }
  }
  void end() {
    if (std::exchange(ended_, true)) return;
    {
      std::lock_guard lock(shared_.mutex);
      shared_.latencies_us.insert(shared_.latencies_us.end(), latencies_us_.begin(), latencies_us_.end());
    }
    if (--shared_.producers_left == 0) shared_.done.set_value();
  }

  KafkaLink* link_ = nullptr;
  SharedBytes frame_;
  const ProduceLoadOptions& options_;
  Shared& shared_;
  std::deque<Clock::time_point> sent_;
  std::vector<int64_t> latencies_us_;
  bool ended_ = false;
};

}  // namespace

Result<LoadResult> run_produce_load(net::EventLoops& loops, const ProduceLoadOptions& options) {
  ASSIGN_OR_RETURN(auto links, KafkaLinks::connect(loops, options.server, options.connections));
  ASSIGN_OR_RETURN(int32_t partitions, partition_count(*links, options.topic));
  record::Batch batch = full_batch(options);
  ProduceRequest request{.acks = options.acks, .timeout_ms = kTimeoutMs};
  auto& topic = request.topic_data.emplace_back();
  topic.name = options.topic;
  for (int32_t p = 0; p < partitions; ++p) {
    topic.partition_data.push_back({p, wire::kafka::Records(SharedBytes(batch.bytes()))});
  }
  SharedBytes frame = frame_of(request, kProduceVersion);
  int64_t records_per_request = int64_t{batch.header().record_count} * partitions;
  int64_t requests = (options.records + records_per_request - 1) / records_per_request;

  Shared shared{.requests_left = requests, .producers_left = links->size()};
  std::vector<std::unique_ptr<Producer>> producers;
  for (size_t i = 0; i < links->size(); ++i) {
    producers.push_back(std::make_unique<Producer>(frame, options, shared));
  }
  auto begin = Clock::now();
  for (size_t i = 0; i < links->size(); ++i) links->run_on(i, [&](KafkaLink& link) { producers[i]->begin(link); });
  shared.done.get_future().wait();
  double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (size_t i = 0; i < links->size(); ++i) {
    links->run_on(i, [](KafkaLink& link) { link.on_lost = {}; });
  }
  if (shared.error) return *shared.error;
  int64_t records = requests * records_per_request;
  return LoadResult{.records = records,
                    .bytes = records * static_cast<int64_t>(options.record_bytes),
                    .seconds = seconds,
                    .latency = summarize(shared.latencies_us)};
}

}  // namespace headrace::app
