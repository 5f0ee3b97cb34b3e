#include "app/bench/consume_load.h"

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>

#include "app/bench/fetch_reader.h"

namespace headrace::app {
namespace {

using Clock = std::chrono::steady_clock;

/// What all consumers share.
struct Shared {
  std::atomic<size_t> consumers_left;
  std::mutex mutex;
  LoadResult sum;
  std::vector<int64_t> latencies_us;
  std::optional<Error> error;
  std::promise<void> done;
};

/// One connection's side of the load; on its loop.
class Consumer {
 public:
  Consumer(FetchReader reader, Shared& shared) : reader_(std::move(reader)), shared_(shared) {}

  void begin(KafkaLink& link) {
    link_ = &link;
    link.on_response = [this](BytesView response) { answered(response); };
    link.on_lost = [this] { end(Error{ErrorCode::kUnavailable, "the server closed a connection"}); };
    fetch();
  }

 private:
  void fetch() {
    SharedBytes frame = reader_.next_fetch();
    if (frame.empty()) return end(std::nullopt);
    sent_ = Clock::now();
    link_->send(std::move(frame));
  }
  void answered(BytesView response) {
    latencies_us_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent_).count());
    bytes_ += static_cast<int64_t>(response.size());
    auto records = reader_.read(response);
    if (!records.ok()) return end(records.error());
    records_ += *records;
    fetch();
  }
  void end(std::optional<Error> error) {
    if (std::exchange(ended_, true)) return;
    {
      std::lock_guard lock(shared_.mutex);
      shared_.sum.records += records_;
      shared_.sum.bytes += bytes_;
      shared_.latencies_us.insert(shared_.latencies_us.end(), latencies_us_.begin(), latencies_us_.end());
      if (error) shared_.error = std::move(error);
    }
    if (--shared_.consumers_left == 0) shared_.done.set_value();
  }

  KafkaLink* link_ = nullptr;
  FetchReader reader_;
  Shared& shared_;
  Clock::time_point sent_;
  int64_t records_ = 0, bytes_ = 0;
  std::vector<int64_t> latencies_us_;
  bool ended_ = false;
};

}  // namespace

Result<LoadResult> run_consume_load(net::EventLoops& loops, const ConsumeLoadOptions& options) {
  ASSIGN_OR_RETURN(auto links, KafkaLinks::connect(loops, options.server, options.consumers * options.groups));
  ASSIGN_OR_RETURN(int32_t partitions, partition_count(*links, options.topic));
  constexpr int64_t kEarliest = -2, kLatest = -1;
  ASSIGN_OR_RETURN(auto begins, offsets_of(*links, options.topic, partitions, kEarliest));
  ASSIGN_OR_RETURN(auto ends, offsets_of(*links, options.topic, partitions, kLatest));

  Shared shared{.consumers_left = links->size()};
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (size_t i = 0; i < links->size(); ++i) {
    std::vector<FetchReader::Partition> own;
    for (size_t p = i % options.consumers; p < begins.size(); p += options.consumers) {
      own.push_back({static_cast<int32_t>(p), begins[p], ends[p]});
    }
    FetchReader reader(
        options.topic, std::move(own),
        {.fetch_bytes_max = options.fetch_bytes_max, .partition_bytes_max = options.partition_bytes_max});
    consumers.push_back(std::make_unique<Consumer>(std::move(reader), shared));
  }
  auto begin = Clock::now();
  for (size_t i = 0; i < links->size(); ++i) links->run_on(i, [&](KafkaLink& link) { consumers[i]->begin(link); });
  shared.done.get_future().wait();
  shared.sum.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (size_t i = 0; i < links->size(); ++i) {
    links->run_on(i, [](KafkaLink& link) { link.on_lost = {}; });
  }
  if (shared.error) return *shared.error;
  shared.sum.latency = summarize(shared.latencies_us);
  return shared.sum;
}

}  // namespace headrace::app
