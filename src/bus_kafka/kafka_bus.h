// The bus on any Apache Kafka cluster, through librdkafka.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "bus/bus.h"

namespace headrace::bus_kafka {

/// A bus on the cluster that `properties` name: "bootstrap.servers" and any other of librdkafka's, passed through.
/// kInvalidArgument: bootstrap.servers is missing, or a property is unknown or has a wrong value; the message names it.
/// No connection is made: a cluster that cannot be reached is kUnavailable from the calls that need it.
Result<std::unique_ptr<bus::Bus>> connect(std::map<std::string, std::string> properties);

}  // namespace headrace::bus_kafka
