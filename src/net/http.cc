#include "net/http.h"

#include <algorithm>

#include "net/internal/http_session.h"
#include "net/run_and_wait.h"

namespace headrace::net {
namespace {

using internal::HttpRoute;
using internal::HttpSessionList;
using internal::HttpSite;
using internal::RoutePattern;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// The sessions of one loop and the timer that looks at their deadlines.
class HttpLoop {
 public:
  HttpLoop(EventLoop& loop, milliseconds interval) : loop_(loop), interval_(interval) {}

  HttpSessionList& sessions() { return sessions_; }
  void start() {
    loop_.post([this] { arm(); });
  }
  void stop() {
    run_and_wait(loop_, [this] { timer_.reset(); });
  }

 private:
  void arm() {
    timer_ = loop_.after(interval_, [this] {
      sessions_.check_deadlines(steady_clock::now());
      arm();
    });
  }

  EventLoop& loop_;
  const milliseconds interval_;
  HttpSessionList sessions_;
  std::unique_ptr<EventLoop::Timer> timer_;
};

/// How often deadlines are looked at: often enough for the shortest of them.
milliseconds deadline_interval(const HttpOptions& options) {
  milliseconds shortest = std::min({options.request_timeout, options.idle_timeout, options.send_timeout});
  return std::clamp(shortest / 4, milliseconds(10), milliseconds(1000));
}

class LoopHttpServer final : public HttpServer {
 public:
  LoopHttpServer(EventLoops& loops, HttpOptions options) : loops_(loops), site_{std::move(options), {}} {}
  ~LoopHttpServer() override {
    listener_.reset();
    for (auto& loop : http_loops_) loop->stop();
  }

  uint16_t port() const override { return listener_ ? listener_->port() : site_.options.port; }

  void route(std::string method, std::string pattern, Function<void(HttpRequest, HttpReply)> handler) override {
    CHECK(!listener_);
    site_.routes.push_back({std::move(method), RoutePattern(pattern), std::move(handler), {}});
  }

  void route_events(std::string pattern, Function<void(HttpRequest, std::shared_ptr<EventStream>)> handler) override {
    CHECK(!listener_);
    site_.routes.push_back({"GET", RoutePattern(pattern), {}, std::move(handler)});
  }

  Status start() override {
    CHECK(!listener_);
    for (size_t i = 0; i < loops_.size(); ++i) {
      http_loops_.push_back(std::make_unique<HttpLoop>(loops_.loop(i), deadline_interval(site_.options)));
    }
    ListenOptions options{.host = site_.options.host,
                          .port = site_.options.port,
                          .receive_bytes_max = 1 << 20,
                          .connections_max = site_.options.connections_max,
                          .name = "http"};
    auto listener = loops_.listen(options, [this](Connection& connection) {
      auto& list = http_loops_[connection.loop().index()]->sessions();
      return std::make_unique<internal::HttpSession>(connection, site_, list);
    });
    if (!listener.ok()) {
      http_loops_.clear();
      return listener.error();
    }
    listener_ = *std::move(listener);
    for (auto& loop : http_loops_) loop->start();
    return {};
  }

 private:
  EventLoops& loops_;
  HttpSite site_;
  std::vector<std::unique_ptr<HttpLoop>> http_loops_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace

std::unique_ptr<HttpServer> make_http_server(EventLoops& loops, HttpOptions options) {
  return std::make_unique<LoopHttpServer>(loops, std::move(options));
}

}  // namespace headrace::net
