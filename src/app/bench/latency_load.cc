#include "app/bench/latency_load.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "app/bench/fetch_reader.h"
#include "record/batch_builder.h"
#include "wire/kafka/messages/00_produce.h"

namespace headrace::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int16_t kProduceVersion = 9;
constexpr size_t kStampBytes = 8;

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

/// Sends what is due every millisecond; on its loop.
class PacedProducer {
 public:
  PacedProducer(const LatencyLoadOptions& options, int32_t partitions)
      : options_(options), partitions_(partitions), value_(options.record_bytes, 'x') {}

  void begin(KafkaLink& link) {
    link_ = &link;
    link.on_response = [](BytesView) {};
    begin_us_ = now_us();
    tick();
  }
  void stop() { timer_.reset(); }
  int64_t sent() const { return sent_; }

 private:
  void tick() {
    int64_t now = now_us();
    int64_t due = (now - begin_us_) * options_.rate / 1'000'000;
    if (due > sent_) send(due - sent_, now);
    timer_ = link_->loop().after(std::chrono::milliseconds(1), [this] { tick(); });
  }
  void send(int64_t records, int64_t now) {
    std::memcpy(value_.data(), &now, kStampBytes);
    int64_t now_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    for (int64_t i = 0; i < records; ++i) builder_.add(now_ms, std::nullopt, value_);
    wire::kafka::ProduceRequest request{.acks = -1, .timeout_ms = 30'000};
    auto& topic = request.topic_data.emplace_back();
    topic.name = options_.topic;
    topic.partition_data.push_back(
        {turn_++ % partitions_, wire::kafka::Records(SharedBytes(builder_.finish().bytes()))});
    link_->send(frame_of(request, kProduceVersion));
    sent_ += records;
  }

  KafkaLink* link_ = nullptr;
  const LatencyLoadOptions& options_;
  int32_t partitions_;
  std::string value_;
  record::BatchBuilder builder_;
  int64_t begin_us_ = 0;
  int64_t sent_ = 0;
  int32_t turn_ = 0;
  std::unique_ptr<net::EventLoop::Timer> timer_;
};

/// Reads the topic's tail and each record's age; on its loop.
class AgeReader {
 public:
  explicit AgeReader(FetchReader reader) : reader_(std::move(reader)) {}

  void begin(KafkaLink& link) {
    link_ = &link;
    link.on_response = [this](BytesView response) { answered(response); };
    link_->send(reader_.next_fetch());
  }
  void stop() {
    link_->on_response = [](BytesView) {};
  }
  std::atomic<int64_t> records{0};
  std::vector<int64_t> ages_us;
  std::string trouble;

 private:
  void answered(BytesView response) {
    int64_t now = now_us();
    Function<void(BytesView)> on_batch = [&](BytesView bytes) { read_ages(bytes, now); };
    auto read = reader_.read(response, &on_batch);
    if (!read.ok()) {
      trouble = read.error().message;
      return;
    }
    records += *read;
    link_->send(reader_.next_fetch());
  }
  void read_ages(BytesView bytes, int64_t now) {
    auto batch = record::Batch::parse(SharedBytes(nullptr, bytes));
    if (!batch.ok()) {
      trouble = batch.error().message;
      return;
    }
    record::RecordReader reader(*batch, bytes.size());
    while (const record::RecordView* one = reader.next()) {
      int64_t made;
      std::memcpy(&made, one->value->data(), kStampBytes);
      ages_us.push_back(now - made);
    }
  }

  KafkaLink* link_ = nullptr;
  FetchReader reader_;
};

}  // namespace

Result<LoadResult> run_latency_load(net::EventLoops& loops, const LatencyLoadOptions& options) {
  ASSIGN_OR_RETURN(auto links, KafkaLinks::connect(loops, options.server, 2));
  ASSIGN_OR_RETURN(int32_t partitions, partition_count(*links, options.topic));
  ASSIGN_OR_RETURN(auto ends, offsets_of(*links, options.topic, partitions, -1));
  std::vector<FetchReader::Partition> tail;
  for (size_t p = 0; p < ends.size(); ++p) tail.push_back({static_cast<int32_t>(p), ends[p], INT64_MAX});

  PacedProducer producer(options, partitions);
  AgeReader reader(FetchReader(options.topic, std::move(tail), {}));
  links->run_on(1, [&](KafkaLink& link) { reader.begin(link); });
  links->run_on(0, [&](KafkaLink& link) { producer.begin(link); });
  std::this_thread::sleep_for(options.duration);
  links->run_on(0, [&](KafkaLink&) { producer.stop(); });
  constexpr std::chrono::seconds kPatience{10};
  auto deadline = Clock::now() + kPatience;
  while (reader.records < producer.sent() && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  links->run_on(1, [&](KafkaLink&) { reader.stop(); });
  if (!reader.trouble.empty()) return Error{ErrorCode::kUnavailable, reader.trouble};
  if (reader.records < producer.sent()) {
    return Error{ErrorCode::kTimedOut, fmt::format("{} of {} records had come {} s after the last was sent",
                                                   reader.records.load(), producer.sent(), kPatience.count())};
  }
  LoadResult result{.records = producer.sent(),
                    .bytes = producer.sent() * static_cast<int64_t>(options.record_bytes),
                    .seconds = std::chrono::duration<double>(options.duration).count(),
                    .latency = summarize(reader.ages_us)};
  return result;
}

}  // namespace headrace::app
