// The requests of a connection, from their bytes to what the routes see: a session without a socket.
//
//   input := seed:u8 stream      (the seed chooses the pieces in which the stream comes)
//
// What is answered must not depend on how the bytes arrive.
#include <fmt/format.h>

#include "base/fuzzing.h"
#include "base/logging.h"
#include "net/internal/http_session.h"
#include "net/socketless.h"

namespace headrace::net::internal {
namespace {

constexpr size_t kBodyBytesMax = 1000;
/// The header's limit, and the body's.
constexpr size_t kCollectedBytesMax = (64 << 10) + kBodyBytesMax;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

void add_route(HttpSite& site, std::string method, std::string_view pattern) {
  // What the handler was given, so that two answers tell whether it was the same: as a number, in which nothing reads
  // as the beginning of an answer.
  auto tell = [](HttpRequest request, HttpReply reply) {
    std::string told = request.path + "\n" + request.body + "\n";
    for (const auto* entries : {&request.query, &request.params, &request.headers}) {
      for (const auto& [name, value] : *entries) told += name + "=" + value + "\n";
    }
    reply({.body = fmt::format("{:x}", std::hash<std::string>()(told))});
  };
  site.routes.push_back({std::move(method), RoutePattern(pattern), tell, {}});
}

HttpSite make_site() {
  HttpSite site;
  site.options.body_bytes_max = kBodyBytesMax;
  add_route(site, "POST", "/v1/topics/{topic}/records");
  site.routes.push_back(
      {"GET", RoutePattern("/dropped"), [](HttpRequest, HttpReply) {}, {}});  // Answered 500 by the server.
  site.routes.push_back({"GET", RoutePattern("/events"), {}, [](HttpRequest, std::shared_ptr<EventStream>) {}});
  // So that no 404 tells a path.
  for (std::string method : {"GET", "POST", "PUT"}) add_route(site, method, "/{path...}");
  return site;
}

/// All that is answered to `stream` when it comes in pieces of the sizes that `next_size` says.
template <typename NextSize>
std::string answers_to(HttpSite& site, std::string_view stream, NextSize next_size) {
  SocketlessLoop loop;
  SocketlessConnection connection(loop);
  connection.keeps_sent = true;
  HttpSessionList sessions;
  {
    HttpSession session(connection, site, sessions);
    deliver_in_pieces(connection, stream, next_size, [&](std::string& rest) {
      size_t used = session.on_bytes(as_bytes(rest));
      CHECK(used <= rest.size());
      rest.erase(0, used);
      CHECK(session.collected().bytes <= kCollectedBytesMax);
    });
    if (!connection.closed) session.on_end();
    session.on_close();
  }
  loop.run();
  return std::move(connection.sent);
}

/// Who sends all at once does not wait for "100 Continue".
std::string without_continues(std::string answers) {
  for (size_t at = 0; (at = answers.find(kContinue, at)) != std::string::npos;) answers.erase(at, kContinue.size());
  return answers;
}

/// What stands before a refusal at the end: which of several reasons is told, and whether it is told before the header
/// is there to its end, may depend on the pieces.
std::string_view without_refusal(std::string_view answers) {
  size_t end = 0;
  for (std::string_view refusal : {"HTTP/1.1 400 ", "HTTP/1.1 413 ", "HTTP/1.1 417 ", "HTTP/1.1 431 "}) {
    if (size_t at = answers.rfind(refusal); at != std::string_view::npos) end = std::max(end, at + 1);
  }
  return end > 0 ? answers.substr(0, end - 1) : answers;
}

// --- Seeds

constexpr std::string_view kSamples[] = {
    "GET /files/a/b%20c?q=1&r=%c3%a9+x HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /files/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "POST /v1/topics/t/records HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    "POST /v1/topics/t/records HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
    "POST /v1/topics/t/records HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    "POST /v1/topics/t/records HTTP/1.1\r\nHost: h\r\nExpect: 42\r\nContent-Length: 2\r\n\r\nok",
    "GET /files/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /dropped HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /events HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /events HTTP/1.1\r\nHost: h\r\n\r\n",
};

void write_seeds(const std::string& directory) {
  std::string all;
  for (size_t i = 0; i < std::size(kSamples); ++i) {
    all += kSamples[i];
    write_seed(directory, "one-" + std::to_string(i), as_bytes("\x10" + std::string(kSamples[i])));
    write_seed(directory, "run-" + std::to_string(i), as_bytes("\x80" + all));
  }
  std::string begun = "\xffGET /files/x HTTP/1.1\r\nHost: h\r\n", many, large = "X: " + std::string(1000, 'h') + "\r\n";
  for (int i = 0; i < 99; ++i) many += "X: y\r\n";
  write_seed(directory, "fields-100", as_bytes(begun + many + "\r\n"));
  write_seed(directory, "fields-101", as_bytes(begun + many + "X: y\r\n\r\n"));
  std::string header;
  for (int i = 0; i < 66; ++i) header += large;
  write_seed(directory, "header-large", as_bytes(begun + header + "\r\n"));
}

}  // namespace
}  // namespace headrace::net::internal

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  using namespace headrace;
  write_seeds_if_asked(*count, *arguments, net::internal::write_seeds);
  set_log_level(LogLevel::kError);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::net::internal;
  if (size == 0) return 0;
  static HttpSite site = make_site();
  std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string at_once = without_continues(answers_to(site, stream, [] { return SIZE_MAX; }));
  std::string in_pieces =
      without_continues(answers_to(site, stream, headrace::net::PieceSizes(data[0], stream.size())));
  CHECK(without_refusal(at_once) == without_refusal(in_pieces));
  return 0;
}
