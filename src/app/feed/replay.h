// Plays a recording back as one or more MQTT devices' messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/device/mqtt_device.h"
#include "app/feed/recording.h"
#include "base/result.h"
#include "net/event_loops.h"

namespace headrace::app {

struct ReplayOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  std::string client_id = "headrace-feed";
  std::string topic;                          ///< {field} stands for a row's value.
  std::string time_field;                     ///< Empty: the first field of a usual name.
  double speed = 1;                           ///< Times the recorded pace; 0: as fast as possible.
  std::chrono::milliseconds gap_max{60'000};  ///< A longer recorded pause is shortened to this, in recorded time.
  int64_t limit = 0;                          ///< Rows; 0: all.
};

/// One replay, on the thread that runs it; the device lives on `loop`.
class Replay {
 public:
  Replay(net::EventLoop& loop, ReplayOptions options, Recording& recording);
  ~Replay();

  /// Plays until the end, an error, or `stopped()`; calls `progress` a few times a second.
  Status run(Function<bool()> stopped, Function<void()> progress);

  int64_t rows() const { return rows_; }
  const DeviceCounters& counters() const { return counters_; }
  std::string trouble();

 private:
  Status play(const Row& row);
  Status pace(const Row& row);
  Result<std::string> topic_of(const Row& row) const;
  Status find_time_field(const Row& row);
  void wait_for_room();
  void pause_until(std::chrono::steady_clock::time_point when);
  bool tick();

  net::EventLoop& loop_;
  const ReplayOptions options_;
  Recording& recording_;
  DeviceCounters counters_;
  std::unique_ptr<MqttDevice> device_;
  Function<bool()> stopped_;
  Function<void()> progress_;
  std::chrono::steady_clock::time_point last_progress_{}, due_{};
  std::optional<int64_t> last_time_ms_;
  std::string time_field_;
  int64_t rows_ = 0;
};

}  // namespace headrace::app
