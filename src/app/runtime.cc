#include "app/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include "app/bus_factory.h"
#include "app/version.h"
#include "console/console.h"
#include "flow/sink_runner.h"
#include "kafka/kafka_server.h"
#include "net/event_loops.h"
#include "net/http.h"
#include "os/clock.h"
#include "stream/pipeline.h"

namespace headrace::app {
namespace {

constexpr std::chrono::seconds kClusterPatience{30};

std::string join(const std::string& host, uint16_t port) { return fmt::format("{}:{}", host, port); }

/// The topics to have before anything starts: those of the file, and those that streams and sinks read.
std::vector<bus::TopicSpec> topics_of(const Config& config) {
  std::vector<bus::TopicSpec> topics = config.topics;
  auto want = [&](const std::string& name) {
    bool known = std::any_of(topics.begin(), topics.end(), [&](const auto& topic) { return topic.name == name; });
    if (!known) topics.push_back({.name = name});
  };
  for (const StreamConfig& stream : config.streams) want(stream.topic);
  for (const PipelineConfig& pipeline : config.pipelines) {
    want(pipeline.options.text("to"));
    want(pipeline.options.text("dead_letter_topic"));
  }
  for (const IngestConfig& ingest : config.ingest) {
    if (!ingest.options.has("routes")) continue;
    for (const auto& route : ingest.options.records("routes")) {
      // A template makes its topics as messages come.
      if (auto topic = route.find("topic"); topic != route.end() && topic->second.find('{') == std::string::npos) {
        want(topic->second);
      }
    }
  }
  return topics;
}

stream::PipelineSpec pipeline_spec(const PipelineConfig& config) {
  const StreamConfig& source = *config.stream;
  const flow::Options& options = config.options;
  stream::PipelineSpec spec;
  spec.name = config.name;
  spec.plan = config.plan;
  spec.source_topic = source.topic;
  spec.format = source.format;
  spec.csv_fields = source.csv_fields;
  spec.csv_delimiter = source.csv_delimiter;
  spec.start_at = options.text("from") == "latest" ? stream::StartAt::kLatest : stream::StartAt::kEarliest;
  spec.target_topic = options.text("to");
  if (options.has("key")) spec.target_key = options.text("key");
  spec.dead_letter_topic = options.text("dead_letter_topic");
  spec.watermark = {.delay = source.watermark, .idle_timeout = source.idle_timeout};
  spec.late = options.text("late") == "drop" ? stream::LateRecords::kDrop : stream::LateRecords::kDeadLetter;
  spec.commit_interval = options.duration("commit_interval");
  spec.state_bytes_max = static_cast<size_t>(options.integer("state_bytes_max"));
  return spec;
}

constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

/// Members are destroyed from the last to the first: what feeds others goes before what it feeds.
class Runtime::Impl {
 public:
  explicit Impl(Config config) : config_(std::move(config)) {}

  Status start() {
    std::error_code error;
    std::filesystem::create_directories(config_.data, error);
    if (error)
      return Error{ErrorCode::kIo, fmt::format("creating the data folder {}: {}", config_.data, error.message())};
    ASSIGN_OR_RETURN(open_, open_bus(config_, metrics_));
    RETURN_IF_ERROR(create_topics(*open_.bus, topics_of(config_), kClusterPatience));
    loops_ = net::EventLoops::start(
        std::max(1u, std::thread::hardware_concurrency()),
        {.connections_max = open_.connections_max, .buffer_bytes_max = config_.listen.buffer_bytes_max});
    metrics_.observed_gauge("headrace_buffered_bytes", {},
                            "Bytes of requests sent in part and of answers that wait for their readers, over all "
                            "connections; listen.buffer_bytes_max bounds them.",
                            [loops = loops_.get()] { return static_cast<int64_t>(loops->buffered_bytes()); });
    http_ = net::make_http_server(*loops_, {.host = config_.listen.http.host, .port = config_.listen.http.port});
    RETURN_IF_ERROR(start_work());
    RETURN_IF_ERROR(start_ingest());
    RETURN_IF_ERROR(start_kafka());
    console_ = std::make_unique<console::Console>(
        *open_.bus, metrics_, *http_,
        console::ConsoleOptions{
            .version = std::string(kVersion), .bus_label = open_.label, .dashboards = config_.dashboards});
    return http_->start();
  }

  std::string ready_line() const {
    std::string line = "ready";
    if (kafka_) line += " kafka=" + join(config_.listen.kafka->host, kafka_->port());
    if (mqtt_port_) line += " mqtt=" + join(config_.listen.mqtt.host, mqtt_port_);
    return line + " http=" + join(config_.listen.http.host, http_->port());
  }

 private:
  Status start_work() {
    for (const PipelineConfig& pipeline : config_.pipelines) {
      auto started = stream::start_pipeline(pipeline_spec(pipeline), *open_.bus, metrics_, os::system_clock(),
                                            config_.data + "/state");
      if (!started.ok()) return started.error().in("starting pipeline " + pipeline.name);
      pipelines_.push_back(*std::move(started));
    }
    for (const SinkConfig& sink : config_.sinks) {
      if (!sink.enabled) continue;
      auto made = sink.component->make(sink.options, {sink.name, metrics_});
      if (!made.ok()) return made.error().in("starting sink " + sink.name);
      sinks_.push_back(flow::SinkRunner::start(flow::sink_runner_options(sink.name, sink.options), *std::move(made),
                                               *open_.bus, metrics_));
    }
    return {};
  }

  Status start_ingest() {
    const Address& mqtt = config_.listen.mqtt;
    for (const IngestConfig& ingest : config_.ingest) {
      std::string name(ingest.component->spec.name);
      flow::IngestContext context{.name = name,
                                  .bus = *open_.bus,
                                  .loops = *loops_,
                                  .http = *http_,
                                  .listen_mqtt = join(mqtt.host, mqtt.port),
                                  .metrics = metrics_};
      auto made = ingest.component->make(ingest.options, context);
      if (!made.ok()) return made.error().in("starting ingest " + name);
      if (name == "mqtt") mqtt_port_ = (*made)->port();
      ingests_.push_back(*std::move(made));
    }
    return {};
  }

  Status start_kafka() {
    if (!open_.broker || !config_.listen.kafka) return {};
    kafka::KafkaServerOptions options{.host = config_.listen.kafka->host, .port = config_.listen.kafka->port};
    if (config_.listen.advertised_kafka) {
      options.advertised_host = config_.listen.advertised_kafka->host;
      options.advertised_port = config_.listen.advertised_kafka->port;
    }
    options.request_bytes_max = config_.broker.request_bytes_max;
    options.fetch_sessions_max = config_.broker.fetch_sessions_max;
    options.connection_idle_max = config_.broker.connection_idle_max;
    options.fetch_bytes_max = config_.broker.fetch_bytes_max;
    options.metrics = &metrics_;
    ASSIGN_OR_RETURN(kafka_, kafka::KafkaServer::start(*open_.broker, *loops_, std::move(options)));
    http_->route("GET", "/metrics/clients",
                 [metrics = kafka_->client_metrics()](const net::HttpRequest&, net::HttpReply reply) mutable {
                   reply({.content_type = kPrometheusText, .body = metrics()});
                 });
    return {};
  }

  Config config_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<net::EventLoops> loops_;  ///< The bus's last answers are posted to them.
  OpenBus open_;
  std::unique_ptr<net::HttpServer> http_;
  std::vector<std::unique_ptr<stream::Pipeline>> pipelines_;
  std::vector<std::unique_ptr<flow::SinkRunner>> sinks_;
  std::unique_ptr<console::Console> console_;
  std::unique_ptr<kafka::KafkaServer> kafka_;
  std::vector<std::unique_ptr<flow::Ingest>> ingests_;
  uint16_t mqtt_port_ = 0;
};

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::start(Config config) {
  auto impl = std::make_unique<Impl>(std::move(config));
  RETURN_IF_ERROR(impl->start());
  return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
}

std::string Runtime::ready_line() const { return impl_->ready_line(); }

}  // namespace headrace::app
