// Metrics that clients push (KIP-714): which client is to push what, how often, and what they have pushed.
//
// Subscriptions are resources of the kind client-metrics, each with settings:
//   metrics       prefixes of metrics' names, comma-separated; "*" for all
//   interval.ms   how often to push
//   match         which clients, as selector=expression, comma-separated; empty for all (RE2)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/settings.h"
#include "broker/topic_pattern.h"
#include "flow/metrics.h"
#include "kafka/errors.h"
#include "kafka/otlp.h"
#include "os/clock.h"
#include "wire/kafka/schema.h"

namespace headrace::kafka {

inline constexpr int32_t kTelemetryBytesMax = 1 << 20;                     ///< Kafka's telemetry.max.bytes.
inline constexpr std::chrono::milliseconds kPushIntervalDefault{300'000};  ///< Where no subscription matches.
inline constexpr std::chrono::milliseconds kPushIntervalMin{100}, kPushIntervalMax{3'600'000};
/// Clients that are remembered; the one that was silent for longest makes room.
inline constexpr size_t kTelemetryClientsMax = 5'000;
/// Of each text that a client tells of itself; the rest is not kept.
inline constexpr size_t kTelemetryTextBytesMax = 256;
/// Metrics that are shown, of all clients together; those over it are counted and dropped.
inline constexpr size_t kClientMetricsMax = 50'000;
/// Of a metric's name and labels; one with more is dropped.
inline constexpr size_t kClientMetricNameBytesMax = 2048;

/// Who pushes, as `match` may select it.
struct TelemetryClient {
  wire::kafka::Uuid instance_id;
  std::string client_id, software_name, software_version, source_address;
  uint16_t source_port = 0;
};

/// What a client is to do.
struct TelemetrySubscription {
  int32_t id = 0;
  std::chrono::milliseconds interval = kPushIntervalDefault;
  std::vector<std::string> metrics;  ///< Prefixes; "*" alone for all; none for no push.
};

/// kInvalidArgument with what is wrong in a client-metrics resource's settings.
Status check_client_metrics_configs(const broker::ConfigMap& configs);

/// Thread-safe.
class ClientTelemetry {
 public:
  ClientTelemetry(const broker::Settings& settings, os::Clock& clock, flow::MetricsRegistry* metrics);

  struct Subscribed {
    KafkaError error = KafkaError::kNone;
    wire::kafka::Uuid instance_id;  ///< A new one where the client had none.
    TelemetrySubscription subscription;
  };
  /// kThrottlingQuotaExceeded: the client asks again before its interval is over.
  Subscribed subscribe(TelemetryClient client);

  struct Push {
    int32_t subscription_id = 0;
    bool terminating = false;  ///< The client's last one, which may come early.
    int8_t compression = 0;
    BytesView metrics;
  };
  KafkaError push(const TelemetryClient& client, const Push& push);

  /// What clients have pushed, in the Prometheus text format. Forgets clients that were silent for long.
  std::string exposition();

 private:
  using Instant = std::chrono::nanoseconds;
  struct Matcher {
    std::string selector;
    std::shared_ptr<const broker::TopicPattern> expression;
  };
  struct Rule {
    std::vector<std::string> metrics;
    std::chrono::milliseconds interval;
    std::vector<Matcher> matchers;
  };
  struct Client {
    TelemetryClient who;
    TelemetrySubscription subscription;
    Instant subscribed_at{-1}, pushed_at{-1};
    bool terminating = false;
    bool must_subscribe = false;  ///< Was told UNKNOWN_SUBSCRIPTION_ID: may ask at once.
    std::map<std::pair<std::string, std::string>, double> values;  ///< By Prometheus name and labels.
  };
  using Clients = std::map<wire::kafka::Uuid, Client>;

  void refresh_rules();
  TelemetrySubscription subscription_of(const TelemetryClient& client) const;
  static bool matches(const Rule& rule, const TelemetryClient& client);
  Client& client_of(const TelemetryClient& client);
  void make_room();
  void keep(Client& client, const std::vector<OtlpPoint>& points);
  void drop(Clients::iterator client);

  const broker::Settings& settings_;
  os::Clock& clock_;
  flow::Metric* pushes_ = nullptr;
  flow::Metric* refused_ = nullptr;
  flow::Metric* dropped_ = nullptr;

  std::mutex mutex_;
  uint64_t rules_version_ = UINT64_MAX;
  std::vector<Rule> rules_;
  Clients clients_;
  size_t values_ = 0;  ///< Of all clients.
};

}  // namespace headrace::kafka
