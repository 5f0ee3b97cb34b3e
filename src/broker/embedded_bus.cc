#include "broker/embedded_bus.h"

#include <algorithm>
#include <atomic>

#include "broker/embedded_consumer.h"
#include "broker/embedded_positions.h"
#include "broker/embedded_transaction.h"

namespace headrace::broker {
namespace {

class EmbeddedProducer final : public bus::Producer {
 public:
  EmbeddedProducer(Broker& broker, const bus::ProducerOptions& options)
      : broker_(broker), bytes_max_(static_cast<int64_t>(options.in_flight_bytes_max)) {}

  void produce(const TopicPartition& tp, record::Batch batch, bus::ProduceCallback done) override {
    auto partition = broker_.partition(tp);
    if (!partition) return done(no_such_partition(tp));
    auto bytes = static_cast<int64_t>(batch.size());
    if (in_flight_->fetch_add(bytes, std::memory_order_relaxed) + bytes > bytes_max_) {
      in_flight_->fetch_sub(bytes, std::memory_order_relaxed);
      return done(Error{ErrorCode::kUnavailable, "more than in_flight_bytes_max=" + std::to_string(bytes_max_) +
                                                     " bytes wait for the disk; try again"});
    }
    partition->produce(
        std::span(&batch, 1), [bytes, in_flight = in_flight_, done = std::move(done)](Result<Produced> r) mutable {
          in_flight->fetch_sub(bytes, std::memory_order_relaxed);
          done(r.ok() ? Result<bus::Appended>(bus::Appended{r->base_offset}) : Result<bus::Appended>(r.error()));
        });
  }

 private:
  Broker& broker_;
  const int64_t bytes_max_;
  /// Outlives the producer while acknowledgements are due.
  std::shared_ptr<std::atomic<int64_t>> in_flight_ = std::make_shared<std::atomic<int64_t>>(0);
};

bus::TopicInfo info_of(const Topic& topic) {
  bus::TopicInfo info{.name = topic.name, .internal = topic.internal};
  for (const auto& partition : topic.partitions) {
    info.partitions.push_back({partition->tp().partition, partition->log_start(), partition->high_watermark(),
                               partition->log().size_bytes(), partition->log().out_of_service().has_value()});
  }
  for (const ConfigEntry& entry : topic.describe_configs()) info.configs[entry.name] = entry.value;
  return info;
}

class EmbeddedAdmin final : public bus::Admin {
 public:
  explicit EmbeddedAdmin(Broker& broker) : broker_(broker) {}

  Status create_topic(const bus::TopicSpec& spec) override {
    auto created = broker_.create_topic(spec);
    return created.ok() ? Status() : Status(created.error());
  }
  Status delete_topic(std::string_view name) override { return broker_.delete_topic(name); }
  Status create_partitions(std::string_view topic, int32_t total) override {
    return broker_.create_partitions(topic, total);
  }

  Result<std::vector<bus::TopicInfo>> topics() override {
    std::vector<bus::TopicInfo> all;
    for (const auto& topic : broker_.topics()) all.push_back(info_of(*topic));
    return all;
  }
  Result<bus::TopicInfo> topic(std::string_view name) override {
    auto topic = broker_.topic(name);
    if (!topic) return no_such_topic(name);
    return info_of(*topic);
  }
  Result<int32_t> partition_count(std::string_view name) override {
    auto topic = broker_.topic(name);
    if (!topic) return no_such_topic(name);
    return static_cast<int32_t>(topic->partitions.size());
  }
  Result<std::vector<bus::Position>> offsets(const std::vector<TopicPartition>& partitions,
                                             bus::OffsetQuery query) override {
    std::vector<bus::Position> positions;
    for (const TopicPartition& tp : partitions) {
      auto partition = broker_.partition(tp);
      if (!partition) return no_such_partition(tp);
      ASSIGN_OR_RETURN(log::TimestampOffset found, partition->offset_for(query, bus::Isolation::kReadUncommitted));
      positions.push_back({tp, found.offset});
    }
    return positions;
  }

  Result<std::vector<bus::Position>> committed(std::string_view group,
                                               const std::vector<TopicPartition>& partitions) override {
    return committed_positions(broker_, group, partitions);
  }
  Status commit(std::string_view group, const std::vector<bus::Position>& positions) override {
    return commit_positions(broker_, group, positions);
  }

 private:
  Broker& broker_;
};

class EmbeddedBus final : public bus::Bus {
 public:
  explicit EmbeddedBus(Broker& broker) : broker_(broker), admin_(broker) {}

  Result<std::unique_ptr<bus::Producer>> producer(bus::ProducerOptions options) override {
    return std::unique_ptr<bus::Producer>(std::make_unique<EmbeddedProducer>(broker_, options));
  }
  Result<std::unique_ptr<bus::TransactionalProducer>> transactional_producer(std::string transactional_id) override {
    return open_embedded_transactions(broker_, std::move(transactional_id));
  }
  Result<std::unique_ptr<bus::Consumer>> consumer(bus::ConsumerOptions options) override {
    return std::unique_ptr<bus::Consumer>(std::make_unique<EmbeddedConsumer>(broker_, std::move(options)));
  }
  bus::Admin& admin() override { return admin_; }

 private:
  Broker& broker_;
  EmbeddedAdmin admin_;
};

}  // namespace

std::unique_ptr<bus::Bus> make_embedded_bus(Broker& broker) { return std::make_unique<EmbeddedBus>(broker); }

}  // namespace headrace::broker
