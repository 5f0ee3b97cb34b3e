// headrace bench: load generators for measuring a running server.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <thread>

#include "app/address.h"
#include "app/bench/consume_load.h"
#include "app/bench/fill_topic.h"
#include "app/bench/latency_load.h"
#include "app/bench/mqtt_load.h"
#include "app/bench/produce_load.h"
#include "app/commands.h"
#include "app/commands/cluster_options.h"
#include "app/commands/validators.h"

namespace headrace::app {
namespace {

struct Arguments {
  std::string mqtt = "127.0.0.1:1883";
  std::string kafka = "127.0.0.1:9092";
  MqttLoadOptions load;
  ProduceLoadOptions produce;
  ConsumeLoadOptions consume;
  LatencyLoadOptions latency;
  double seconds = 10;
  size_t threads = 1;
  FillOptions fill{.bootstrap = "127.0.0.1:9092", .topic = "bench"};
};

Status bench_mqtt(Arguments arguments) {
  auto address = parse_address(arguments.mqtt);
  if (!address) return Error{ErrorCode::kInvalidArgument, fmt::format("--mqtt {}: is not host:port", arguments.mqtt)};
  arguments.load.host = address->host;
  arguments.load.port = address->port;
  arguments.load.duration = std::chrono::milliseconds(static_cast<int64_t>(arguments.seconds * 1000));
  auto loops = net::EventLoops::start(arguments.threads);
  ASSIGN_OR_RETURN(auto result, run_mqtt_load(*loops, arguments.load));
  fmt::print("acknowledged={} seconds={:.2f} rate={:.0f}/s p50_us={} p99_us={} max_us={}{}\n", result.acknowledged,
             result.seconds, static_cast<double>(result.acknowledged) / result.seconds, result.latency_p50_us,
             result.latency_p99_us, result.latency_max_us, result.trouble.empty() ? "" : " trouble: " + result.trouble);
  return {};
}

Status bench_fill(const Arguments& arguments) {
  ASSIGN_OR_RETURN(double seconds, fill_topic(arguments.fill));
  fmt::print("records={} seconds={:.2f} rate={:.0f}/s\n", arguments.fill.records, seconds,
             static_cast<double>(arguments.fill.records) / seconds);
  return {};
}

/// Runs a load on the server at `arguments.kafka`, and prints what it did.
template <typename Options>
Status bench_kafka(const Arguments& arguments, Options options,
                   Result<LoadResult> (*load)(net::EventLoops&, const Options&)) {
  auto address = parse_address(arguments.kafka);
  if (!address) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("--bootstrap {}: is not host:port", arguments.kafka)};
  }
  options.server = *address;
  auto loops = net::EventLoops::start(arguments.threads);
  ASSIGN_OR_RETURN(auto result, load(*loops, options));
  fmt::print("records={} seconds={:.3f} rate={:.0f}/s mb_per_s={:.1f} mean_us={} p50_us={} p99_us={} max_us={}\n",
             result.records, result.seconds, static_cast<double>(result.records) / result.seconds,
             static_cast<double>(result.bytes) / result.seconds / 1e6, result.latency.mean_us, result.latency.p50_us,
             result.latency.p99_us, result.latency.max_us);
  return {};
}

struct State {
  Arguments arguments;
  Function<Status()> run;
};

/// What the loads of the Kafka protocol have in common.
CLI::App* add_kafka_load(CLI::App& app, State& state, const std::string& name, const std::string& what,
                         std::string& topic) {
  CLI::App* load = app.add_subcommand(name, what);
  load->add_option("TOPIC", topic, "The topic, which exists; every partition must be led by the server")->required();
  load->add_option("-b,--bootstrap", state.arguments.kafka, "host:port of a Kafka protocol server")
      ->capture_default_str();
  load->add_option("--threads", state.arguments.threads, "Threads of the generator")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  return load;
}

void add_produce(CLI::App& app, State& state) {
  ProduceLoadOptions& o = state.arguments.produce;
  CLI::App* load = add_kafka_load(
      app, state, "produce", "Produce as fast as the server acknowledges, with requests that are built once", o.topic);
  load->add_option("--records", o.records, "How many, at least")->capture_default_str()->check(positive());
  load->add_option("--size", o.record_bytes, "Bytes of a value")->capture_default_str()->check(CLI::Range(1, 1 << 20));
  load->add_option("--batch-bytes", o.batch_bytes, "Bytes of a batch; a request has one for each partition")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  load->add_option("--connections", o.connections, "Connections")->capture_default_str()->check(CLI::Range(1, 10'000));
  load->add_option("--in-flight", o.in_flight, "Unanswered requests of a connection")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  load->add_option("--acks", o.acks, "-1 (all) or 1")->capture_default_str()->check(CLI::IsMember({-1, 1}));
  load->callback(
      [s = &state] { s->run = [s] { return bench_kafka(s->arguments, s->arguments.produce, run_produce_load); }; });
}

void add_consume(CLI::App& app, State& state) {
  ConsumeLoadOptions& o = state.arguments.consume;
  CLI::App* load = add_kafka_load(app, state, "consume", "Read a topic from its beginning to its end", o.topic);
  load->add_option("--consumers", o.consumers, "Connections that share the partitions")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  load->add_option("--groups", o.groups, "So many times, at once")->capture_default_str()->check(CLI::Range(1, 10'000));
  load->callback(
      [s = &state] { s->run = [s] { return bench_kafka(s->arguments, s->arguments.consume, run_consume_load); }; });
}

void add_latency(CLI::App& app, State& state) {
  LatencyLoadOptions& o = state.arguments.latency;
  CLI::App* load = add_kafka_load(
      app, state, "latency", "Produce at a steady rate and tell how old records are when a consumer has them", o.topic);
  load->add_option("--rate", o.rate, "Records a second")->capture_default_str()->check(positive());
  load->add_option("--size", o.record_bytes, "Bytes of a value")->capture_default_str()->check(CLI::Range(8, 1 << 20));
  load->add_option("--seconds", state.arguments.seconds, "How long")->capture_default_str()->check(positive());
  load->callback([s = &state] {
    s->run = [s] {
      s->arguments.latency.duration = std::chrono::milliseconds(static_cast<int64_t>(s->arguments.seconds * 1000));
      return bench_kafka(s->arguments, s->arguments.latency, run_latency_load);
    };
  });
}

Function<int()> setup(CLI::App& app) {
  auto state = std::make_shared<State>();
  Arguments& a = state->arguments;
  app.require_subcommand(1);
  CLI::App* mqtt = app.add_subcommand("mqtt", "Publish with QoS 1 as fast as the server acknowledges");
  mqtt->add_option("--mqtt", a.mqtt, "host:port of the MQTT server")->capture_default_str();
  mqtt->add_option("--clients", a.load.clients, "Connections")->capture_default_str()->check(positive());
  mqtt->add_option("--in-flight", a.load.in_flight, "Unacknowledged messages of a client")
      ->capture_default_str()
      ->check(CLI::Range(1, 60'000));
  mqtt->add_option("--size", a.load.payload_bytes, "Payload bytes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  mqtt->add_option("--topic", a.load.topic, "Topic; {client} is the client's number")->capture_default_str();
  mqtt->add_option("--seconds", a.seconds, "How long")->capture_default_str()->check(positive());
  mqtt->add_option("--threads", a.threads, "Threads of the generator")->capture_default_str()->check(CLI::Range(1, 64));
  mqtt->callback([s = state.get()] { s->run = [s] { return bench_mqtt(s->arguments); }; });

  add_produce(app, *state);
  add_consume(app, *state);
  add_latency(app, *state);

  CLI::App* fill = app.add_subcommand("fill", "Write JSON readings of 1,000 devices to a topic");
  fill->add_option("TOPIC", a.fill.topic, "The topic, which exists")->required();
  fill->add_option("-b,--bootstrap", a.fill.bootstrap, "host:port of a Kafka protocol server")->capture_default_str();
  fill->add_option("--records", a.fill.records, "How many")->capture_default_str()->check(positive());
  fill->add_option("--size", a.fill.record_bytes, "Bytes of each")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  fill->callback([s = state.get()] { s->run = [s] { return bench_fill(s->arguments); }; });
  return [state] {
    Status done = state->run();
    return done.ok() ? 0 : fail("bench", done.error());
  };
}

}  // namespace

const Command& bench_command() {
  static constexpr Command kCommand{"bench", "Load generators for measuring a server", setup};
  return kCommand;
}

}  // namespace headrace::app
