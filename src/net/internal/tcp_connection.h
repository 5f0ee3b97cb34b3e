// One TCP connection, accepted or made by connect().
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "net/internal/loop.h"
#include "net/internal/receive_buffer.h"
#include "net/internal/send_queue.h"

namespace headrace::net::internal {

class ListenerState;

/// Open until the session, the peer or the listener ends it; then draining (close() waits for the queue), lingering
/// (all sent; late bytes of the peer are read and dropped, so that they don't reset what it has not read yet) and
/// destroyed. Everything runs on the loop.
class TcpConnection final : public Connection, public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(Loop& loop, boost::asio::ip::tcp::socket socket, std::shared_ptr<ListenerState> listener);

  EventLoop& loop() override { return loop_; }
  void send(Sendable bytes) override;
  void send_copy(BytesView bytes) override;
  size_t queued_bytes() const override { return queue_.bytes(); }
  void pause_reading() override;
  void resume_reading() override;
  void close() override;
  void close_now() override;
  std::string remote_address() const override;
  std::string local_address() const override;

  /// Makes the session and starts to read.
  void start();
  /// Sends what is queued, as far as the socket takes it. Called by the loop at the end of an iteration.
  void flush();
  /// The end: the session's on_close() and destruction. Called by the loop at the end of an iteration.
  void destroy();

  /// Bytes of its buffers, a frame that was begun counted whole, when they last changed.
  size_t held_bytes() const { return held_; }
  /// Reads again, after there was no memory to read into.
  void end_starvation();
  bool waits_for_memory() const override { return starved_; }
  /// Whether it has held memory for too long without getting on.
  bool is_stalled(std::chrono::steady_clock::time_point now);
  /// Whether it keeps memory from large frames.
  bool is_in_the_way() const;

  /// Its place in the listener's list of the loop's connections.
  size_t slot = 0;
  /// Its place in the loop's list of those that hold memory.
  size_t holder_slot = 0;

 private:
  enum class Phase { kOpen, kDraining, kLingering, kDestroyed };

  void wait_readable();
  void on_readable();
  void receive();
  void receive_into_loop_space();
  void receive_into_rest();
  size_t room_wanted() const;
  size_t read_some(uint8_t* space, size_t bytes);
  void queue_redelivery();
  void redeliver();
  void deliver_rest();
  size_t deliver(BytesView bytes);
  void tell_peer_end();
  void discard();
  Session::Collected frame() const;
  bool is_short_of_memory(size_t bytes) const;
  bool may_receive();
  void end_frame();
  size_t receive_room() const;
  void starve();
  void account();
  void account(size_t held);
  size_t send_front(boost::system::error_code& error);
  size_t send_range(const FileRange& range, boost::system::error_code& error);
  void wait_writable();
  void mark_dirty();
  void after_flush(size_t before);
  void linger();
  void end_session();
  void set_deadline(std::chrono::milliseconds delay);

  Loop& loop_;
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<ListenerState> listener_;
  boost::asio::ip::tcp::endpoint remote_;
  std::unique_ptr<Session> session_;
  ReceiveBuffer rest_;
  size_t frame_bytes_ = 0;  ///< Of the frame that rest_ begins or, while it is empty, of the large one before.
  SendQueue queue_;
  size_t counted_frame_bytes_ = 0;                ///< Of the frame that was begun, where the budget knows of it.
  uint64_t collected_number_ = 0;                 ///< Of the frame that the session collects, or collected last.
  size_t held_ = 0;                               ///< As the loop's budget has it.
  uint64_t moved_ = 0;                            ///< Bytes received and sent.
  uint64_t moved_at_mark_ = 0;                    ///< What moved_ was when it last got on well enough.
  std::chrono::steady_clock::time_point mark_{};  ///< When that was.
  std::unique_ptr<EventLoop::Timer> deadline_;
  Phase phase_ = Phase::kOpen;
  bool doomed_ = false;  ///< In the loop's list to destroy.
  bool paused_ = false;
  bool frame_begun_ = false;  ///< The rest is of a frame that may be read to its end.
  bool fed_ = false;          ///< It waited for memory, and it is its turn.
  bool starved_ = false;      ///< Not read from until there is memory; the loop has it on a list.
  bool peer_ended_ = false;
  bool end_told_ = false;  ///< The session knows of peer_ended_.
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool dirty_ = false;  ///< In the loop's list to flush.
  bool redelivery_queued_ = false;
  bool redelivery_starved_ = false;  ///< It waits for memory, too.
};

}  // namespace headrace::net::internal
