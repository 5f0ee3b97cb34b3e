// A load generator of MQTT publishers that costs less than the server: packets are built once and patched.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/connect.h"
#include "net/event_loops.h"

namespace headrace::app {

struct MqttLoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  size_t clients = 50;
  size_t in_flight = 20;       ///< PUBLISHes of a client without their PUBACK.
  size_t payload_bytes = 200;  ///< A JSON object of this size.
  std::string topic = "bench/{client}/data";
  std::chrono::milliseconds duration{10'000};
};

struct MqttLoadResult {
  int64_t acknowledged = 0;
  double seconds = 0;
  int64_t latency_p50_us = 0, latency_p99_us = 0, latency_max_us = 0;  ///< From PUBLISH to PUBACK, sampled.
  std::string trouble;  ///< Why connections were refused or lost, if any were.
};

/// Connects every client, then publishes with QoS 1 for `duration`, always `in_flight` a client. Blocks.
Result<MqttLoadResult> run_mqtt_load(net::EventLoops& loops, const MqttLoadOptions& options);

}  // namespace headrace::app
