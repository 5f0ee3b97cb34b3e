#include "net/http.h"

#include <fmt/format.h>

#include <future>
#include <thread>

#include "net/internal/http_event_stream.h"
#include "net/internal/http_route.h"
#include "net/internal/http_session.h"
#include "net/socketless.h"
#include "net/testing.h"

namespace headrace::net {
namespace {

using namespace std::chrono_literals;
using internal::RoutePattern;
using testing::HasSubstr;
using testing::StartsWith;

class HttpTest : public testing::Test {
 protected:
  void start() {
    server_ = make_http_server(*loops_, options_);
    server_->route("GET", "/hello", [](HttpRequest r, HttpReply reply) { reply({.body = "hi " + r.query["name"]}); });
    server_->route("POST", "/echo", [](HttpRequest r, HttpReply reply) { reply({.body = r.body}); });
    server_->route("POST", "/v1/topics/{topic}/records",
                   [](HttpRequest r, HttpReply reply) { reply({.body = r.params["topic"]}); });
    server_->route("GET", "/files/{path...}",
                   [](HttpRequest r, HttpReply reply) { reply({.body = r.params["path"]}); });
    server_->route("GET", "/late", [](HttpRequest r, HttpReply reply) {
      std::thread([number = r.query["n"], reply = std::move(reply)]() mutable { reply({.body = number}); }).detach();
    });
    server_->route("GET", "/dropped", [](HttpRequest, HttpReply) {});
    server_->route("GET", "/big", [](HttpRequest, HttpReply reply) { reply({.body = std::string(8 << 20, 'b')}); });
    server_->route("GET", "/evil", [](HttpRequest r, HttpReply reply) {
      reply({.headers = {{"X-Echo", r.query["v"]}}});
    });
    server_->route("GET", "/page", [this](HttpRequest, HttpReply reply) {
      ++pages_;
      reply({.body = std::string(100'000, 'p')});
    });
    server_->route_events("/events", [this](HttpRequest, std::shared_ptr<EventStream> s) { stream_.set_value(s); });
    auto status = server_->start();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  TestClient client() { return TestClient(server_->port()); }

  /// Status line, headers and body of one response with a Content-Length.
  static std::string response(TestClient& client) {
    std::string head = client.read_until("\r\n\r\n");
    size_t at = head.find("Content-Length: ");
    return at == std::string::npos ? head : head + client.read(std::stoul(head.substr(at + 16)));
  }
  /// Pipelined; each is answered with its number, from another thread.
  static std::string late_requests(int count) {
    std::string requests;
    for (int i = 0; i < count; ++i) requests += fmt::format("GET /late?n={} HTTP/1.1\r\nHost: x\r\n\r\n", i);
    return requests;
  }
  std::string ask(std::string_view request) {
    auto c = client();
    c.send(request);
    return response(c);
  }

  HttpOptions options_;
  std::atomic<int> pages_{0};  ///< Times that /page was called.
  std::promise<std::shared_ptr<EventStream>> stream_;
  std::unique_ptr<EventLoops> loops_ = EventLoops::start(2);
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTest, AnswersOneRequestAfterTheOtherOnAConnection) {
  start();
  auto c = client();
  for (std::string name : {"ann", "bob", "eve"}) {
    c.send("GET /hello?name=" + name + " HTTP/1.1\r\nHost: x\r\n\r\n");
    std::string answer = response(c);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nhi " + name));
  }
}

TEST_F(HttpTest, RequestInSingleBytesIsUnderstood) {
  start();
  auto c = client();
  std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  for (char byte : request) c.send({&byte, 1});
  EXPECT_THAT(response(c), HasSubstr("\r\n\r\nhello"));
}

TEST_F(HttpTest, PipelinedRequestsAreAnsweredInOrderEvenIfHandlersAnswerLate) {
  start();
  auto c = client();
  c.send(late_requests(200));
  for (int i = 0; i < 200; ++i) EXPECT_THAT(response(c), testing::EndsWith(fmt::format("\r\n\r\n{}", i)));
}

TEST_F(HttpTest, ChunkedBodyIsPutTogether) {
  start();
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"),
              HasSubstr("\r\n\r\nhello world"));
}

TEST(HttpSession, ChunkedBodyInSingleBytesIsPutTogether) {
  internal::HttpSite site;
  auto echo = [](HttpRequest r, HttpReply reply) { reply({.body = r.body}); };
  site.routes.push_back({"POST", RoutePattern("/echo"), echo, {}});
  for (std::string_view body : {"0\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "0\r\nT: y\r\n\r\n"}) {
    SocketlessLoop loop;
    SocketlessConnection connection(loop);
    connection.keeps_sent = true;
    internal::HttpSessionList sessions;
    internal::HttpSession session(connection, site, sessions);
    session.on_bytes(as_bytes("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    std::string rest;
    for (char byte : body) {
      rest += byte;
      rest.erase(0, session.on_bytes(as_bytes(rest)));
    }
    EXPECT_THAT(connection.sent, StartsWith("HTTP/1.1 200 ")) << body;
  }
}

TEST_F(HttpTest, BodyOverTheLimitIs413AndTheConnectionCloses) {
  options_.body_bytes_max = 1000;
  start();
  auto c = client();
  c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_THAT(c.read_all(), StartsWith("HTTP/1.1 413 "));
  auto chunked = client();
  chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 3; ++i) chunked.send("200\r\n" + std::string(512, 'x') + "\r\n");
  EXPECT_THAT(chunked.read_all(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpTest, ExpectContinueIsAnsweredBeforeTheBody) {
  start();
  auto c = client();
  c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(c.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("ok");
  EXPECT_THAT(response(c), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: magic\r\n\r\n"),
              StartsWith("HTTP/1.1 417 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: magic\r\n\r\nok"),
              StartsWith("HTTP/1.1 417 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: magic\r\n\r\nok"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTest, HeadHasTheLengthOfTheBodyAndNoBody) {
  start();
  auto c = client();
  c.send("HEAD /hello?name=ann HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer = c.read_all();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpTest, UnknownPathIs404AndWrongMethodIs405WithWhatIsAllowed) {
  start();
  EXPECT_THAT(ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  std::string answer = ask("DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(answer, HasSubstr("Allow: POST\r\n"));
}

TEST_F(HttpTest, ParametersOfThePathAreDecoded) {
  start();
  EXPECT_THAT(ask("POST /v1/topics/a%2Fb/records HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
              testing::EndsWith("\r\n\r\na/b"));
  EXPECT_THAT(ask("GET /files/js/app.js?v=1 HTTP/1.1\r\nHost: x\r\n\r\n"), testing::EndsWith("\r\n\r\njs/app.js"));
  EXPECT_THAT(ask("GET /files/%zz HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpTest, MalformedRequestsAreAnswered400AndTheConnectionCloses) {
  start();
  for (std::string_view bad : {"\x16\x03\x01 no http\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
                               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                               "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    auto c = client();
    c.send(bad);
    EXPECT_THAT(c.read_all(), StartsWith("HTTP/1.1 400 ")) << bad;
  }
}

TEST_F(HttpTest, AHeaderOverItsLimitsIs431HoweverItArrives) {
  start();
  const std::string line = "GET /hello HTTP/1.1\r\nHost: x\r\n", field = "X: " + std::string(1000, 'h') + "\r\n";
  std::string large_fields, many_fields;
  for (int i = 0; i < 70; ++i) large_fields += field;
  for (int i = 0; i < 100; ++i) many_fields += "X: y\r\n";
  for (const std::string& bad : {"X: " + std::string(100'000, 'h') + "\r\n", large_fields, many_fields}) {
    auto at_once = client();
    at_once.send(line + bad + "\r\n");
    EXPECT_THAT(at_once.read_all(), StartsWith("HTTP/1.1 431 ")) << bad.size();
    auto in_pieces = client();
    in_pieces.send(line);
    for (size_t at = 0; at < bad.size(); at += 1005) in_pieces.send(std::string_view(bad).substr(at, 1005));
    in_pieces.send("\r\n");
    EXPECT_THAT(in_pieces.read_all(), StartsWith("HTTP/1.1 431 ")) << bad.size();
  }
  EXPECT_THAT(ask(line + large_fields.substr(0, 60 * field.size()) + "\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(line + many_fields.substr(0, 99 * 6) + "\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTest, ATrailerOverTheHeadersLimitsIs431) {
  start();
  const std::string begin = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
  std::string large, many, some;
  for (int i = 0; i < 70; ++i) large += "X: " + std::string(1000, 't') + "\r\n";
  for (int i = 0; i < 99; ++i) many += "X: y\r\n";
  for (int i = 0; i < 98; ++i) some += "X: y\r\n";
  for (const std::string& bad : {large, many}) {
    auto c = client();
    c.send(begin + bad + "\r\n");
    EXPECT_THAT(c.read_all(), StartsWith("HTTP/1.1 431 ")) << bad.size();
  }
  EXPECT_THAT(ask(begin + some + "\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTest, TheHeadersLimitsAreOfEachRequest) {
  start();
  const std::string field = "X: " + std::string(10'000, 'h') + "\r\n";
  const std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\n" + field + "Content-Length: 100000\r\n\r\n";
  auto c = client();
  for (int i = 0; i < 10; ++i) {
    c.send(request + std::string(100'000, 'b'));
    EXPECT_THAT(response(c), StartsWith("HTTP/1.1 200 "));
  }
}

TEST_F(HttpTest, ClientThatClosesItsSideStillGetsItsAnswer) {
  start();
  auto c = client();
  c.send("GET /late?n=7 HTTP/1.1\r\nHost: x\r\n\r\n");
  c.shutdown_send();
  EXPECT_THAT(c.read_all(), testing::EndsWith("\r\n\r\n7"));
}

TEST_F(HttpTest, AllThatAClientSentBeforeItsEndIsAnswered) {
  start();
  auto c = client();
  c.send(late_requests(200));
  c.shutdown_send();
  for (int i = 0; i < 200; ++i) ASSERT_THAT(response(c), testing::EndsWith(fmt::format("\r\n\r\n{}", i)));
  EXPECT_EQ(c.read_all(), "");
}

TEST_F(HttpTest, RequestsOfAClientThatDoesNotReadWait) {
  constexpr int kRequests = 1000;
  start();
  auto c = client();
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += "GET /page HTTP/1.1\r\nHost: x\r\n\r\n";
  c.send(requests);
  EXPECT_THAT(response(c), StartsWith("HTTP/1.1 200 "));
  // Beside what the sockets hold no more than the limit is made ready.
  EXPECT_LT(pages_, kRequests / 2);
  for (int i = 1; i < kRequests; ++i) ASSERT_THAT(response(c), testing::EndsWith("ppp"));
  EXPECT_EQ(pages_, kRequests);
}

TEST_F(HttpTest, Http10ClosesUnlessAskedToKeepTheConnection) {
  start();
  auto c = client();
  c.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_THAT(c.read_all(), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), HasSubstr("Connection: keep-alive\r\n"));
}

TEST_F(HttpTest, RequestThatAHandlerDropsIs500) {
  start();
  EXPECT_THAT(ask("GET /dropped HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpTest, HeaderValuesCannotStartALine) {
  start();
  EXPECT_THAT(ask("GET /evil?v=a%0d%0aSet-Cookie:%20b HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("X-Echo: a  Set-Cookie"));
}

TEST_F(HttpTest, SlowClientsAreCutOff) {
  options_.request_timeout = 100ms;
  options_.idle_timeout = 50ms;
  start();
  auto slow = client();
  slow.send("GET /hello HTT");
  EXPECT_THAT(slow.read_all(), StartsWith("HTTP/1.1 408 "));
  auto idle = client();
  EXPECT_TRUE(idle.wait_closed());
}

TEST_F(HttpTest, ClientThatReadsNothingIsCutOff) {
  options_.send_timeout = 100ms;
  start();
  auto c = client();
  for (int i = 0; i < 10; ++i) c.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  pollfd wait{c.fd(), POLLRDHUP, 0};
  EXPECT_EQ(::poll(&wait, 1, 10'000), 1);
}

TEST_F(HttpTest, EventsArriveUntilTheApplicationLetsGo) {
  start();
  auto c = client();
  c.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(c.read_until("\r\n\r\n"), HasSubstr("text/event-stream"));
  auto stream = stream_.get_future().get();
  EXPECT_TRUE(stream->send("tick", "one\ntwo"));
  EXPECT_EQ(c.read_until("\n\n"), "event: tick\ndata: one\ndata: two\n\n");
  EXPECT_TRUE(stream->send("", "last"));
  stream.reset();
  EXPECT_EQ(c.read_all(), "data: last\n\n");
}

TEST_F(HttpTest, EventClientThatDoesNotReadIsDroppedAtTheLimit) {
  options_.event_queue_bytes_max = 1 << 20;
  start();
  auto c = client();
  c.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = stream_.get_future().get();
  std::string data(10'000, 'd');
  int sent = 0;
  while (sent < 100'000 && stream->send("", data)) ++sent;
  EXPECT_LT(sent, 100'000);
  EXPECT_FALSE(stream->open());
  EXPECT_TRUE(c.wait_closed());
}

TEST_F(HttpTest, EventStreamKnowsThatTheClientLeft) {
  start();
  auto c = client();
  c.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = stream_.get_future().get();
  EXPECT_TRUE(stream->open());
  c.close();
  auto until = std::chrono::steady_clock::now() + 10s;
  while (stream->open() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(stream->open());
}

TEST_F(HttpTest, ServerStopsWhileRequestsAndStreamsAreOpen) {
  start();
  auto c = client();
  c.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = stream_.get_future().get();
  auto idle = client();
  server_.reset();
  EXPECT_FALSE(stream->send("", "x"));
  EXPECT_TRUE(c.wait_closed());
}

TEST_F(HttpTest, PortInUseIsAnError) {
  start();
  auto second = make_http_server(*loops_, {.port = server_->port()});
  auto status = second->start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kAlreadyExists);
}

TEST(RoutePattern, MatchesWholePathsOnly) {
  RoutePattern pattern("/v1/{a}/x/{b}");
  EXPECT_EQ(pattern.match("/v1/1/x/2"), (RoutePattern::Params{{"a", "1"}, {"b", "2"}}));
  for (auto path : {"/v1/1/x", "/v1/1/x/", "/v1/1/x/2/", "/v1//x/2", "/v1/1/y/2", "v1/1/x/2", ""}) {
    EXPECT_EQ(pattern.match(path), std::nullopt) << path;
  }
  EXPECT_EQ(RoutePattern("/").match("/"), RoutePattern::Params{});
  EXPECT_EQ(RoutePattern("/{rest...}").match("/"), (RoutePattern::Params{{"rest", ""}}));
  EXPECT_EQ(RoutePattern("/a/{rest...}").match("/a"), (RoutePattern::Params{{"rest", ""}}));
}

TEST(UrlDecode, RefusesBrokenEscapesAndNuls) {
  EXPECT_EQ(internal::url_decode("a%20b+c", false), "a b+c");
  EXPECT_EQ(internal::url_decode("a%20b+c", true), "a b c");
  for (auto bad : {"%", "%1", "%g0", "%00"}) EXPECT_EQ(internal::url_decode(bad, false), std::nullopt) << bad;
  EXPECT_EQ(internal::parse_query("a=1&&b&a=2&c=%26"),
            (std::map<std::string, std::string>{{"a", "2"}, {"b", ""}, {"c", "&"}}));
}

}  // namespace
}  // namespace headrace::net
