// The embedded bus's transactional producer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "bus/bus.h"

namespace headrace::broker {

/// Fences older producers of the id, ends what they left open, and gives the new one.
Result<std::unique_ptr<bus::TransactionalProducer>> open_embedded_transactions(Broker& broker,
                                                                               std::string transactional_id);

/// A coordinator's answer as the bus's error: what was being done goes in front.
Error to_error(CoordinatorError error, std::string_view doing);

}  // namespace headrace::broker
