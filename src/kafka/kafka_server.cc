#include "kafka/kafka_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kafka/api.h"
#include "kafka/server_context.h"
#include "kafka/session.h"

namespace headrace::kafka {
namespace {

/// Keys in use are below this.
constexpr size_t kApiKeysMax = 128;
/// Room for a whole request and what was read together with it.
constexpr size_t kReceiveSlackBytes = 1 << 20;

class KafkaServerImpl final : public KafkaServer {
 public:
  KafkaServerImpl(std::shared_ptr<ServerContext> context, std::unique_ptr<net::Listener> listener)
      : context_(std::move(context)), listener_(std::move(listener)) {}
  ~KafkaServerImpl() override {
    listener_.reset();
    context_->blocking.stop();
  }
  uint16_t port() const override { return listener_->port(); }
  Function<std::string()> client_metrics() override {
    return [context = context_] { return context->telemetry.exposition(); };
  }

 private:
  std::shared_ptr<ServerContext> context_;
  std::unique_ptr<net::Listener> listener_;
};

std::array<const Api*, kApiKeysMax> index_apis() {
  std::array<const Api*, kApiKeysMax> index{};
  for (const Api* api : api_table()) {
    CHECK(api->key >= 0 && static_cast<size_t>(api->key) < kApiKeysMax);
    index[static_cast<size_t>(api->key)] = api;
  }
  return index;
}

}  // namespace

const Api* find_api(int16_t key) {
  static const auto index = index_apis();
  return key >= 0 && static_cast<size_t>(key) < kApiKeysMax ? index[static_cast<size_t>(key)] : nullptr;
}

ServerContext::ServerContext(broker::Broker& served, KafkaServerOptions server_options)
    : broker(served),
      options(std::move(server_options)),
      fetch_sessions({.sessions_max = options.fetch_sessions_max}, served.clock(), options.metrics),
      rates(served.settings(), served.clock(), options.metrics),
      telemetry(served.settings(), served.clock(), options.metrics),
      api_metrics_(kApiKeysMax) {
  flow::MetricsRegistry* registry = options.metrics;
  if (!registry) return;
  connections = &registry->gauge("headrace_kafka_connections", {}, "Open connections of Kafka clients.");
  refused_requests = &registry->counter("headrace_kafka_refused_requests_total", {},
                                        "Requests that were no valid Kafka requests; each closed its connection.");
  for (const Api* api : api_table()) {
    flow::Labels labels{{"api", std::string(api->name)}};
    api_metrics_[static_cast<size_t>(api->key)] = {
        &registry->counter("headrace_kafka_requests_total", labels, "Requests of Kafka clients."),
        &registry->counter("headrace_kafka_request_bytes_total", labels, "Bytes of requests of Kafka clients."),
        &registry->counter("headrace_kafka_response_bytes_total", labels, "Bytes of responses to Kafka clients.")};
  }
}

const ApiMetrics& ServerContext::metrics_of(const Api& api) const { return api_metrics_[static_cast<size_t>(api.key)]; }

Result<std::unique_ptr<KafkaServer>> KafkaServer::start(broker::Broker& broker, net::EventLoops& loops,
                                                        KafkaServerOptions options) {
  net::ListenOptions listen;
  listen.host = options.host;
  listen.port = options.port;
  listen.receive_bytes_max = options.request_bytes_max + kReceiveSlackBytes;
  listen.connections_max = options.connections_max;
  listen.name = "kafka";
  auto context = std::make_shared<ServerContext>(broker, std::move(options));
  ASSIGN_OR_RETURN(auto listener, loops.listen(listen, [context](net::Connection& connection) {
    return std::make_unique<KafkaSession>(context, connection);
  }));
  return std::unique_ptr<KafkaServer>(std::make_unique<KafkaServerImpl>(std::move(context), std::move(listener)));
}

}  // namespace headrace::kafka
