// headrace sim: simulated fleets that report over MQTT.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <thread>

#include "app/address.h"
#include "app/commands.h"
#include "app/sim/fleet.h"
#include "app/stop_signal.h"
#include "os/process_limits.h"

namespace headrace::app {
namespace {

struct Arguments {
  FleetOptions fleet;
  std::string mqtt = "127.0.0.1:1883";
  double duration_s = 0;
  double faults = 1;
  bool quiet = false;
};

void print_progress(Fleet& fleet, uint32_t cabs, double rate) {
  const DeviceCounters& c = fleet.counters();
  std::string trouble = c.connected < cabs ? fleet.trouble() : "";
  fmt::print(stderr, "{}cabs {}/{} connected  {:.0f} messages/s  {} acknowledged  {} waiting{}{}{}",
             isatty(2) ? "\r\x1b[K" : "", c.connected.load(), cabs, rate, c.acknowledged.load(),
             c.published - c.acknowledged - c.dropped,
             c.dropped > 0 ? fmt::format("  {} dropped", c.dropped.load()) : "", trouble.empty() ? "" : "  " + trouble,
             isatty(2) ? "" : "\n");
}

/// A line a second on a terminal, every ten seconds elsewhere.
void watch(Fleet& fleet, const Arguments& arguments) {
  auto begin = std::chrono::steady_clock::now();
  auto last_line = begin;
  int64_t acknowledged = 0;
  auto every = isatty(2) ? std::chrono::seconds(1) : std::chrono::seconds(10);
  while (!stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    auto now = std::chrono::steady_clock::now();
    if (arguments.duration_s > 0 && std::chrono::duration<double>(now - begin).count() >= arguments.duration_s) break;
    if (now - last_line < every || arguments.quiet) continue;
    int64_t count = fleet.counters().acknowledged;
    print_progress(fleet, arguments.fleet.cabs,
                   static_cast<double>(count - acknowledged) / std::chrono::duration<double>(now - last_line).count());
    acknowledged = count;
    last_line = now;
  }
}

/// Gives what is in flight a moment to be acknowledged.
void drain(const Fleet& fleet) {
  constexpr std::chrono::seconds kPatience{5};
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  const DeviceCounters& c = fleet.counters();
  while (!stop_requested() && c.published - c.acknowledged - c.dropped > 0 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

int sim_cabs(Arguments arguments) {
  auto address = parse_address(arguments.mqtt);
  if (!address) {
    fmt::print(stderr, "headrace sim: --mqtt {}: is not host:port, as in 127.0.0.1:1883\n", arguments.mqtt);
    return kExitWrongInput;
  }
  arguments.fleet.host = address->host;
  arguments.fleet.port = address->port;
  Faults& faults = arguments.fleet.faults;
  for (double* chance : {&faults.hot, &faults.silent, &faults.speeding, &faults.late, &faults.duplicate}) {
    *chance = std::min(1.0, *chance * arguments.faults);
  }
  catch_stop_signals();
  os::raise_open_files_limit();

  auto loops = net::EventLoops::start(std::max(1u, std::thread::hardware_concurrency()));
  Fleet fleet(City::bundled(), *loops, arguments.fleet);
  watch(fleet, arguments);
  fleet.stop_reporting();
  drain(fleet);
  const DeviceCounters& c = fleet.counters();
  fmt::print("{}published={} acknowledged={} dropped={} silenced={} connection_losses={}\n", isatty(2) ? "\n" : "",
             c.published.load(), c.acknowledged.load(), c.dropped.load(), fleet.silenced(), c.connection_losses.load());
  return 0;
}

Function<int()> setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(1);
  CLI::App* cabs = app.add_subcommand("cabs", "Cabs that drive through Manhattan and report over MQTT");
  cabs->add_option("--cabs", arguments->fleet.cabs, "How many cabs, each an MQTT client")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  cabs->add_option("--rate", arguments->fleet.rate, "Reports of each cab a second")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1000.0));
  cabs->add_option("--mqtt", arguments->mqtt, "host:port of the MQTT server")->capture_default_str();
  cabs->add_option("--seed", arguments->fleet.seed, "The same seed drives the same ways")->capture_default_str();
  cabs->add_option("--duration", arguments->duration_s, "End after so many seconds");
  cabs->add_option(
          "--faults", arguments->faults,
          "How often hot engines, silent cabs, speeding, late and duplicate messages happen: 0 never, 1 as usual")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  cabs->add_flag("-q,--quiet", arguments->quiet, "No progress line");
  cabs->footer(
      "Each cab publishes to cabs/<cab>/telemetry with QoS 1:\n"
      "  {\"cab\":\"cab-0001\",\"ts\":1732180000123,\"lat\":40.75,\"lon\":-73.98,\"speed_kmh\":31.2,\"heading\":119,\n"
      "   \"engine_temp_c\":92.1,\"fuel_pct\":63.0,\"status\":\"occupied\",\"fare\":12.50}\n"
      "What is not acknowledged is kept and sent again; the last line tells the counts.");
  return [arguments] { return sim_cabs(*arguments); };
}

}  // namespace

const Command& sim_command() {
  static constexpr Command kCommand{"sim", "Simulate a fleet of devices", setup};
  return kCommand;
}

}  // namespace headrace::app
