// What the sessions of an HTTP server share: its options and routes.
#pragma once

#include <string>
#include <vector>

#include "net/http.h"
#include "net/internal/http_route.h"

namespace headrace::net::internal {

struct HttpRoute {
  std::string method;
  RoutePattern pattern;
  // One of the two.
  Function<void(HttpRequest, HttpReply)> handler;
  Function<void(HttpRequest, std::shared_ptr<EventStream>)> events;
};

/// Written before start() only. Handlers are called from all loops.
struct HttpSite {
  HttpOptions options;
  std::vector<HttpRoute> routes;
};

}  // namespace headrace::net::internal
