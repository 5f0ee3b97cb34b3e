// Serves the Kafka protocol to outside clients, on top of the embedded broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/function.h"
#include "base/result.h"
#include "flow/metrics.h"

namespace headrace::broker {
class Broker;
}
namespace headrace::net {
class EventLoops;
}

namespace headrace::kafka {

struct KafkaServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 9092;  ///< 0: a free one.
  /// What clients are told to connect to. Unset: the address that each client dialled, which is right whenever it can
  /// reach us at all by one address.
  std::optional<std::string> advertised_host;
  std::optional<uint16_t> advertised_port;
  size_t request_bytes_max = 100 << 20;  ///< Kafka's socket.request.max.bytes.
  size_t connections_max = 100'000;
  /// A connection that sends nothing for this long (at most twice as long) is closed, unless an answer is due.
  std::chrono::milliseconds connection_idle_max = std::chrono::minutes(10);
  int64_t fetch_bytes_max = 64 << 20;  ///< Fetched records, over all connections, that clients have not received yet.
  size_t fetch_sessions_max = 1000;    ///< Kafka's max.incremental.fetch.session.cache.slots.
  flow::MetricsRegistry* metrics = nullptr;  ///< Outlives the server; null: nothing is counted.
};

/// A listener whose connections speak Kafka. The broker outlives the server, the event loops outlive both.
class KafkaServer {
 public:
  /// kAlreadyExists: the port is in use.
  static Result<std::unique_ptr<KafkaServer>> start(broker::Broker& broker, net::EventLoops& loops,
                                                    KafkaServerOptions options);
  /// Stops listening and closes the connections; requests that were not answered stay unanswered.
  virtual ~KafkaServer() = default;
  virtual uint16_t port() const = 0;
  /// Gives the metrics that clients have pushed (KIP-714), in the Prometheus text format. May be called from any
  /// thread, and outlive the server.
  virtual Function<std::string()> client_metrics() = 0;
};

/// docs/reference/kafka-apis.md: every API served, with its versions, from the dispatch table.
std::string reference_page();

}  // namespace headrace::kafka
