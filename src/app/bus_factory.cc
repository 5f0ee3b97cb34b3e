#include "app/bus_factory.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/logging.h"
#include "broker/embedded_bus.h"
#include "bus_kafka/kafka_bus.h"
#include "os/process_limits.h"

namespace headrace::app {
namespace {

bool may_pass(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimedOut;
}

/// Connections need descriptors as well.
constexpr size_t kOpenFilesShare = 4;
/// Descriptors that are neither a partition's nor an accepted connection's: indexes and folders that are open for a
/// moment, segments that are being sent, sinks' connections, the state of pipelines.
constexpr size_t kOtherFiles = 100;

broker::BrokerOptions broker_options(const Config& config, size_t descriptors) {
  broker::BrokerOptions options = config.broker.options;
  options.data_directory = config.data;
  auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.recovery_threads = cores;
  options.flush_threads = config.broker.flush_threads.value_or(std::max(options.flush_threads, 2 * cores));
  options.open_files_max =
      config.broker.open_files_max.value_or(std::min(options.open_files_max, descriptors / kOpenFilesShare));
  return options;
}

Status create_or_compare(bus::Admin& admin, const bus::TopicSpec& topic) {
  Status created = admin.create_topic(topic);
  if (created.ok() || created.error().code != ErrorCode::kAlreadyExists) return created;
  auto partitions = admin.partition_count(topic.name);
  if (partitions.ok() && *partitions != topic.partitions) {
    log_warn("topic {} has {} partitions and the file says {}; it stays as it is", topic.name, *partitions,
             topic.partitions);
  }
  auto found = admin.topic(topic.name);
  if (!found.ok()) return {};
  for (const auto& [option, value] : topic.configs) {
    auto has = found->configs.find(option);
    if (has == found->configs.end() || has->second == value) continue;
    log_warn("topic {} has {}={} and the file says {}; it stays as it is (kafka-configs.sh --alter changes it)",
             topic.name, option, has->second, value);
  }
  return {};
}

}  // namespace

Result<OpenBus> open_bus(const Config& config, flow::MetricsRegistry& metrics) {
  OpenBus open;
  size_t descriptors = os::raise_open_files_limit();
  open.connections_max = descriptors - std::min(descriptors / 2, kOtherFiles);
  if (config.bus.embedded()) {
    broker::BrokerOptions options = broker_options(config, descriptors);
    open.connections_max -= std::min(open.connections_max / 2, options.open_files_max);
    ASSIGN_OR_RETURN(open.broker, broker::Broker::open(std::move(options), metrics));
    open.bus = broker::make_embedded_bus(*open.broker);
    open.label = "embedded";
  } else {
    ASSIGN_OR_RETURN(open.bus, bus_kafka::connect(config.bus.kafka));
    open.label = "kafka " + config.bus.kafka.at("bootstrap.servers");
  }
  return open;
}

Status create_topics(bus::Bus& bus, const std::vector<bus::TopicSpec>& topics, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{500};
  auto deadline = std::chrono::steady_clock::now() + patience;
  bool told = false;
  for (size_t next = 0; next < topics.size();) {
    Status created = create_or_compare(bus.admin(), topics[next]);
    if (created.ok()) {
      ++next;
    } else if (!may_pass(created.error()) || std::chrono::steady_clock::now() > deadline) {
      return created.error().in("creating topic " + topics[next].name);
    } else {
      if (!std::exchange(told, true))
        log_warn("creating topic {}: {}; trying again", topics[next].name, created.error().message);
      std::this_thread::sleep_for(kPause);
    }
  }
  return {};
}

}  // namespace headrace::app
