// A bus in memory for unit tests: it keeps what was produced and answers when and how the test says.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "bus/bus.h"
#include "net/event_loops.h"

namespace headrace::ingest {

class FakeBus final : public bus::Bus, public bus::Admin {
 public:
  struct Stored {
    TopicPartition tp;
    std::string key, value;
    std::map<std::string, std::string> headers;
  };

  void add_topic(const std::string& name, int32_t partitions) {
    std::lock_guard lock(mutex_);
    topics_[name] = partitions;
  }
  /// From now on batches wait until release(); already waiting ones go on waiting.
  void hold() {
    std::lock_guard lock(mutex_);
    holding_ = true;
  }
  void release() {
    std::unique_lock lock(mutex_);
    holding_ = false;
    auto waiting = std::exchange(waiting_, {});
    lock.unlock();
    for (auto& each : waiting) answer(each);
  }
  /// The next `count` batches are answered with `code` and not kept.
  void fail_next(int count, ErrorCode code) {
    std::lock_guard lock(mutex_);
    failures_ = count;
    failure_ = code;
  }
  /// Larger batches are answered with kTooLarge.
  void set_batch_bytes_max(size_t bytes) {
    std::lock_guard lock(mutex_);
    batch_bytes_max_ = bytes;
  }
  std::vector<Stored> stored() {
    std::lock_guard lock(mutex_);
    return stored_;
  }
  size_t waiting() {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void wait_for_waiting(size_t batches) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return waiting_.size() >= batches; });
  }
  std::vector<Stored> wait_for_stored(size_t records) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return stored_.size() >= records; });
    return stored_;
  }

  Result<std::unique_ptr<bus::Producer>> producer(bus::ProducerOptions) override {
    return std::unique_ptr<bus::Producer>(std::make_unique<FakeProducer>(*this));
  }
  Result<std::unique_ptr<bus::TransactionalProducer>> transactional_producer(std::string) override { return unused(); }
  Result<std::unique_ptr<bus::Consumer>> consumer(bus::ConsumerOptions) override { return unused(); }
  bus::Admin& admin() override { return *this; }

  Status create_topic(const bus::TopicSpec& spec) override {
    add_topic(spec.name, spec.partitions);
    return {};
  }
  Status delete_topic(std::string_view) override { return unused(); }
  Status create_partitions(std::string_view, int32_t) override { return unused(); }
  Result<std::vector<bus::TopicInfo>> topics() override { return unused(); }
  Result<bus::TopicInfo> topic(std::string_view) override { return unused(); }
  Result<int32_t> partition_count(std::string_view topic) override {
    std::lock_guard lock(mutex_);
    auto found = topics_.find(std::string(topic));
    if (found == topics_.end()) return Error{ErrorCode::kNotFound, "no such topic"};
    return found->second;
  }
  Result<std::vector<bus::Position>> offsets(const std::vector<TopicPartition>&, bus::OffsetQuery) override {
    return unused();
  }
  Result<std::vector<bus::Position>> committed(std::string_view, const std::vector<TopicPartition>&) override {
    return unused();
  }
  Status commit(std::string_view, const std::vector<bus::Position>&) override { return unused(); }

 private:
  struct Request {
    TopicPartition tp;
    record::Batch batch;
    bus::ProduceCallback done;
  };
  class FakeProducer final : public bus::Producer {
   public:
    explicit FakeProducer(FakeBus& bus) : bus_(bus) {}
    void produce(const TopicPartition& tp, record::Batch batch, bus::ProduceCallback done) override {
      bus_.take({tp, std::move(batch), std::move(done)});
    }

   private:
    FakeBus& bus_;
  };

  static Error unused() { return {ErrorCode::kUnsupported, "not part of this test"}; }

  void take(Request request) {
    std::unique_lock lock(mutex_);
    if (holding_) {
      waiting_.push_back(std::move(request));
      return changed_.notify_all();
    }
    lock.unlock();
    answer(request);
  }

  void answer(Request& request) {
    std::unique_lock lock(mutex_);
    if (failures_ > 0) {
      --failures_;
      lock.unlock();
      return request.done(Error{failure_, "as the test asked"});
    }
    if (request.batch.size() > batch_bytes_max_) {
      lock.unlock();
      return request.done(Error{ErrorCode::kTooLarge, "over the topic's limit"});
    }
    Offset base(ends_[request.tp]);
    record::RecordReader reader(request.batch, 64 << 20);
    while (const record::RecordView* view = reader.next()) {
      Stored record{request.tp, std::string(view->key.value_or("")), std::string(view->value.value_or("")), {}};
      for (const auto& header : view->headers) record.headers[std::string(header.key)] = header.value.value_or("");
      stored_.push_back(std::move(record));
    }
    ends_[request.tp] += request.batch.header().record_count;
    changed_.notify_all();
    lock.unlock();
    request.done(bus::Appended{base});
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int32_t> topics_;
  std::map<TopicPartition, int64_t> ends_;
  std::vector<Stored> stored_;
  std::deque<Request> waiting_;
  bool holding_ = false;
  size_t batch_bytes_max_ = ~size_t{0};
  int failures_ = 0;
  ErrorCode failure_{};
};

}  // namespace headrace::ingest
