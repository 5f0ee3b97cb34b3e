// What commands that talk to a running Headrace, or to any Kafka cluster, have in common.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"

namespace CLI {
class App;
}

namespace headrace::app {

struct ClusterArguments {
  std::string bootstrap = "127.0.0.1:9092";
  std::vector<std::string> properties;  ///< librdkafka's, key=value.
};

/// Adds --bootstrap and -X.
void add_cluster_options(CLI::App& app, ClusterArguments& arguments);

/// Connects through the Kafka protocol.
Result<std::unique_ptr<bus::Bus>> connect_cluster(const ClusterArguments& arguments);

/// Prints "headrace <command>: <error>" to standard error; the exit code for it.
int fail(std::string_view command, const Error& error);

/// `key=value` items as a map. kInvalidArgument names the item without "=".
Result<std::map<std::string, std::string>> parse_pairs(const std::vector<std::string>& items);

}  // namespace headrace::app
