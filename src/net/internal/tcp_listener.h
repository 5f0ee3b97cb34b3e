// A listening socket, and the connections that it accepted.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <mutex>

#include "net/internal/loop.h"
#include "net/internal/tcp_connection.h"

namespace headrace::net::internal {

/// Counts the connections of all listeners together.
class ConnectionRoom {
 public:
  explicit ConnectionRoom(size_t most) : most_(most) {}
  bool take() {
    if (taken_.fetch_add(1) < most_) return true;
    give_back();
    return false;
  }
  void give_back() { taken_.fetch_sub(1); }

 private:
  const size_t most_;
  std::atomic<size_t> taken_{0};
};

/// What a listener shares with its connections: its options, and who of them lives on which loop. An outgoing
/// connection has one of its own (connect.cc).
class ListenerState {
 public:
  ListenerState(ListenOptions options, std::shared_ptr<ConnectionRoom> room, SessionFactory factory, size_t loops);

  const ListenOptions& options() const { return options_; }
  std::unique_ptr<Session> make_session(Connection& connection) { return factory_(connection); }

  /// Counts a connection from accept() to its end; false when there are too many or the listener is closing.
  bool admit();
  /// Takes back an admission that led to no connection, or ends one.
  void release();
  size_t live() const;

  void add(std::shared_ptr<TcpConnection> connection);  ///< On its loop.
  void remove(TcpConnection& connection);               ///< On its loop.
  void close_all(size_t loop);                          ///< On that loop.

  void refuse_new();
  bool refusing() const;
  void wait_until_none();

 private:
  const ListenOptions options_;
  const std::shared_ptr<ConnectionRoom> room_;
  SessionFactory factory_;
  std::vector<std::vector<std::shared_ptr<TcpConnection>>> by_loop_;
  mutable std::mutex mutex_;
  std::condition_variable none_;
  size_t live_ = 0;
  bool refusing_ = false;
};

/// Accepts on its first loop and spreads the connections over all, round robin.
class TcpListener final : public Listener {
 public:
  TcpListener(std::vector<Loop*> loops, boost::asio::ip::tcp::acceptor acceptor, ListenOptions options,
              std::shared_ptr<ConnectionRoom> room, SessionFactory factory, Function<void()> on_closed);
  ~TcpListener() override;
  uint16_t port() const override { return port_; }

 private:
  class Acceptor;
  std::vector<Loop*> loops_;
  std::shared_ptr<ListenerState> state_;
  std::shared_ptr<Acceptor> acceptor_;
  Function<void()> on_closed_;
  uint16_t port_;
};

/// Binds and listens. Errors: kAlreadyExists (port in use), kPermissionDenied, kInvalidArgument (host), kIo.
Result<boost::asio::ip::tcp::acceptor> open_acceptor(Loop& loop, const ListenOptions& options);

}  // namespace headrace::net::internal
