// One MQTT connection.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ingest/mqtt/client_registry.h"
#include "ingest/mqtt/loop_writer.h"
#include "ingest/mqtt/pending_messages.h"
#include "net/event_loops.h"
#include "wire/mqtt/decode.h"

namespace headrace::ingest::mqtt {

/// CONNECT comes first, then anything a publisher sends. A message is acknowledged when the bus has answered for it.
/// The session reads no further while too much of its own or of its loop is unanswered, or its topic is being looked
/// up.
class Session final : public net::Session {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Session(net::Connection& connection, LoopWriter& writer, ClientRegistry& registry);
  ~Session() override;

  size_t on_bytes(BytesView bytes) override;
  size_t frame_bytes() const override { return frame_bytes_; }
  size_t kept_bytes() const override;
  void on_drained() override { resume(); }
  void on_close() override;

  /// `count` messages from number `first` on are in the log.
  void acknowledge(uint64_t first, uint32_t count);
  /// Closes without an acknowledgement, which is how MQTT 3.1.1 says no [MQTT-3.3.5-2].
  void refuse(std::string_view why);
  /// Another connection took over the client identifier.
  void taken_over();
  /// Reads on, if nothing else holds it back.
  void resume();
  void stop_reading();
  void check_deadlines(TimePoint now);

 private:
  using Frame = wire::mqtt::Frame;
  /// What became of a frame: kHeld ones come again.
  enum class Handled { kYes, kHeld, kClosed };
  struct OwnWill {
    std::string topic, payload;
    uint8_t qos;
  };

  Handled handle(const Frame& frame);
  Handled connect(const Frame& frame);
  Handled accept(const wire::mqtt::Connect& connect);
  Handled publish(const Frame& frame);
  Handled append(const wire::mqtt::Publish& publish);
  Handled release(const Frame& frame);
  Handled subscribe(const Frame& frame);
  Handled unsubscribe(const Frame& frame);
  Handled ping(const Frame& frame);
  Handled disconnect(const Frame& frame);
  Handled violation(std::string_view what);
  bool repeats_exactly_once(const wire::mqtt::Publish& publish);
  bool must_hold() const;
  void hold();
  void publish_will();
  template <typename Packet>
  void send(const Packet& packet);
  ClientRegistry::Holder self() { return {writer_.mailbox(), ref_}; }

  net::Connection& connection_;
  LoopWriter& writer_;
  ClientRegistry& registry_;
  SessionRef ref_;
  std::string client_id_;
  std::unique_ptr<OwnWill> will_;
  PendingMessages pending_;
  /// Packet identifiers of QoS 2 messages that the client has not released; true once PUBREC was sent (4.3.3).
  std::map<uint16_t, bool> exactly_once_;
  std::chrono::milliseconds silence_max_{0};  ///< One and a half keep-alives [MQTT-3.1.2-24]; 0: any.
  size_t frame_bytes_ = 0;                    ///< Of the packet that has begun to arrive.
  TimePoint last_seen_;
  TimePoint send_stalled_since_{};
  bool connected_ = false;
  bool closing_ = false;
  bool held_ = false;
};

}  // namespace headrace::ingest::mqtt
