// Everything that one configuration runs, wired together: the only place that knows both implementations of the bus.
#pragma once

#include <memory>
#include <string>

#include "app/config/config.h"
#include "base/result.h"

namespace headrace::app {

/// A running configuration. Started by start(), stopped by the destructor: ways in first, then pipelines and sinks,
/// then the log, so that nothing that was acknowledged is lost and nothing new is accepted half.
class Runtime {
 public:
  static Result<std::unique_ptr<Runtime>> start(Config config);
  ~Runtime();

  /// "ready kafka=127.0.0.1:9092 mqtt=127.0.0.1:1883 http=127.0.0.1:8080", with the ports that were bound.
  std::string ready_line() const;

 private:
  class Impl;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::app
