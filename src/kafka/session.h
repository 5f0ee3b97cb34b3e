// One client connection: cuts the stream into requests, hands them to their APIs and sends the responses in the order
// of the requests.
//
//   request  := size:i32 header body          (size counts what follows it)
//   response := size:i32 header body
//
// Requests are handled one after the other, as Kafka does, except that those of a pipelined API (Produce) start while
// earlier ones of the same API still wait for the disk. What may not start yet stays in the socket: reading is paused,
// so that a connection never has more than its limits in memory.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "kafka/server_context.h"
#include "net/event_loops.h"

namespace headrace::kafka {

/// Requests that one connection may have unanswered.
inline constexpr size_t kInFlightRequestsMax = 256;
/// Bytes of unanswered requests of one connection; a single request may be larger.
inline constexpr size_t kInFlightBytesMax = 16 << 20;
/// Response bytes that wait for a slow reader before its next request is taken up.
inline constexpr size_t kQueuedResponseBytesMax = 4 << 20;
/// The largest request of a connection that has sent no valid one before, where not even its header is one.
inline constexpr size_t kStrangerBytesMax = 512 << 10;
/// A larger request is not received before it can start; of a smaller one no more than this waits.
inline constexpr size_t kWaitingFrameBytesMax = 64 << 10;

class ResponseQueue;

class KafkaSession final : public net::Session {
 public:
  KafkaSession(std::shared_ptr<ServerContext> server, net::Connection& connection);
  ~KafkaSession() override;

  size_t on_bytes(BytesView bytes) override;
  size_t frame_bytes() const override { return frame_bytes_; }
  bool on_end() override;
  void on_drained() override;
  void on_close() override;

 private:
  /// Bytes of the first request in `bytes` with its size, 0 when it is not whole or may not start now.
  size_t next_request(BytesView bytes);
  void start_request(BytesView frame);
  bool may_start(int16_t key, size_t size) const;
  void refuse(std::string_view why);
  void on_progress();
  /// Takes no request for this long, for the sake of a quota.
  void mute(std::chrono::milliseconds wait);
  void unmute();
  /// Closes a connection that is one too many for its address, when it has waited.
  void turn_away(std::chrono::milliseconds wait);
  void pause();
  void resume();
  void watch_idleness();

  std::shared_ptr<ServerContext> server_;
  net::Connection& connection_;
  Peer peer_;
  std::shared_ptr<ResponseQueue> responses_;
  size_t frame_bytes_ = 0;  ///< Of the request that has begun to arrive.
  bool had_valid_request_ = false;
  bool paused_ = false;
  bool peer_ended_ = false;
  bool active_ = false;       ///< Since idleness was last looked at.
  size_t queued_before_ = 0;  ///< Response bytes that waited then.
  std::unique_ptr<net::EventLoop::Timer> idle_timer_;
  std::unique_ptr<net::EventLoop::Timer> mute_timer_;  ///< While muted or turned away.
  bool closing_ = false;
};

}  // namespace headrace::kafka
