#include "app/commands/cluster_options.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "bus_kafka/kafka_bus.h"

namespace headrace::app {

void add_cluster_options(CLI::App& app, ClusterArguments& arguments) {
  app.add_option("-b,--bootstrap", arguments.bootstrap, "host:port of a running Headrace or of any Kafka cluster")
      ->capture_default_str();
  app.add_option("-X", arguments.properties, "A librdkafka property, as in -X security.protocol=SSL (repeatable)")
      ->allow_extra_args(false);
}

Result<std::unique_ptr<bus::Bus>> connect_cluster(const ClusterArguments& arguments) {
  ASSIGN_OR_RETURN(auto properties, parse_pairs(arguments.properties));
  properties["bootstrap.servers"] = arguments.bootstrap;
  return bus_kafka::connect(properties);
}

int fail(std::string_view command, const Error& error) {
  fmt::print(stderr, "headrace {}: {}\n", command, error.message);
  return error.code == ErrorCode::kInvalidArgument ? kExitWrongInput : kExitFailed;
}

Result<std::map<std::string, std::string>> parse_pairs(const std::vector<std::string>& items) {
  std::map<std::string, std::string> out;
  for (const std::string& item : items) {
    size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is not key=value", item)};
    }
    out[item.substr(0, equals)] = item.substr(equals + 1);
  }
  return out;
}

}  // namespace headrace::app
