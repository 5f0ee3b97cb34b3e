// headrace feed: recorded data as device messages.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "app/address.h"
#include "app/commands.h"
#include "app/commands/cluster_options.h"
#include "app/feed/replay.h"
#include "app/stop_signal.h"
#include "base/units.h"

namespace headrace::app {
namespace {

struct Arguments {
  std::string file;
  std::string mqtt = "127.0.0.1:1883";
  std::string speed = "1";
  std::string gap_max = "60s";
  ReplayOptions replay;
  bool quiet = false;
};

/// The file's name without its endings.
std::string stem(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  return name.substr(0, name.find('.'));
}

void print_bar(Replay& replay, const Recording& recording, double rate) {
  constexpr int kWidth = 30;
  int done = static_cast<int>(recording.progress() * kWidth);
  std::string trouble = replay.counters().connected == 0 ? "  " + replay.trouble() : "";
  fmt::print(stderr, "\r\x1b[K[{:#<{}}{:.<{}}] {:3.0f}%  {} rows  {} acknowledged  {:.0f}/s{}", "", done, "",
             kWidth - done, recording.progress() * 100, replay.rows(), replay.counters().acknowledged.load(), rate,
             trouble);
}

Status prepare(Arguments& arguments) {
  auto address = parse_address(arguments.mqtt);
  if (!address) return Error{ErrorCode::kInvalidArgument, fmt::format("--mqtt {}: is not host:port", arguments.mqtt)};
  arguments.replay.host = address->host;
  arguments.replay.port = address->port;
  if (arguments.replay.topic.empty()) arguments.replay.topic = "feed/" + stem(arguments.file);
  char* end = nullptr;
  arguments.replay.speed = arguments.speed == "max" ? 0 : std::strtod(arguments.speed.c_str(), &end);
  if (end && (*end != '\0' || !(arguments.replay.speed > 0))) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--speed {}: must be a number above 0, or max", arguments.speed)};
  }
  ASSIGN_OR_RETURN(arguments.replay.gap_max, parse_duration(arguments.gap_max));
  return {};
}

Status feed(Arguments arguments) {
  RETURN_IF_ERROR(prepare(arguments));
  ASSIGN_OR_RETURN(auto recording, Recording::open(arguments.file));
  catch_stop_signals();
  auto loops = net::EventLoops::start(1);
  Replay replay(loops->loop(0), arguments.replay, *recording);
  bool bar = isatty(2) && !arguments.quiet;
  auto begin = std::chrono::steady_clock::now();
  auto rate = [&] {
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return static_cast<double>(replay.counters().acknowledged) / std::max(seconds, 1e-3);
  };
  Status done = replay.run([] { return stop_requested(); },
                           [&] {
                             if (bar) print_bar(replay, *recording, rate());
                           });
  if (bar) fmt::print(stderr, "\n");
  fmt::print("rows={} acknowledged={} rate={:.0f}/s\n", replay.rows(), replay.counters().acknowledged.load(), rate());
  if (done.ok() && !stop_requested() && replay.counters().acknowledged < replay.rows()) {
    return Error{ErrorCode::kUnavailable, "not every row was acknowledged"};
  }
  return done;
}

Function<int()> setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("FILE", arguments->file, "FILE.csv or FILE.ndjson, with .gz or without")->required();
  app.add_option("--mqtt", arguments->mqtt, "host:port of the MQTT server")->capture_default_str();
  app.add_option("--topic", arguments->replay.topic, "MQTT topic; {field} stands for a row's value (feed/<file>)");
  app.add_option("--speed", arguments->speed, "1: as recorded, K: K times as fast, max: as fast as possible")
      ->capture_default_str();
  app.add_option("--time", arguments->replay.time_field,
                 "The field with the time (timestamp, datetime, time, ts or date)");
  app.add_option("--gap-max", arguments->gap_max, "A longer pause in the recording is shortened to this")
      ->capture_default_str();
  app.add_option("--limit", arguments->replay.limit, "End after N rows");
  app.add_option("--client-id", arguments->replay.client_id, "The MQTT client identifier")->capture_default_str();
  app.add_flag("-q,--quiet", arguments->quiet, "No progress bar");
  app.footer(
      "Rows become JSON objects, published with QoS 1; the command ends when every one was acknowledged.\n"
      "  headrace feed gps.csv.gz --topic 'cabs/{uid}/telemetry' --speed 60");
  return [arguments] {
    Status done = feed(*arguments);
    return done.ok() ? 0 : fail("feed", done.error());
  };
}

}  // namespace

const Command& feed_command() {
  static constexpr Command kCommand{"feed", "Replay recorded data as device messages", setup};
  return kCommand;
}

}  // namespace headrace::app
