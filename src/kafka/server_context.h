// What all connections and handlers of one Kafka server share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "flow/metrics.h"
#include "kafka/blocking_tasks.h"
#include "kafka/client_rates.h"
#include "kafka/client_telemetry.h"
#include "kafka/fetch_budget.h"
#include "kafka/fetch_session.h"
#include "kafka/kafka_server.h"
#include "kafka/wait_budget.h"
#include "net/event_loops.h"

namespace headrace::kafka {

struct Api;

/// The id of this one broker, which is also the controller, every partition's leader and every group's coordinator.
inline constexpr int32_t kNodeId = 1;
inline bool is_this_broker(std::string_view id) { return id == std::to_string(kNodeId); }
/// What those are told who name another broker.
inline std::string only_broker() { return "the only broker is " + std::to_string(kNodeId); }

/// The user of a connection that was not authenticated, as quotas know it.
inline constexpr char kAnonymousUser[] = "ANONYMOUS";

/// Both ends of a connection.
struct Peer {
  std::string client_host;  ///< "127.0.0.1"
  std::string local_host;   ///< The address that the client dialled.
  uint16_t local_port = 0;
  uint16_t client_port = 0;
  std::string software_name, software_version;  ///< As the client's ApiVersions told them (KIP-511).
  std::string user = kAnonymousUser;
};

/// Counters of one API; null without a registry.
struct ApiMetrics {
  flow::Metric* requests = nullptr;
  flow::Metric* request_bytes = nullptr;
  flow::Metric* response_bytes = nullptr;
};

struct ServerContext {
  ServerContext(broker::Broker& broker, KafkaServerOptions options);

  broker::Broker& broker;
  const KafkaServerOptions options;
  BlockingTasks blocking;
  FetchBudget fetch_budget{options.fetch_bytes_max};
  WaitBudget wait_budget;
  FetchSessionCache fetch_sessions;
  ClientRates rates;
  ClientTelemetry telemetry;
  flow::Metric* connections = nullptr;
  flow::Metric* refused_requests = nullptr;

  const ApiMetrics& metrics_of(const Api& api) const;
  /// Where a client that came by `peer` is told to find this broker.
  std::string advertised_host(const Peer& peer) const { return options.advertised_host.value_or(peer.local_host); }
  uint16_t advertised_port(const Peer& peer) const { return options.advertised_port.value_or(peer.local_port); }

 private:
  std::vector<ApiMetrics> api_metrics_;  ///< By API key.
};

}  // namespace headrace::kafka
