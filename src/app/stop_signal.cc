#include "app/stop_signal.h"

#include <csignal>

namespace headrace::app {
namespace {

volatile std::sig_atomic_t stop = 0;

void on_signal(int signal) {
  stop = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_stop_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool stop_requested() { return stop != 0; }

}  // namespace headrace::app
