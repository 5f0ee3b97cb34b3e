// The contract of an ingest: it answers its device only when the bus has answered.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "bus/bus.h"
#include "flow/dead_letter.h"
#include "flow/metrics.h"
#include "flow/spec.h"

namespace headrace::net {
class EventLoops;
class HttpServer;
}  // namespace headrace::net

namespace headrace::flow {

struct IngestContext {
  std::string name;
  bus::Bus& bus;
  net::EventLoops& loops;
  net::HttpServer& http;    ///< The one HTTP server of the process; routes are added before it starts.
  std::string listen_mqtt;  ///< "host:port" of `listen.mqtt`.
  MetricsRegistry& metrics;
};

/// A running ingest: started by make(), stopped by the destructor, which answers or closes every device first.
class Ingest {
 public:
  virtual ~Ingest() = default;
  /// The port that it listens on, 0 where it listens on none.
  virtual uint16_t port() const { return 0; }
};

/// What an ingest's file exports: ingest/x_ingest.cc defines `const flow::IngestComponent& x_ingest()`.
struct IngestComponent {
  ComponentSpec spec;
  Result<std::unique_ptr<Ingest>> (*make)(const Options& options, const IngestContext& context);
};

}  // namespace headrace::flow
