// Blocking sockets for tests of servers: loopback only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace headrace::net {

/// A blocking client socket. Reads give up after a minute.
class TestClient {
 public:
  explicit TestClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    CHECK(fd_ >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval timeout{60, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  TestClient(TestClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), received_(std::move(other.received_)) {}
  TestClient& operator=(TestClient&&) = delete;
  ~TestClient() { close(); }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  /// Sends all of `bytes`; false when the peer has gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  /// Sends what the socket takes without waiting for its reader; the bytes that went.
  size_t send_without_waiting(std::string_view bytes) {
    ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<size_t>(sent) : 0;
  }

  /// Exactly `bytes` bytes, or fewer when the peer ends first.
  std::string read(size_t bytes) {
    while (received_.size() < bytes && receive()) {
    }
    return take(std::min(bytes, received_.size()));
  }
  /// Everything up to and with `mark`.
  std::string read_until(std::string_view mark) {
    while (received_.find(mark) == std::string::npos && receive()) {
    }
    size_t at = received_.find(mark);
    return take(at == std::string::npos ? received_.size() : at + mark.size());
  }
  /// Everything until the peer ends.
  std::string read_all() {
    while (receive()) {
    }
    return take(received_.size());
  }
  /// Whether the peer closes or resets within the time-out; what comes before is dropped.
  bool wait_closed() {
    while (receive()) received_.clear();
    return ended_;
  }

  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }
  /// Closes with a reset.
  void reset() {
    linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  bool receive() {
    char buffer[65536];
    ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (got > 0) received_.append(buffer, static_cast<size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN)) ended_ = true;
    return got > 0;
  }
  std::string take(size_t bytes) {
    std::string taken = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return taken;
  }

  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace headrace::net
