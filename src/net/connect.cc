#include "net/connect.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <future>

#include "net/internal/tcp_listener.h"

namespace headrace::net {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using internal::ListenerState;
using internal::Loop;
using internal::TcpConnection;

/// A connection attempt; once connected, the ListenerState holds the one connection there is.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(Loop& loop, ConnectOptions options, SessionFactory factory, Function<void(Error)> failed)
      : loop_(loop), options_(std::move(options)), socket_(loop.context()), failed_(std::move(failed)) {
    ListenOptions listen{.host = options_.host,
                         .port = options_.port,
                         .receive_bytes_max = options_.receive_bytes_max,
                         .send_queue_low_bytes = options_.send_queue_low_bytes,
                         .name = options_.name};
    state_ = std::make_shared<ListenerState>(std::move(listen), std::make_shared<internal::ConnectionRoom>(1),
                                             std::move(factory), loop.index() + 1);
  }

  void start(tcp::resolver::results_type endpoints) {
    endpoints_ = std::move(endpoints);
    timer_ = loop_.after(options_.timeout, [this] { fail(ErrorCode::kTimedOut, "no answer in time"); });
    boost::asio::async_connect(socket_, endpoints_, [self = shared_from_this()](const error_code& error, const auto&) {
      self->on_connect(error);
    });
  }
  void fail(ErrorCode code, std::string_view why) {
    timer_.reset();
    error_code ignored;
    socket_.close(ignored);
    auto failed = std::exchange(failed_, {});
    if (failed) failed({code, fmt::format("connecting to {}:{}: {}", options_.host, options_.port, why)});
  }
  /// On the loop: gives up or closes.
  void cancel() {
    failed_ = {};
    timer_.reset();
    error_code ignored;
    socket_.close(ignored);
    state_->refuse_new();
    state_->close_all(loop_.index());
  }
  Loop& loop() { return loop_; }
  const std::shared_ptr<ListenerState>& state() const { return state_; }

 private:
  void on_connect(const error_code& error) {
    if (!failed_) return;
    if (error) return fail(ErrorCode::kUnavailable, error.message());
    timer_.reset();
    failed_ = {};
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    if (!state_->admit()) return;
    auto connection = std::make_shared<TcpConnection>(loop_, std::move(socket_), state_);
    state_->add(connection);
    connection->start();
  }

  Loop& loop_;
  ConnectOptions options_;
  tcp::socket socket_;
  tcp::resolver::results_type endpoints_;
  Function<void(Error)> failed_;
  std::unique_ptr<EventLoop::Timer> timer_;
  std::shared_ptr<ListenerState> state_;
};

class Client final : public ClientConnection {
 public:
  explicit Client(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
  ~Client() override {
    if (attempt_->loop().in_loop()) {
      attempt_->cancel();
      return;
    }
    std::promise<void> cancelled;
    attempt_->loop().post([&] {
      attempt_->cancel();
      cancelled.set_value();
    });
    cancelled.get_future().wait();
    attempt_->state()->wait_until_none();
  }

 private:
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace

std::unique_ptr<ClientConnection> connect(EventLoop& event_loop, const ConnectOptions& options, SessionFactory factory,
                                          Function<void(Error)> failed) {
  auto& loop = static_cast<Loop&>(event_loop);
  auto attempt = std::make_shared<Attempt>(loop, options, std::move(factory), std::move(failed));
  error_code error;
  auto endpoints = tcp::resolver(loop.context()).resolve(options.host, std::to_string(options.port), error);
  if (error) {
    loop.post([attempt, why = error.message()] { attempt->fail(ErrorCode::kNotFound, why); });
  } else {
    loop.post([attempt, endpoints = std::move(endpoints)]() mutable { attempt->start(std::move(endpoints)); });
  }
  return std::make_unique<Client>(std::move(attempt));
}

}  // namespace headrace::net
