// What all loops of an MQTT ingest share: settings and counters.
#pragma once

#include <chrono>
#include <string>

#include "flow/metrics.h"
#include "ingest/mqtt/routes.h"

namespace headrace::ingest::mqtt {

enum class Unmatched { kReject, kDeadLetter, kTopic };

struct Settings {
  std::string name;  ///< The component's, for dead letters and messages.
  Routes routes;
  Unmatched unmatched = Unmatched::kReject;
  std::string unmatched_topic;    ///< For kTopic.
  std::string dead_letter_topic;  ///< For kDeadLetter.
  bool topic_header = true;
  size_t packet_bytes_max = 1 << 20;
  size_t batch_bytes_max = 512 << 10;
  size_t loop_bytes_max = 32 << 20;       ///< Unanswered bytes of a loop from which on it reads no more.
  size_t connection_bytes_max = 4 << 20;  ///< The same for one connection.
  size_t connection_messages_max = 10'000;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds send_timeout{30'000};
};

struct Metrics {
  Metrics(flow::MetricsRegistry& registry, const std::string& component);
  flow::Metric& connections;
  flow::Metric& messages;
  flow::Metric& bytes;
  flow::Metric& acknowledged;
  flow::Metric& rejected;
  flow::Metric& retries;
  flow::Metric& protocol_errors;
};

}  // namespace headrace::ingest::mqtt
