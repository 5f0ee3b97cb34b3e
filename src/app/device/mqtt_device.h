// A device as the simulator and the feed have it: one MQTT connection that publishes with QoS 1, keeps what was not
// acknowledged, and connects again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/function.h"
#include "net/connect.h"
#include "net/event_loops.h"
#include "os/random.h"

namespace headrace::app {

/// Counts over all devices of a run; read from any thread.
struct DeviceCounters {
  std::atomic<int64_t> connected{0};
  std::atomic<int64_t> published{0};     ///< Messages handed to a device.
  std::atomic<int64_t> acknowledged{0};  ///< PUBACKs.
  std::atomic<int64_t> dropped{0};       ///< Given up because a device's queue was full.
  std::atomic<int64_t> connection_losses{0};
};

struct DeviceOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  std::string client_id;
  uint16_t keep_alive_s = 60;
  size_t in_flight_max = 20;         ///< PUBLISHes sent and not acknowledged.
  size_t queue_messages_max = 1000;  ///< Messages kept, those in flight among them; the oldest waiting one gives way.
};

/// Everything but the constructor and the destructor on its loop.
class MqttDevice {
 public:
  /// `on_room` is called whenever an acknowledgement made room in the queue. The counters outlive the device.
  MqttDevice(net::EventLoop& loop, DeviceOptions options, DeviceCounters& counters, Function<void()> on_room = {});
  ~MqttDevice();  ///< Not on the loop: disconnects and waits for it, unless it was ended.
  MqttDevice(const MqttDevice&) = delete;
  MqttDevice& operator=(const MqttDevice&) = delete;

  void connect();
  /// Disconnects for good. The device may go from the loop's next iteration on, for which others need no waiting.
  void end();
  void publish(std::string topic, std::string payload);
  /// Messages kept, in flight or waiting.
  size_t queued() const { return in_flight_.size() + waiting_.size(); }
  size_t room() const { return options_.queue_messages_max - std::min(options_.queue_messages_max, queued()); }
  /// The newest reason why there is no connection; empty while there is one.
  const std::string& trouble() const { return trouble_; }

 private:
  class Link;
  struct Message {
    std::string topic, payload;
    uint16_t packet_id = 0;
  };

  void on_link(Link* link);
  void on_accepted();
  void on_puback(uint16_t packet_id);
  void on_lost(std::string why);
  void send_waiting();
  void send(const Message& message, bool dup);
  void keep_alive();
  uint16_t next_packet_id();

  net::EventLoop& loop_;
  const DeviceOptions options_;
  DeviceCounters& counters_;
  Function<void()> on_room_;
  os::Random random_;

  std::unique_ptr<net::ClientConnection> connection_;
  Link* link_ = nullptr;  ///< Between CONNACK and the loss of the connection.
  std::deque<Message> in_flight_, waiting_;
  uint16_t last_packet_id_ = 0;
  int failures_ = 0;
  bool ended_ = false;
  std::string trouble_ = "not connected yet";
  std::unique_ptr<net::EventLoop::Timer> retry_, keep_alive_;
};

}  // namespace headrace::app
