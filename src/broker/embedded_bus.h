// The bus in process: no sockets, no copies.
#pragma once

#include <memory>

#include "broker/broker.h"
#include "bus/bus.h"

namespace headrace::broker {

/// A bus over `broker`, which outlives it and everything it makes.
std::unique_ptr<bus::Bus> make_embedded_bus(Broker& broker);

}  // namespace headrace::broker
