// For the console's tests: a bus in memory and an HTTP server without sockets.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "bus/bus.h"
#include "net/http.h"
#include "record/batch_builder.h"

namespace headrace::console::testing {

/// Topics as lists of batches; consumers and admin alone.
class MemoryBus final : public bus::Bus, public bus::Admin {
 public:
  void add_topic(std::string name, int32_t partitions) {
    std::lock_guard lock(mutex_);
    topics_[name].resize(static_cast<size_t>(partitions));
  }

  /// Appends records with the given timestamp to a partition.
  void append(const std::string& topic, int32_t partition, int64_t timestamp_ms,
              const std::vector<std::string>& values) {
    record::BatchBuilder builder;
    for (const std::string& value : values) builder.add(timestamp_ms, "key", value);
    record::Batch built = builder.finish();
    std::lock_guard lock(mutex_);
    auto& batches = topics_.at(topic).at(static_cast<size_t>(partition));
    Bytes bytes(built.bytes().view().begin(), built.bytes().view().end());
    record::stamp(bytes, end_of(batches), LeaderEpoch(0));
    auto stamped = record::Batch::parse(SharedBytes(std::move(bytes)));
    CHECK(stamped.ok());
    batches.push_back(*stamped);
    appended_.notify_all();
  }

  /// Makes every call of Admin fail, as a cluster that is away.
  void set_away(bool away) {
    std::lock_guard lock(mutex_);
    away_ = away;
  }

  int consumers() const {
    std::lock_guard lock(mutex_);
    return consumers_;
  }

  Result<std::unique_ptr<bus::Producer>> producer(bus::ProducerOptions) override { return unsupported(); }
  Result<std::unique_ptr<bus::TransactionalProducer>> transactional_producer(std::string) override {
    return unsupported();
  }
  Result<std::unique_ptr<bus::Consumer>> consumer(bus::ConsumerOptions) override {
    return std::unique_ptr<bus::Consumer>(std::make_unique<MemoryConsumer>(*this));
  }
  bus::Admin& admin() override { return *this; }

  Status create_topic(const bus::TopicSpec&) override { return unsupported(); }
  Status delete_topic(std::string_view) override { return unsupported(); }
  Status create_partitions(std::string_view, int32_t) override { return unsupported(); }
  Result<std::vector<bus::TopicInfo>> topics() override {
    std::lock_guard lock(mutex_);
    if (away_) return Error{ErrorCode::kUnavailable, "no broker answers"};
    std::vector<bus::TopicInfo> out;
    for (const auto& [name, partitions] : topics_) out.push_back(info(name));
    return out;
  }
  Result<bus::TopicInfo> topic(std::string_view name) override {
    std::lock_guard lock(mutex_);
    if (!topics_.contains(std::string(name))) return Error{ErrorCode::kNotFound, "no topic " + std::string(name)};
    return info(std::string(name));
  }
  Result<int32_t> partition_count(std::string_view name) override {
    ASSIGN_OR_RETURN(const auto found, topic(name));
    return static_cast<int32_t>(found.partitions.size());
  }
  Result<std::vector<bus::Position>> offsets(const std::vector<TopicPartition>& partitions,
                                             bus::OffsetQuery query) override {
    std::lock_guard lock(mutex_);
    std::vector<bus::Position> out;
    for (const TopicPartition& tp : partitions) {
      const auto& batches = topics_.at(tp.topic).at(static_cast<size_t>(tp.partition.value));
      Offset next = query.kind == bus::OffsetQuery::Kind::kEarliest ? Offset(0) : end_of(batches);
      if (query.kind == bus::OffsetQuery::Kind::kTimestamp) {
        for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
          if (batch->header().max_timestamp_ms >= query.timestamp_ms) next = batch->header().base_offset;
        }
      }
      out.push_back({tp, next});
    }
    return out;
  }
  Result<std::vector<bus::Position>> committed(std::string_view, const std::vector<TopicPartition>&) override {
    return unsupported();
  }
  Status commit(std::string_view, const std::vector<bus::Position>&) override { return unsupported(); }

 private:
  using Batches = std::vector<record::Batch>;

  class MemoryConsumer final : public bus::Consumer {
   public:
    explicit MemoryConsumer(MemoryBus& bus) : bus_(bus) {
      std::lock_guard lock(bus_.mutex_);
      ++bus_.consumers_;
    }
    ~MemoryConsumer() override {
      std::lock_guard lock(bus_.mutex_);
      --bus_.consumers_;
    }
    Status assign(std::vector<bus::Position> positions) override {
      positions_ = std::move(positions);
      return {};
    }
    Result<bus::PollResult> poll(std::chrono::milliseconds timeout) override {
      std::unique_lock lock(bus_.mutex_);
      bus::PollResult result;
      bus_.appended_.wait_for(lock, timeout, [&] { return read(result); });
      return result;
    }
    void wake() override { bus_.appended_.notify_all(); }

   private:
    bool read(bus::PollResult& result) {
      for (bus::Position& position : positions_) {
        for (const record::Batch& batch : bus_.topics_.at(position.tp.topic).at(position.tp.partition.value)) {
          if (batch.header().next_offset() <= position.next) continue;
          result.batches.push_back({position.tp, batch});
          position.next = batch.header().next_offset();
          result.positions.push_back(position);
        }
      }
      return !result.batches.empty();
    }

    MemoryBus& bus_;
    std::vector<bus::Position> positions_;
  };

  static Error unsupported() { return {ErrorCode::kUnsupported, "not in this bus"}; }
  static Offset end_of(const Batches& batches) {
    return batches.empty() ? Offset(0) : batches.back().header().next_offset();
  }
  bus::TopicInfo info(const std::string& name) {
    bus::TopicInfo out{.name = name};
    for (const Batches& batches : topics_.at(name)) {
      int64_t bytes = 0;
      for (const record::Batch& batch : batches) bytes += static_cast<int64_t>(batch.size());
      out.partitions.push_back(
          {PartitionId(static_cast<int32_t>(out.partitions.size())), Offset(0), end_of(batches), bytes});
    }
    return out;
  }

  mutable std::mutex mutex_;
  std::condition_variable appended_;
  std::map<std::string, std::vector<Batches>> topics_;
  bool away_ = false;
  int consumers_ = 0;
};

/// Keeps what was sent; a test sets how much the client has left unread.
class MemoryStream final : public net::EventStream {
 public:
  bool send(std::string_view event, std::string_view data) override {
    std::lock_guard lock(mutex_);
    if (!open_) return false;
    events_.emplace_back(event, data);
    sent_.notify_all();
    return true;
  }
  bool open() const override {
    std::lock_guard lock(mutex_);
    return open_;
  }
  size_t queued_bytes() const override {
    std::lock_guard lock(mutex_);
    return queued_;
  }
  void close() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }
  void set_queued_bytes(size_t bytes) {
    std::lock_guard lock(mutex_);
    queued_ = bytes;
  }

  /// How many events named `event` contain `part`.
  int count(std::string_view event, std::string_view part) const {
    std::lock_guard lock(mutex_);
    int found = 0;
    for (const auto& [name, data] : events_) found += name == event && data.find(part) != std::string::npos;
    return found;
  }

  /// The data of the first event after the `seen`th that is named `event` (empty: any) and contains `part`; waits for
  /// it up to sixty seconds, then answers empty. `seen` moves behind it.
  std::string wait_for(std::string_view event, std::string_view part, size_t& seen) {
    std::unique_lock lock(mutex_);
    std::string found;
    sent_.wait_for(lock, std::chrono::seconds(60), [&] {
      for (; seen < events_.size(); ++seen) {
        if (!event.empty() && events_[seen].first != event) continue;
        if (events_[seen].second.find(part) == std::string::npos) continue;
        found = events_[seen++].second;
        return true;
      }
      return false;
    });
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable sent_;
  std::vector<std::pair<std::string, std::string>> events_;
  size_t queued_ = 0;
  bool open_ = true;
};

/// Holds the routes; get() calls one by its pattern.
class MemoryHttp final : public net::HttpServer {
 public:
  uint16_t port() const override { return 0; }
  void route(std::string, std::string pattern, Function<void(net::HttpRequest, net::HttpReply)> handler) override {
    routes_[pattern] = std::move(handler);
  }
  void route_events(std::string pattern,
                    Function<void(net::HttpRequest, std::shared_ptr<net::EventStream>)> handler) override {
    streams_[pattern] = std::move(handler);
  }
  Status start() override { return {}; }

  net::HttpResponse get(const std::string& pattern, net::HttpRequest request = {}) {
    std::mutex mutex;
    std::condition_variable answered;
    std::optional<net::HttpResponse> answer;
    routes_.at(pattern)(std::move(request), [&](net::HttpResponse response) {
      std::lock_guard lock(mutex);
      answer = std::move(response);
      answered.notify_all();
    });
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return answer.has_value(); });
    return *answer;
  }
  std::shared_ptr<MemoryStream> connect(const std::string& pattern, std::map<std::string, std::string> params) {
    auto stream = std::make_shared<MemoryStream>();
    streams_.at(pattern)({.params = std::move(params)}, stream);
    return stream;
  }

 private:
  std::map<std::string, Function<void(net::HttpRequest, net::HttpReply)>> routes_;
  std::map<std::string, Function<void(net::HttpRequest, std::shared_ptr<net::EventStream>)>> streams_;
};

}  // namespace headrace::console::testing
