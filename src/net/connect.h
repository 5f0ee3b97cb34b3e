// Outgoing TCP connections on the event loops, with the same Session and Connection as accepted ones.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/function.h"
#include "base/result.h"
#include "net/event_loops.h"

namespace headrace::net {

struct ConnectOptions {
  std::string host = "127.0.0.1";  ///< A name or an address.
  uint16_t port = 0;
  std::chrono::milliseconds timeout{10'000};
  size_t receive_bytes_max = 100 << 20;
  size_t send_queue_low_bytes = 64 << 10;
  std::string name = "client";  ///< What connects, for messages.
};

/// One outgoing connection, from the attempt to its end.
class ClientConnection {
 public:
  /// Closes, and waits until the session is gone; on its own loop it does not wait, and the session goes at the end of
  /// the iteration. Before the loops.
  virtual ~ClientConnection() = default;
};

/// Connects on `loop`. On success `factory` makes the session, on that loop; else `failed` gets the reason, there too:
/// kUnavailable (refused, unreachable), kTimedOut, kNotFound (the host has no address). Exactly one of them is called,
/// unless the result is destroyed first. Any thread; a name is looked up before this returns.
std::unique_ptr<ClientConnection> connect(EventLoop& loop, const ConnectOptions& options, SessionFactory factory,
                                          Function<void(Error)> failed);

}  // namespace headrace::net
