// Event loops, one a core; TCP listeners whose connections stay on one loop each. No Asio in this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_range.h"
#include "base/function.h"
#include "base/result.h"

namespace headrace::net {

/// One thread that runs handlers. post() from any thread; everything else of a loop's objects only on the loop.
class EventLoop {
 public:
  virtual ~EventLoop() = default;
  virtual void post(Function<void()> task) = 0;
  /// Runs `task` on the loop after `delay`; the handle cancels it when destroyed.
  class Timer {
   public:
    virtual ~Timer() = default;
  };
  virtual std::unique_ptr<Timer> after(std::chrono::milliseconds delay, Function<void()> task) = 0;
  /// Runs `task` once when the handlers that are ready now have run, before what they queued leaves: the place to
  /// finish a batch that several connections fill. On the loop only.
  virtual void at_iteration_end(Function<void()> task) = 0;
  virtual bool in_loop() const = 0;
  virtual size_t index() const = 0;
};

class Connection;

/// A protocol's side of one connection; all calls on the connection's loop.
class Session {
 public:
  virtual ~Session() = default;
  /// New bytes after those not consumed before; returns how many it has consumed (whole frames). Unconsumed bytes are
  /// kept and come again with more behind them, or as they are after resume_reading(). The view is valid during the
  /// call only. Not called while reading is paused or once the connection is closing.
  virtual size_t on_bytes(BytesView bytes) = 0;
  /// The size of the frame whose beginning on_bytes() left unconsumed, where that is known: so much room is made for it
  /// at once, instead of growing with what arrives. 0: not known, or what arrives soon.
  virtual size_t frame_bytes() const { return 0; }
  /// A frame that the session consumes as it comes: bytes that it has of it, and those of all of it where that is
  /// known (else 0). Its number tells it from the one before.
  struct Collected {
    size_t bytes = 0, frame_bytes = 0;
    uint64_t number = 0;
  };
  virtual Collected collected() const { return {}; }
  /// Memory that the session keeps between frames for its peer, where that is more than a few KiB.
  virtual size_t kept_bytes() const { return 0; }
  /// The peer sends no more but may still read; on_bytes() has seen all that it sent. True keeps the connection until
  /// the session closes it; false closes it after what is queued was sent.
  virtual bool on_end() { return false; }
  /// What was queued for sending fell below the low-water mark (send_queue_low_bytes).
  virtual void on_drained() {}
  /// The peer closed, an error occurred or close() was called; the session is destroyed after this. Never called from
  /// inside another call into or out of the session.
  virtual void on_close() {}
};

/// A connection as its session sees it; valid until on_close() returns. All calls on its loop.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual EventLoop& loop() = 0;
  /// Queues bytes; small ones sent in one handler leave in one system call. Of a file what is in the page cache goes
  /// out without a copy; a file that ends early closes the connection.
  virtual void send(Sendable bytes) = 0;
  /// The same for a few bytes that are copied: cheaper than a buffer of their own.
  virtual void send_copy(BytesView bytes) = 0;
  virtual size_t queued_bytes() const = 0;
  /// Whether it is not read from as there is no memory to read into: its silence is not the peer's.
  virtual bool waits_for_memory() const = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// Closes after what is queued was sent.
  virtual void close() = 0;
  virtual void close_now() = 0;
  virtual std::string remote_address() const = 0;  ///< "127.0.0.1:5123"
  virtual std::string local_address() const = 0;   ///< The address that the client dialled, "127.0.0.1:9092".
};

struct ListenOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;                     ///< 0: a free one.
  size_t receive_bytes_max = 100 << 20;  ///< Unconsumed bytes over this close the connection.
  size_t connections_max = 100'000;
  size_t send_queue_low_bytes = 64 << 10;
  std::string name = "tcp";  ///< What listens here, for messages: "kafka", "mqtt", "http".
};

/// Makes the session of a new connection, on the connection's loop: several loops may call it at once.
using SessionFactory = Function<std::unique_ptr<Session>(Connection&)>;

class Listener {
 public:
  /// Stops accepting and closes its connections; waits until their sessions are gone. Not on a loop; before the loops.
  virtual ~Listener() = default;
  virtual uint16_t port() const = 0;
};

/// What holds for all connections of the loops together.
struct EventLoopsOptions {
  size_t connections_max = SIZE_MAX;  ///< Of listeners.
  /// Memory of what was received and not consumed, of what sessions keep for their peers, and of what waits to be sent
  /// (internal/buffer_budget.h). From there on no frame is begun to be read, none over 2 MiB from three quarters on.
  size_t buffer_bytes_max = SIZE_MAX;
  /// A connection that holds memory for which others wait is closed when it moves less than 1 MiB in the first time, or
  /// in the second if it was itself not read from all the while.
  std::chrono::milliseconds stalled_max{10'000}, starved_max{30'000};
};

class EventLoops {
 public:
  /// `threads` loops, running. The process ignores SIGPIPE from then on: a peer that went away is an error.
  static std::unique_ptr<EventLoops> start(size_t threads, const EventLoopsOptions& options = {});
  virtual ~EventLoops() = default;  ///< Stops and joins the threads.
  virtual size_t size() const = 0;
  virtual EventLoop& loop(size_t index) = 0;
  virtual EventLoop& next() = 0;  ///< Round robin.
  /// Of buffer_bytes_max, what is in use. From any thread.
  virtual size_t buffered_bytes() const = 0;
  /// kAlreadyExists: the port is in use (the message says by which listener and what to do).
  virtual Result<std::unique_ptr<Listener>> listen(const ListenOptions& options, SessionFactory factory) = 0;
};

}  // namespace headrace::net
