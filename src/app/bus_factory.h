// Embedded log or cluster: the one constructor that chooses.
#pragma once

#include <memory>
#include <string>

#include "app/config/config.h"
#include "base/result.h"
#include "broker/broker.h"
#include "bus/bus.h"
#include "flow/metrics.h"

namespace headrace::app {

/// The bus of a configuration, with the broker behind it when it is embedded.
struct OpenBus {
  std::unique_ptr<broker::Broker> broker;  ///< Null on a cluster.
  std::unique_ptr<bus::Bus> bus;
  std::string label;           ///< "embedded", or the bootstrap servers.
  size_t connections_max = 0;  ///< What the limit of open files leaves for accepted connections.
};

/// Opens the log in `config.data`, or connects to the cluster that `config.bus` names (without waiting for it). Raises
/// the process's limit of open files as far as it may.
Result<OpenBus> open_bus(const Config& config, flow::MetricsRegistry& metrics);

/// Creates the topics that do not exist; one that does keeps what it has, and is told where it differs. Waits up to
/// `patience` for a cluster that can't be reached.
Status create_topics(bus::Bus& bus, const std::vector<bus::TopicSpec>& topics, std::chrono::milliseconds patience);

}  // namespace headrace::app
