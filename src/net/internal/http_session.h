// One HTTP connection: requests in, one at a time; responses out.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>

#include "net/internal/http_event_stream.h"
#include "net/internal/http_site.h"

namespace headrace::net::internal {

/// The sessions of one loop, for their deadlines. On that loop only.
class HttpSessionList {
 public:
  void add(HttpSession& session);
  void remove(HttpSession& session);
  void check_deadlines(std::chrono::steady_clock::time_point now);

 private:
  std::vector<HttpSession*> sessions_;
};

/// Reading stops while a handler works on a request, so a client that sends many at once (pipelining) is answered one
/// by one and in order. Handlers may answer from any thread: they hold a SessionHandle.
class HttpSession final : public Session {
 public:
  HttpSession(Connection& connection, HttpSite& site, HttpSessionList& list);
  ~HttpSession() override;

  size_t on_bytes(BytesView bytes) override;
  Collected collected() const override;
  bool on_end() override;
  void on_drained() override;
  void on_close() override;

  /// Sends the answer to the request that a handler has. On the loop.
  void finish(HttpResponse response);
  /// Hands waiting events to the connection. On the loop.
  void pump_events();
  /// The application let go of the event stream.
  void end_events();
  void abort() { connection_.close_now(); }
  void check_deadlines(std::chrono::steady_clock::time_point now);

  size_t slot = 0;  ///< Its place in the list.

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class State { kReading, kAnswering, kStreaming, kClosing };

  size_t parse(BytesView bytes);
  void begin_request();
  bool count_header(size_t given, size_t used);
  bool has_too_many_fields() const;
  bool answer_expectation();
  void dispatch();
  void call(HttpRoute& route, HttpRequest request);
  void start_events(HttpRoute& route, HttpRequest request);
  void fail(int status, std::string_view what);
  void send_response(HttpResponse response);

  Connection& connection_;
  HttpSite& site_;
  HttpSessionList& list_;
  std::shared_ptr<SessionHandle> handle_;
  std::unique_ptr<Parser> parser_;  ///< Of the request being read.
  std::shared_ptr<HttpEventStream> stream_;
  State state_ = State::kReading;
  bool keep_alive_ = true;
  bool head_ = false;
  bool http_1_0_ = false;
  bool expectation_answered_ = false;
  bool peer_ended_ = false;
  uint64_t requests_ = 0;
  size_t header_bytes_ = 0;  ///< Of the request being read, as far as it was parsed.
  TimePoint since_;          ///< The request's first byte, or the end of the one before.
  TimePoint last_progress_;  ///< Of sending.
  TimePoint last_event_;
  size_t last_queued_ = 0;
};

}  // namespace headrace::net::internal
