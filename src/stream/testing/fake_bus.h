// A bus in memory for tests: transactions, fencing, committed positions, and faults at chosen calls.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "bus/bus.h"
#include "os/clock.h"
#include "record/batch.h"
#include "record/batch_builder.h"

namespace headrace::stream {

/// What happens at the call that a fault was planned for.
enum class Fault {
  kRefused,      ///< kUnavailable, nothing was done.
  kAnswerLost,   ///< Done, but the caller gets kTimedOut.
  kCrashBefore,  ///< The process dies (Crash is thrown) before the call.
  kCrashAfter,   ///< The same after it was done.
};
struct Crash {};

class FakeBus final : public bus::Bus, public bus::Admin {
 public:
  /// Counts down with every call that a pipeline makes; at 0 the fault strikes.
  void plan_fault(int64_t calls, Fault fault) {
    calls_to_fault_ = calls;
    fault_ = fault;
  }
  bool fault_is_due() const { return calls_to_fault_ >= 0; }
  int64_t calls() const { return calls_; }
  /// Each poll gives at most so many batches.
  void set_batches_per_poll(size_t count) { batches_per_poll_ = count; }

  /// From now on records are refused whose times are out of bounds.
  void set_clock(os::Clock& clock) { clock_ = &clock; }
  /// The next producer of that id is fenced as soon as it has begun.
  void fence_next(const std::string& id) { fence_ = id; }

  /// Appends records to a partition, as one batch.
  struct Record {
    std::optional<std::string> key, value;
    int64_t timestamp_ms = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    PartitionId partition;
    Offset offset;
  };
  void append(const std::string& topic, int32_t partition, const std::vector<std::string>& values,
              int64_t timestamp_ms = 1000) {
    record::BatchBuilder builder;
    for (const auto& value : values) builder.add(timestamp_ms, std::nullopt, value);
    append_batch({topic, PartitionId(partition)}, builder.finish());
  }
  void append_record(const std::string& topic, int32_t partition, const Record& record) {
    std::vector<record::Header> headers;
    for (const auto& [key, value] : record.headers) headers.push_back({key, value});
    record::BatchBuilder builder;
    builder.add(record.timestamp_ms, record.key, record.value, headers);
    append_batch({topic, PartitionId(partition)}, builder.finish());
  }
  /// Every committed record of a topic, by partition and offset.
  std::vector<Record> records(const std::string& topic) {
    std::vector<Record> all;
    for (auto& [tp, partition] : partitions_) {
      if (tp.topic != topic) continue;
      for (const auto& batch : partition.batches) {
        record::RecordReader reader(batch, 1 << 20);
        while (const auto* view = reader.next()) {
          Record record{.timestamp_ms = view->timestamp_ms, .partition = tp.partition, .offset = view->offset};
          if (view->key) record.key = *view->key;
          if (view->value) record.value = *view->value;
          for (const auto& header : view->headers) record.headers.emplace_back(header.key, header.value.value_or(""));
          all.push_back(std::move(record));
        }
      }
    }
    return all;
  }
  std::vector<std::string> values(const std::string& topic) {
    std::vector<std::string> all;
    for (auto& record : records(topic)) all.push_back(record.value.value_or("<null>"));
    return all;
  }
  std::optional<Offset> position(const std::string& group, const TopicPartition& tp) {
    auto at = positions_.find({group, tp});
    return at == positions_.end() ? std::nullopt : std::optional(at->second);
  }

  // bus::Bus
  Result<std::unique_ptr<bus::Producer>> producer(bus::ProducerOptions) override {
    return Error{ErrorCode::kUnsupported, "pipelines have no plain producer"};
  }
  Result<std::unique_ptr<bus::TransactionalProducer>> transactional_producer(std::string id) override;
  Result<std::unique_ptr<bus::Consumer>> consumer(bus::ConsumerOptions) override;
  bus::Admin& admin() override { return *this; }

  // bus::Admin
  Status create_topic(const bus::TopicSpec& spec) override {
    return faulty([&]() -> Status {
      if (topics_.contains(spec.name)) return Error{ErrorCode::kAlreadyExists, spec.name};
      topics_[spec.name] = spec;
      for (int32_t p = 0; p < spec.partitions; ++p) partitions_[{spec.name, PartitionId(p)}];
      return {};
    });
  }
  Status delete_topic(std::string_view name) override {
    topics_.erase(std::string(name));
    std::erase_if(partitions_, [&](const auto& entry) { return entry.first.topic == name; });
    return {};
  }
  Status create_partitions(std::string_view topic, int32_t total) override {
    auto& spec = topics_.at(std::string(topic));
    for (int32_t p = spec.partitions; p < total; ++p) partitions_[{spec.name, PartitionId(p)}];
    spec.partitions = total;
    return {};
  }
  Result<std::vector<bus::TopicInfo>> topics() override { return std::vector<bus::TopicInfo>(); }
  Result<bus::TopicInfo> topic(std::string_view name) override {
    return faulty([&]() -> Result<bus::TopicInfo> {
      auto found = topics_.find(std::string(name));
      if (found == topics_.end()) return Error{ErrorCode::kNotFound, "no topic " + std::string(name)};
      return bus::TopicInfo{.name = found->first, .configs = found->second.configs};
    });
  }
  Result<int32_t> partition_count(std::string_view name) override {
    return faulty([&]() -> Result<int32_t> {
      auto found = topics_.find(std::string(name));
      if (found == topics_.end()) return Error{ErrorCode::kNotFound, "no topic " + std::string(name)};
      return found->second.partitions;
    });
  }
  Result<std::vector<bus::Position>> offsets(const std::vector<TopicPartition>& tps, bus::OffsetQuery query) override {
    return faulty([&]() -> Result<std::vector<bus::Position>> {
      std::vector<bus::Position> out;
      for (const auto& tp : tps) {
        bool latest = query.kind == bus::OffsetQuery::Kind::kLatest;
        out.push_back({tp, latest ? partitions_.at(tp).end : Offset(0)});
      }
      return out;
    });
  }
  Result<std::vector<bus::Position>> committed(std::string_view group,
                                               const std::vector<TopicPartition>& tps) override {
    return faulty([&]() -> Result<std::vector<bus::Position>> {
      std::vector<bus::Position> out;
      for (const auto& tp : tps) {
        if (auto at = position(std::string(group), tp)) out.push_back({tp, *at});
      }
      return out;
    });
  }
  Status commit(std::string_view, const std::vector<bus::Position>&) override { return {}; }

  /// Runs one call with whatever was planned for it.
  template <typename F>
  auto faulty(F call) -> decltype(call()) {
    ++calls_;
    if (calls_to_fault_ < 0 || calls_to_fault_-- > 0) return call();
    switch (fault_) {
      case Fault::kRefused: return Error{ErrorCode::kUnavailable, "planned fault"};
      case Fault::kCrashBefore: throw Crash();
      case Fault::kAnswerLost: {
        auto done = call();
        if (!done.ok()) return done;
        return Error{ErrorCode::kTimedOut, "planned fault"};
      }
      case Fault::kCrashAfter: (void)call(); throw Crash();
    }
    return call();
  }

 private:
  friend class FakeTransactionalProducer;
  friend class FakeConsumer;
  struct Partition {
    std::vector<record::Batch> batches;
    Offset end{0};
  };
  void append_batch(const TopicPartition& tp, const record::Batch& batch) {
    Partition& partition = partitions_.at(tp);
    Bytes bytes(batch.bytes().view().begin(), batch.bytes().view().end());
    record::stamp(bytes, partition.end, LeaderEpoch(0));
    auto parsed = record::Batch::parse(SharedBytes(std::move(bytes)));
    CHECK(parsed.ok());
    partition.batches.push_back(*parsed);
    partition.end = parsed->header().next_offset();
  }

  std::map<std::string, bus::TopicSpec> topics_;
  std::map<TopicPartition, Partition> partitions_;
  std::map<std::pair<std::string, TopicPartition>, Offset> positions_;
  std::map<std::string, int> epochs_;
  std::string fence_;
  os::Clock* clock_ = nullptr;
  int64_t calls_ = 0;
  int64_t calls_to_fault_ = -1;
  Fault fault_ = Fault::kRefused;
  size_t batches_per_poll_ = 1000;
};

class FakeTransactionalProducer final : public bus::TransactionalProducer {
 public:
  FakeTransactionalProducer(FakeBus& bus, std::string id) : bus_(bus), id_(std::move(id)), epoch_(++bus.epochs_[id_]) {}

  Status begin() override {
    return guarded([&]() -> Status {
      CHECK(!open_);
      open_ = true;
      if (bus_.fence_ == id_) ++bus_.epochs_[id_];
      return {};
    });
  }
  Status produce(const TopicPartition& tp, record::Batch batch) override {
    return guarded([&]() -> Status {
      CHECK(open_);
      RETURN_IF_ERROR(check(tp, batch));
      batches_.emplace_back(tp, std::move(batch));
      return {};
    });
  }
  Status commit_positions(std::string_view group, const std::vector<bus::Position>& positions) override {
    return guarded([&]() -> Status {
      for (const auto& position : positions) positions_[{std::string(group), position.tp}] = position.next;
      return {};
    });
  }
  Status commit() override {
    return guarded([&]() -> Status {
      CHECK(open_);
      std::set<TopicPartition> touched;
      for (auto& [tp, batch] : batches_) {
        bus_.append_batch(tp, batch);
        touched.insert(tp);
      }
      // The marker that ends a transaction takes an offset in each of its partitions.
      for (const auto& tp : touched) bus_.partitions_.at(tp).end = bus_.partitions_.at(tp).end + 1;
      for (const auto& [key, next] : positions_) bus_.positions_[key] = next;
      return reset();
    });
  }
  Status abort() override {
    return guarded([&] { return reset(); });
  }

 private:
  /// As a broker does.
  Status check(const TopicPartition& tp, const record::Batch& batch) const {
    if (batch.size() > 1'048'588) return Error{ErrorCode::kTooLarge, "the batch is over max.message.bytes"};
    record::RecordReader reader(batch, 0);
    const auto& configs = bus_.topics_.at(tp.topic).configs;
    bool compacted = configs.contains("cleanup.policy") && configs.at("cleanup.policy") == "compact";
    while (const auto* record = reader.next()) {
      RETURN_IF_ERROR(check_time(tp, record->timestamp_ms));
      if (compacted && !record->key) return Error{ErrorCode::kInvalidArgument, "a compacted topic needs keys"};
    }
    return reader.status();
  }
  Status check_time(const TopicPartition& tp, int64_t timestamp_ms) const {
    if (!bus_.clock_) return {};
    int64_t ahead_ms = timestamp_ms - bus_.clock_->wall_ms();
    const auto& configs = bus_.topics_.at(tp.topic).configs;
    auto before = configs.find("message.timestamp.before.max.ms");
    bool early = before != configs.end() && -ahead_ms > std::stoll(before->second);
    if (early || ahead_ms > 3'600'000) return Error{ErrorCode::kOutOfRange, "a timestamp is out of bounds"};
    return {};
  }
  Status reset() {
    open_ = false;
    batches_.clear();
    positions_.clear();
    return {};
  }
  template <typename F>
  Status guarded(F call) {
    if (bus_.epochs_[id_] != epoch_) return Error{ErrorCode::kFenced, "a newer producer has " + id_};
    return bus_.faulty(std::move(call));
  }

  FakeBus& bus_;
  std::string id_;
  int epoch_;
  bool open_ = false;
  std::vector<std::pair<TopicPartition, record::Batch>> batches_;
  std::map<std::pair<std::string, TopicPartition>, Offset> positions_;
};

class FakeConsumer final : public bus::Consumer {
 public:
  explicit FakeConsumer(FakeBus& bus) : bus_(bus) {}
  Status assign(std::vector<bus::Position> positions) override {
    return bus_.faulty([&]() -> Status {
      positions_ = std::move(positions);
      return {};
    });
  }
  Result<bus::PollResult> poll(std::chrono::milliseconds) override {
    return bus_.faulty([&]() -> Result<bus::PollResult> {
      bus::PollResult result;
      for (auto& position : positions_) read(position, result);
      return result;
    });
  }
  void wake() override {}

 private:
  void read(bus::Position& position, bus::PollResult& result) {
    const auto& partition = bus_.partitions_.at(position.tp);
    Offset start = position.next;
    bool all = true;
    for (const auto& batch : partition.batches) {
      if (batch.header().last_offset() < position.next) continue;
      if (result.batches.size() >= bus_.batches_per_poll_) {
        all = false;
        break;
      }
      result.batches.push_back({position.tp, batch});
      position.next = batch.header().next_offset();
    }
    if (all) position.next = partition.end;
    if (position.next != start) result.positions.push_back(position);
  }

  FakeBus& bus_;
  std::vector<bus::Position> positions_;
};

inline Result<std::unique_ptr<bus::TransactionalProducer>> FakeBus::transactional_producer(std::string id) {
  using Out = Result<std::unique_ptr<bus::TransactionalProducer>>;
  return faulty([&]() -> Out { return Out(std::make_unique<FakeTransactionalProducer>(*this, id)); });
}
inline Result<std::unique_ptr<bus::Consumer>> FakeBus::consumer(bus::ConsumerOptions) {
  using Out = Result<std::unique_ptr<bus::Consumer>>;
  return faulty([&]() -> Out { return Out(std::make_unique<FakeConsumer>(*this)); });
}

}  // namespace headrace::stream
