// Something to be done on an event loop, waited for from elsewhere.
#pragma once

#include "base/function.h"
#include "net/event_loops.h"

namespace headrace::net {

/// Runs `task` on the loop and returns once the iteration that ran it has ended: the sessions of connections that it
/// closed are gone. Not on the loop.
void run_and_wait(EventLoop& loop, Function<void()> task);

}  // namespace headrace::net
