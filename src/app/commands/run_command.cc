// headrace run: runs what one file describes until it is told to stop.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <future>
#include <memory>
#include <thread>

#include "app/commands.h"
#include "app/config/config_file.h"
#include "app/runtime.h"
#include "base/logging.h"

namespace headrace::app {
namespace {

struct Arguments {
  std::string file;
  std::string data;
  std::vector<std::string> settings;
  bool verbose = false;
};

/// SIGINT, SIGTERM and SIGHUP (its terminal is gone) are waited for by the main thread; a peer that went away is an
/// error of send(), not a signal.
sigset_t block_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// Waits for the first signal on a thread of its own. One that comes before all has started ends the process: a start
/// may take long, and is safe to cut short.
class StopSignal {
 public:
  explicit StopSignal(const sigset_t& signals) {
    std::thread([signals, state = state_] {
      int signal = 0;
      sigwait(&signals, &signal);
      if (!state->started) {
        log_info("ended by SIG{} before it was ready", sigabbrev_np(signal));
        std::_Exit(kSignalExit + signal);
      }
      state->signal.set_value(signal);
    }).detach();
  }
  /// From now on a signal is for wait().
  void set_started() { state_->started = true; }
  int wait() { return state_->signal.get_future().get(); }

 private:
  static constexpr int kSignalExit = 128;
  struct State {
    std::atomic<bool> started{false};
    std::promise<int> signal;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

int run(const Arguments& arguments) {
  auto config = read_config_file(arguments.file, arguments.settings);
  if (!config) return kExitWrongInput;
  if (!arguments.data.empty()) config->data = arguments.data;
  if (arguments.verbose) set_log_level(LogLevel::kDebug);
  sigset_t signals = block_signals();

  StopSignal stop(signals);
  auto runtime = Runtime::start(*std::move(config));
  if (!runtime.ok()) {
    fmt::print(stderr, "headrace: {}\n", runtime.error().message);
    return kExitFailed;
  }
  stop.set_started();
  fmt::print("{}\n", (*runtime)->ready_line());
  std::fflush(stdout);
  int signal = stop.wait();
  log_info("stopping on SIG{}; a second one ends it at once", sigabbrev_np(signal));
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  runtime->reset();
  return 0;
}

Function<int()> setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("FILE", arguments->file, "The configuration file")->required();
  app.add_option("--data", arguments->data, "The folder of the log and of pipelines' state (the file's `data`)");
  app.add_option("--set", arguments->settings,
                 "Change a value of the file: --set sinks.search.enabled=true (repeatable)")
      ->allow_extra_args(false);
  app.add_flag("--verbose", arguments->verbose, "Log more");
  app.footer(
      "Prints one line when ready, with the addresses that it listens on, and runs until SIGINT, SIGTERM or SIGHUP.\n"
      "  headrace run examples/cabs/cabs.yaml --set listen.http=127.0.0.1:0\n"
      "Exit 0: stopped as told, 1: could not run, 2: the file is wrong (every mistake is told), 128 and the signal's\n"
      "number: ended amid the start. A second signal ends a stop at once. Nothing that was acknowledged is lost by "
      "either.");
  return [arguments] { return run(*arguments); };
}

}  // namespace

const Command& run_command() {
  static constexpr Command kCommand{"run", "Run what a configuration file describes", setup};
  return kCommand;
}

}  // namespace headrace::app
