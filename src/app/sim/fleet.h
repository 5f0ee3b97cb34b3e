// A fleet of cabs, each an MQTT client of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "app/device/mqtt_device.h"
#include "app/sim/cab.h"
#include "net/event_loops.h"

namespace headrace::app {

struct FleetOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  uint32_t cabs = 100;
  double rate = 1;  ///< Reports of each cab a second.
  uint64_t seed = 1;
  Faults faults;
};

/// Cabs are spread over the loops; those of a loop are advanced by one timer.
class Fleet {
 public:
  Fleet(const City& city, net::EventLoops& loops, const FleetOptions& options);
  ~Fleet();  ///< Disconnects every cab.

  /// Publishes nothing new from here on; what was published goes on to be sent until it is acknowledged. Late reports
  /// that are still held back are never sent.
  void stop_reporting();

  const DeviceCounters& counters() const { return counters_; }
  /// Reports kept back by the silent-cab fault so far.
  int64_t silenced() const { return silenced_.load(std::memory_order_relaxed); }
  /// Why some cab is not connected, or "".
  std::string trouble();

 private:
  class Depot;
  DeviceCounters counters_;
  std::atomic<int64_t> silenced_{0};
  std::vector<std::unique_ptr<Depot>> depots_;
};

}  // namespace headrace::app
