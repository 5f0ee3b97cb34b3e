// An HTTP/1.1 server: routes, bodies, server-sent events. Beast inside; none of it here.
#pragma once

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
  std::string path;                          ///< Decoded, without the query.
  std::map<std::string, std::string> query;  ///< Decoded.
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
/// event_queue_bytes_max on.
class EventStream {
 public:
  virtual ~EventStream() = default;
  /// False when the client is gone or too slow.
  virtual bool send(std::string_view event, std::string_view data) = 0;
  virtual bool open() const = 0;
};

/// Answers a request exactly once, from any thread, now or later.
using HttpReply = Function<void(HttpResponse)>;

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
  /// Routes are set before start(). `pattern` is a path with {name} parts, as in "/v1/topics/{topic}/records"; a last
  /// part of "{name...}" takes the rest of the path. The handler runs on an event loop and must not block.
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
};

std::unique_ptr<HttpServer> make_http_server(EventLoops& loops, HttpOptions options);

}  // namespace headrace::net
