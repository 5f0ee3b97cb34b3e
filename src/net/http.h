// An HTTP/1.1 server: routes, bodies, server-sent events. Beast inside; none of it here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/result.h"
#include "net/event_loops.h"

namespace headrace::net {

struct HttpRequest {
  std::string method;
  std::string path;                            ///< Decoded, without the query.
  std::map<std::string, std::string> query;    ///< Decoded.
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::map<std::string, std::string> params;   ///< From the route's {name} parts.
  std::string body;

  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers;
  std::string body;
};

/// A stream of server-sent events to one client. Thread-safe; a client that does not read is dropped from
/// event_queue_bytes_max on. Letting go of the stream ends the response.
class EventStream {
 public:
  virtual ~EventStream() = default;
  /// False when the client is gone or too slow.
  virtual bool send(std::string_view event, std::string_view data) = 0;
  virtual bool open() const = 0;
  /// Bytes sent and not yet taken by the client, as of the last send(): a sender may skip what a slow client would not
  /// read in time.
  virtual size_t queued_bytes() const { return 0; }
};

/// Answers a request once, from any thread, now or later. Dropped without a call, it answers 500.
using HttpReply = Function<void(HttpResponse)>;

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
  /// Routes are set before start(); HEAD is answered by the GET route. `pattern` is a path with {name} parts, as in
  /// "/v1/topics/{topic}/records"; a last part of "{name...}" takes the rest of the path. The handler runs on an event
  /// loop and must not block.
  virtual void route(std::string method, std::string pattern, Function<void(HttpRequest, HttpReply)> handler) = 0;
  /// A GET route that answers with text/event-stream and hands the stream to `handler`.
  virtual void route_events(std::string pattern, Function<void(HttpRequest, std::shared_ptr<EventStream>)> handler) = 0;
  virtual Status start() = 0;
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  size_t body_bytes_max = 16 << 20;
  size_t event_queue_bytes_max = 4 << 20;
  size_t connections_max = 10'000;
  std::chrono::milliseconds request_timeout{60'000};  ///< From a request's first byte to its last.
  std::chrono::milliseconds idle_timeout{75'000};     ///< Between requests of a connection.
  std::chrono::milliseconds send_timeout{30'000};     ///< Without a byte taken of what is queued.
};

/// The server stops, and its connections end, when it is destroyed: before `loops`, and not on one of them.
std::unique_ptr<HttpServer> make_http_server(EventLoops& loops, HttpOptions options);

}  // namespace headrace::net
