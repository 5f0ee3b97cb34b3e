// A flag that SIGINT and SIGTERM raise, for commands that loop until told to stop.
#pragma once

namespace headrace::app {

/// Installs the handlers; the first signal raises the flag, the second one ends the process as usual.
void catch_stop_signals();
bool stop_requested();

}  // namespace headrace::app
