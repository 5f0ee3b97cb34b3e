// The console: the web pages inside the program, the JSON API behind them, and live feeds of dashboards over SSE.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "console/dashboard.h"
#include "flow/metrics.h"
#include "net/http.h"

namespace headrace::console {

struct ConsoleOptions {
  std::string version;                ///< Of the program, as `headrace version` prints it.
  std::string bus_label;              ///< What the bus is, for the page's head: "embedded" or "kafka localhost:9092".
  std::vector<Dashboard> dashboards;  ///< Empty: default_dashboard().
};

/// Serves the pages and
///   GET /healthz                                   "ok"
///   GET /metrics                                   Prometheus text exposition
///   GET /api/v1/status                             version, bus, uptime, components
///   GET /api/v1/topics                             topics with partitions, records, bytes, rate
///   GET /api/v1/topics/{topic}/records             ?partition= &offset= &limit=; without offset the newest
///   GET /api/v1/dashboards                         definitions
///   GET /api/v1/dashboards/{name}/events           SSE: `snapshot` first, then `frame` up to four times a second
///   GET /api/v1/dashboards/{name}/panels/{panel}/devices/{id}   a map's device: its newest record
///   GET /api/v1/basemaps/{name}                    the bundled outline map
/// The constructor adds its routes: make it before HttpServer::start(). A dashboard's topics are read while a page
/// shows it, and not otherwise. Destroy after the server stopped serving or while it runs, but before bus and metrics.
class Console {
 public:
  Console(bus::Bus& bus, flow::MetricsRegistry& metrics, net::HttpServer& http, ConsoleOptions options);
  ~Console();  ///< Ends the streams of all pages and joins the console's threads.
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace headrace::console
