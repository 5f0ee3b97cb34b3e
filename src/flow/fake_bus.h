// A bus in memory for tests of components: topics, one consumer's reads, produces and committed positions, each of
// which can be made to fail.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bus/bus.h"
#include "record/batch_builder.h"

namespace headrace::flow {

class FakeBus final : public bus::Bus, public bus::Admin {
 public:
  /// Asked before each call by its name ("produce", "commit", "poll", "topic", "committed"); an error fails the call.
  using Fault = std::function<Status(std::string_view call)>;

  struct Log {
    std::vector<record::Batch> batches;
    Offset end{0};
    Offset start{0};
    uint64_t id = 0;  ///< Another topic of the same name has another.
  };

  void set_fault(Fault fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
    changed_.notify_all();
  }

  /// Appends a batch that was built from offset 0 on.
  Offset append(const TopicPartition& tp, const record::Batch& batch) {
    std::lock_guard lock(mutex_);
    return append_locked(logs_.at(tp), batch);
  }
  Offset append(const TopicPartition& tp, const std::vector<std::string>& values) {
    record::BatchBuilder builder;
    for (const std::string& value : values) builder.add(1'000, "k", value);
    return append(tp, builder.finish());
  }
  /// Moves the end on without a record, as a control batch does.
  void append_marker(const TopicPartition& tp) {
    std::lock_guard lock(mutex_);
    logs_.at(tp).end = logs_.at(tp).end + 1;
    changed_.notify_all();
  }
  void expire_before(const TopicPartition& tp, Offset start) {
    std::lock_guard lock(mutex_);
    logs_.at(tp).start = start;
  }

  /// Waits until `done(committed position of tp, -1 where there is none)`.
  void await_committed(const std::string& group, const TopicPartition& tp, Offset at_least) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return position(group, tp) >= at_least; });
  }
  Offset committed_position(const std::string& group, const TopicPartition& tp) {
    std::lock_guard lock(mutex_);
    return position(group, tp);
  }
  /// Every position committed for a partition, in order.
  std::vector<Offset> commits(const TopicPartition& tp) {
    std::lock_guard lock(mutex_);
    return commits_[tp];
  }
  std::vector<record::Batch> batches(const TopicPartition& tp) {
    std::lock_guard lock(mutex_);
    auto it = logs_.find(tp);
    return it == logs_.end() ? std::vector<record::Batch>() : it->second.batches;
  }

  Result<std::unique_ptr<bus::Producer>> producer(bus::ProducerOptions) override;
  Result<std::unique_ptr<bus::TransactionalProducer>> transactional_producer(std::string) override {
    return Error{ErrorCode::kUnsupported, "the fake bus has no transactions"};
  }
  Result<std::unique_ptr<bus::Consumer>> consumer(bus::ConsumerOptions) override;
  bus::Admin& admin() override { return *this; }

  Status create_topic(const bus::TopicSpec& spec) override {
    std::lock_guard lock(mutex_);
    if (partitions_.contains(spec.name)) return Error{ErrorCode::kAlreadyExists, spec.name};
    partitions_[spec.name] = spec.partitions;
    for (int32_t i = 0; i < spec.partitions; ++i) logs_[{spec.name, PartitionId(i)}].id = ++last_id_;
    return {};
  }
  Status delete_topic(std::string_view name) override {
    std::lock_guard lock(mutex_);
    auto is_its = [&](const TopicPartition& tp) { return tp.topic == name; };
    partitions_.erase(std::string(name));
    std::erase_if(logs_, [&](const auto& each) { return is_its(each.first); });
    std::erase_if(committed_, [&](const auto& each) { return is_its(each.first.second); });
    changed_.notify_all();
    return {};
  }
  Status create_partitions(std::string_view topic, int32_t total) override {
    std::lock_guard lock(mutex_);
    partitions_[std::string(topic)] = total;
    for (int32_t i = 0; i < total; ++i) logs_[{std::string(topic), PartitionId(i)}];
    return {};
  }
  Result<std::vector<bus::TopicInfo>> topics() override { return Error{ErrorCode::kUnsupported, "topics"}; }
  Result<bus::TopicInfo> topic(std::string_view name) override {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(fault("topic"));
    auto it = partitions_.find(name);
    if (it == partitions_.end()) return Error{ErrorCode::kNotFound, std::string(name)};
    bus::TopicInfo info{.name = std::string(name)};
    for (int32_t i = 0; i < it->second; ++i) {
      const Log& log = logs_.at({info.name, PartitionId(i)});
      info.partitions.push_back({PartitionId(i), log.start, log.end, 0});
    }
    return info;
  }
  Result<int32_t> partition_count(std::string_view name) override {
    ASSIGN_OR_RETURN(auto info, topic(name));
    return static_cast<int32_t>(info.partitions.size());
  }
  Result<std::vector<bus::Position>> offsets(const std::vector<TopicPartition>&, bus::OffsetQuery) override {
    return Error{ErrorCode::kUnsupported, "offsets"};
  }
  Result<std::vector<bus::Position>> committed(std::string_view group,
                                               const std::vector<TopicPartition>& partitions) override {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(fault("committed"));
    std::vector<bus::Position> found;
    for (const TopicPartition& tp : partitions) {
      if (Offset at = position(std::string(group), tp); at != kNoOffset) found.push_back({tp, at});
    }
    return found;
  }
  Status commit(std::string_view group, const std::vector<bus::Position>& positions) override {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(fault("commit"));
    for (const bus::Position& p : positions) {
      if (!logs_.contains(p.tp)) return Error{ErrorCode::kNotFound, to_string(p.tp)};
    }
    for (const bus::Position& p : positions) {
      committed_[{std::string(group), p.tp}] = p.next;
      commits_[p.tp].push_back(p.next);
    }
    changed_.notify_all();
    return {};
  }

 private:
  friend class FakeProducer;
  friend class FakeConsumer;

  Status fault(std::string_view call) { return fault_ ? fault_(call) : Status(); }
  Offset position(const std::string& group, const TopicPartition& tp) {
    auto it = committed_.find({group, tp});
    return it == committed_.end() ? kNoOffset : it->second;
  }
  Offset append_locked(Log& log, const record::Batch& batch) {
    Bytes bytes(batch.bytes().data(), batch.bytes().data() + batch.size());
    record::stamp(bytes, log.end, LeaderEpoch(0));
    log.batches.push_back(*record::Batch::parse(SharedBytes(std::move(bytes))));
    Offset base = log.end;
    log.end = log.batches.back().header().next_offset();
    changed_.notify_all();
    return base;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Fault fault_;
  std::map<std::string, int32_t, std::less<>> partitions_;
  std::map<TopicPartition, Log> logs_;
  uint64_t last_id_ = 0;
  std::map<std::pair<std::string, TopicPartition>, Offset> committed_;
  std::map<TopicPartition, std::vector<Offset>> commits_;
};

class FakeProducer final : public bus::Producer {
 public:
  explicit FakeProducer(FakeBus& bus) : bus_(bus) {}
  void produce(const TopicPartition& tp, record::Batch batch, bus::ProduceCallback done) override {
    Result<bus::Appended> answer = Error{ErrorCode::kNotFound, to_string(tp)};
    {
      std::lock_guard lock(bus_.mutex_);
      auto fault = bus_.fault("produce");
      auto it = bus_.logs_.find(tp);
      if (!fault.ok()) {
        answer = fault.error();
      } else if (it != bus_.logs_.end()) {
        answer = bus::Appended{bus_.append_locked(it->second, batch)};
      }
    }
    done(std::move(answer));
  }

 private:
  FakeBus& bus_;
};

class FakeConsumer final : public bus::Consumer {
 public:
  explicit FakeConsumer(FakeBus& bus) : bus_(bus) {}
  Status assign(std::vector<bus::Position> positions) override {
    std::lock_guard lock(bus_.mutex_);
    positions_ = std::move(positions);
    ids_.clear();
    for (const bus::Position& p : positions_) ids_[p.tp] = bus_.logs_.at(p.tp).id;
    return {};
  }
  Result<bus::PollResult> poll(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(bus_.mutex_);
    bus_.changed_.wait_for(lock, timeout, [&] { return woken_ || ready(); });
    woken_ = false;
    RETURN_IF_ERROR(bus_.fault("poll"));
    if (!deleted_locked().empty()) return Error{ErrorCode::kNotFound, "a topic was deleted"};
    bus::PollResult result;
    for (bus::Position& p : positions_) read(p, result);
    return result;
  }
  void wake() override {
    std::lock_guard lock(bus_.mutex_);
    woken_ = true;
    bus_.changed_.notify_all();
  }
  std::vector<TopicPartition> deleted() const override {
    std::lock_guard lock(bus_.mutex_);
    return deleted_locked();
  }

 private:
  std::vector<TopicPartition> deleted_locked() const {
    std::vector<TopicPartition> gone;
    for (const auto& [tp, id] : ids_) {
      auto log = bus_.logs_.find(tp);
      if (log == bus_.logs_.end() || log->second.id != id) gone.push_back(tp);
    }
    return gone;
  }
  bool ready() const {
    return !deleted_locked().empty() || std::any_of(positions_.begin(), positions_.end(),
                                                    [&](const auto& p) { return bus_.logs_.at(p.tp).end > p.next; });
  }
  void read(bus::Position& p, bus::PollResult& result) {
    const FakeBus::Log& log = bus_.logs_.at(p.tp);
    if (p.next < log.start) {
      result.skipped.emplace_back(p.tp, log.start - p.next);
      p.next = log.start;
    }
    if (log.end <= p.next) return;
    for (const record::Batch& batch : log.batches) {
      if (batch.header().next_offset() > p.next) result.batches.push_back({p.tp, batch});
    }
    p.next = log.end;
    result.positions.push_back(p);
  }

  FakeBus& bus_;
  std::vector<bus::Position> positions_;
  std::map<TopicPartition, uint64_t> ids_;
  bool woken_ = false;
};

inline Result<std::unique_ptr<bus::Producer>> FakeBus::producer(bus::ProducerOptions) {
  return std::unique_ptr<bus::Producer>(std::make_unique<FakeProducer>(*this));
}
inline Result<std::unique_ptr<bus::Consumer>> FakeBus::consumer(bus::ConsumerOptions) {
  return std::unique_ptr<bus::Consumer>(std::make_unique<FakeConsumer>(*this));
}

}  // namespace headrace::flow
