// The sinks that this program has. A sink is a file x_sink.cc here that defines `const flow::SinkComponent& x_sink()`;
// the build finds it by its name and writes the table.
#pragma once

#include <span>

#include "flow/sink.h"

namespace headrace::sinks {

/// Every sink of this folder, in alphabetical order.
std::span<const flow::SinkComponent* const> sink_table();

}  // namespace headrace::sinks
