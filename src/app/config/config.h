// What one configuration file says, checked and typed.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/address.h"
#include "app/config/problems.h"
#include "broker/broker.h"
#include "bus/bus.h"
#include "columns/decoder.h"
#include "columns/schema.h"
#include "console/dashboard.h"
#include "flow/ingest.h"
#include "flow/sink.h"
#include "flow/spec.h"
#include "sql/plan.h"

namespace headrace::app {

struct BusConfig {
  /// Empty: the embedded log. Else librdkafka's properties, bootstrap.servers among them.
  std::map<std::string, std::string> kafka;
  bool embedded() const { return kafka.empty(); }
};

struct ListenConfig {
  std::optional<Address> kafka;  ///< Empty: off.
  Address mqtt;
  Address http;
  std::optional<Address> advertised_kafka;
  size_t buffer_bytes_max = 0;  ///< Of all connections together.
};

/// The embedded broker's; a cluster has its own.
struct BrokerConfig {
  broker::BrokerOptions options;  ///< The folder and what depends on the machine aside.
  std::optional<int> flush_threads;
  std::optional<size_t> open_files_max;
  // Its server's for Kafka clients.
  std::chrono::milliseconds connection_idle_max{};
  size_t fetch_sessions_max = 0;
  size_t request_bytes_max = 0;
  int64_t fetch_bytes_max = 0;
};

struct IngestConfig {
  const flow::IngestComponent* component;
  flow::Options options;
};

struct StreamConfig {
  std::string name;
  std::string topic;
  columns::Format format;
  columns::Schema schema;
  std::string event_time;
  std::chrono::milliseconds watermark;
  std::chrono::milliseconds idle_timeout;
  std::vector<std::string> csv_fields;
  char csv_delimiter = ',';
};

struct PipelineConfig {
  std::string name;
  sql::Plan plan;
  const StreamConfig* stream = nullptr;  ///< Of Config::streams.
  flow::Options options;                 ///< kPipelineSpec's.
};

struct SinkConfig {
  std::string name;
  bool enabled = true;
  const flow::SinkComponent* component;
  flow::Options options;  ///< sink_options(): the section's, the runner's and the component's own.
};

struct Config {
  BusConfig bus;
  std::string data;
  ListenConfig listen;
  BrokerConfig broker;
  std::vector<bus::TopicSpec> topics;
  std::vector<IngestConfig> ingest;
  std::vector<StreamConfig> streams;
  std::vector<PipelineConfig> pipelines;
  std::vector<SinkConfig> sinks;
  std::vector<console::Dashboard> dashboards;

  Config() = default;
  Config(const Config&) = delete;  ///< Pipelines point into streams.
  Config(Config&&) = default;
  Config& operator=(Config&&) = default;
};

/// Reads the configuration in `text`, with `settings` (`--set`) applied. Every mistake goes to `problems`; the result
/// is to be used only when there are none.
Config load_config(const std::string& text, const std::vector<std::string>& settings, Problems& problems);

/// The JSON Schema of the file, from the specs of all sections and components.
std::string config_schema();
/// The reference page of the file, in Markdown.
std::string config_reference();

}  // namespace headrace::app
