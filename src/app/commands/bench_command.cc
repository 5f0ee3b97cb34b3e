// headrace bench: load generators for measuring a running server.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <thread>

#include "app/address.h"
#include "app/bench/fill_topic.h"
#include "app/bench/mqtt_load.h"
#include "app/commands.h"
#include "app/commands/cluster_options.h"

namespace headrace::app {
namespace {

struct Arguments {
  std::string mqtt = "127.0.0.1:1883";
  MqttLoadOptions load;
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

Function<int()> setup(CLI::App& app) {
  struct State {
    Arguments arguments;
    Function<Status()> run;
  };
  auto state = std::make_shared<State>();
  Arguments& a = state->arguments;
  app.require_subcommand(1);
  CLI::App* mqtt = app.add_subcommand("mqtt", "Publish with QoS 1 as fast as the server acknowledges");
  mqtt->add_option("--mqtt", a.mqtt, "host:port of the MQTT server")->capture_default_str();
  mqtt->add_option("--clients", a.load.clients, "Connections")->capture_default_str()->check(CLI::PositiveNumber);
  mqtt->add_option("--in-flight", a.load.in_flight, "Unacknowledged messages of a client")
      ->capture_default_str()
      ->check(CLI::Range(1, 60'000));
  mqtt->add_option("--size", a.load.payload_bytes, "Payload bytes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  mqtt->add_option("--topic", a.load.topic, "Topic; {client} is the client's number")->capture_default_str();
  mqtt->add_option("--seconds", a.seconds, "How long")->capture_default_str()->check(CLI::PositiveNumber);
  mqtt->add_option("--threads", a.threads, "Threads of the generator")->capture_default_str()->check(CLI::Range(1, 64));
  mqtt->callback([s = state.get()] { s->run = [s] { return bench_mqtt(s->arguments); }; });

  CLI::App* fill = app.add_subcommand("fill", "Write JSON readings of 1,000 devices to a topic");
  fill->add_option("TOPIC", a.fill.topic, "The topic, which exists")->required();
  fill->add_option("-b,--bootstrap", a.fill.bootstrap, "host:port of a Kafka protocol server")->capture_default_str();
  fill->add_option("--records", a.fill.records, "How many")->capture_default_str()->check(CLI::PositiveNumber);
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
