#include "net/internal/http_session.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>

#include "net/internal/http_message.h"

namespace headrace::net::internal {
namespace {

namespace http = boost::beast::http;
using std::chrono::steady_clock;

/// The request line and all fields together.
constexpr uint32_t kHeaderBytesMax = 64 << 10;
constexpr size_t kHeaderFieldsMax = 100;
/// Response bytes that wait for a slow reader before its next request is taken up.
constexpr size_t kQueuedResponseBytesMax = 1 << 20;
/// The end of a chunked body is no shorter: "0\r\n\r\n".
constexpr size_t kChunkedEndBytesMin = 5;
/// Bodies up to this are sent together with their header.
constexpr size_t kInlineBodyBytesMax = 4 << 10;
/// A comment goes to a quiet event stream this often, so that a dead client is noticed.
constexpr std::chrono::seconds kEventHeartbeat{15};

/// Answers 500 when it is destroyed without having been called.
class OneReply {
 public:
  explicit OneReply(std::shared_ptr<SessionHandle> handle) : handle_(std::move(handle)) {}
  OneReply(OneReply&&) = default;
  OneReply& operator=(OneReply&&) = default;
  ~OneReply() {
    if (handle_) (*this)(error_response(500, "the request was dropped without an answer"));
  }

  void operator()(HttpResponse response) {
    auto handle = std::exchange(handle_, nullptr);
    if (!handle) return;
    if (handle->loop.in_loop()) {
      if (handle->session) handle->session->finish(std::move(response));
      return;
    }
    EventLoop& loop = handle->loop;
    loop.post([handle = std::move(handle), response = std::move(response)]() mutable {
      if (handle->session) handle->session->finish(std::move(response));
    });
  }

 private:
  std::shared_ptr<SessionHandle> handle_;
};

SharedBytes share(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  BytesView view = as_bytes(*owner);
  return {std::move(owner), view};
}

}  // namespace

void HttpSessionList::add(HttpSession& session) {
  session.slot = sessions_.size();
  sessions_.push_back(&session);
}

void HttpSessionList::remove(HttpSession& session) {
  sessions_[session.slot] = sessions_.back();
  sessions_[session.slot]->slot = session.slot;
  sessions_.pop_back();
}

void HttpSessionList::check_deadlines(steady_clock::time_point now) {
  for (HttpSession* session : sessions_) session->check_deadlines(now);
}

HttpSession::HttpSession(Connection& connection, HttpSite& site, HttpSessionList& list)
    : connection_(connection),
      site_(site),
      list_(list),
      handle_(std::make_shared<SessionHandle>(SessionHandle{connection.loop(), this})),
      since_(steady_clock::now()),
      last_progress_(since_) {
  list_.add(*this);
}

HttpSession::~HttpSession() { list_.remove(*this); }

void HttpSession::on_close() {
  handle_->session = nullptr;
  if (stream_) stream_->set_closed();
}

bool HttpSession::on_end() {
  peer_ended_ = true;
  // A client may send its request, close its side and wait for the answer.
  return state_ == State::kAnswering;
}

size_t HttpSession::on_bytes(BytesView bytes) {
  if (state_ == State::kStreaming || state_ == State::kClosing) return bytes.size();
  size_t used = 0;
  bool congested = false;
  while (state_ == State::kReading && used < bytes.size()) {
    congested = connection_.queued_bytes() > kQueuedResponseBytesMax;
    if (congested) break;
    size_t parsed = parse(bytes.subspan(used));
    if (parsed == 0) break;
    used += parsed;
  }
  if (state_ == State::kAnswering || congested) connection_.pause_reading();
  return state_ == State::kClosing ? bytes.size() : used;
}

Session::Collected HttpSession::collected() const {
  if (!parser_) return {};
  size_t bytes = header_bytes_ + parser_->get().body().size();
  if (!parser_->is_header_done()) return {bytes, 0, requests_};
  return {bytes, header_bytes_ + parser_->content_length().value_or(site_.options.body_bytes_max), requests_};
}

void HttpSession::on_drained() {
  if (state_ == State::kReading) connection_.resume_reading();
  pump_events();
}

// Reading a request.

size_t HttpSession::parse(BytesView bytes) {
  if (!parser_) begin_request();
  bool in_header = !parser_->is_header_done();
  // Beast 1.81 asserts that it is given so much of it (mended by its pull request 2861).
  if (!in_header && parser_->chunked() && bytes.size() < kChunkedEndBytesMin) return 0;
  // So much of a header at the most; and of a chunk's, trailers included, at once.
  bytes = bytes.first(std::min(bytes.size(), in_header ? kHeaderBytesMax - header_bytes_ : kHeaderBytesMax));
  boost::system::error_code error;
  size_t used = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error == http::error::need_more) error = {};
  bool too_large = in_header ? !count_header(bytes.size(), used) : used == 0 && bytes.size() == kHeaderBytesMax;
  bool too_many = (in_header || parser_->is_done()) && has_too_many_fields();
  if (!error && (too_large || too_many)) error = http::error::header_limit;
  if (error == http::error::body_limit) {
    fail(413, fmt::format("the body is over the limit of {} bytes", site_.options.body_bytes_max));
  } else if (error == http::error::header_limit) {
    fail(431, fmt::format("the header is over the limit of {} bytes or {} fields", kHeaderBytesMax, kHeaderFieldsMax));
  } else if (error) {
    fail(400, "not a valid HTTP/1.1 request: " + error.message());
  } else if (parser_->is_header_done() && !answer_expectation()) {
    fail(417, "the only expectation that is met is 100-continue");
  } else if (parser_->is_done()) {
    dispatch();
  }
  return used;
}

void HttpSession::begin_request() {
  ++requests_;
  parser_ = std::make_unique<Parser>();
  parser_->eager(true);
  parser_->header_limit(kHeaderBytesMax);
  parser_->body_limit(site_.options.body_bytes_max);
  expectation_answered_ = false;
  header_bytes_ = 0;
  since_ = steady_clock::now();
}

/// Of `given` bytes the parser took `used`, with what follows the header. False: the header is over its limits. The
/// parser's own limit is one of what it is given at once.
bool HttpSession::count_header(size_t given, size_t used) {
  bool over = !parser_->is_header_done() && header_bytes_ + given == kHeaderBytesMax;
  const auto& message = parser_->get();
  header_bytes_ += used - std::min(used, message.body().size());
  return !over;
}

/// Of the header and the trailer.
bool HttpSession::has_too_many_fields() const {
  const auto& message = parser_->get();
  return std::distance(message.begin(), message.end()) > static_cast<ptrdiff_t>(kHeaderFieldsMax);
}

/// False: the client expects something else than "100 Continue" (RFC 9110, 10.1.1).
bool HttpSession::answer_expectation() {
  if (std::exchange(expectation_answered_, true)) return true;
  const auto& message = parser_->get();
  auto expect = message[http::field::expect];
  if (expect.empty() || message.version() < 11) return true;
  if (!boost::beast::iequals(expect, "100-continue")) return false;
  if (!parser_->is_done()) connection_.send_copy(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
  return true;
}

// Answering.

void HttpSession::dispatch() {
  auto message = parser_->release();
  parser_.reset();
  keep_alive_ = message.keep_alive();
  http_1_0_ = message.version() < 11;
  head_ = message.method() == http::verb::head;
  state_ = State::kAnswering;
  if (!http_1_0_ && message[http::field::host].empty() && message.count(http::field::host) == 0) {
    return fail(400, "a Host header is required");
  }
  std::string target(message.target());
  auto request = to_request(std::move(message));
  if (!request) return fail(400, "the request target is malformed");
  std::string path = raw_path(target);
  std::string_view method = head_ ? "GET" : std::string_view(request->method);
  std::string allowed;
  for (HttpRoute& route : site_.routes) {
    auto params = route.pattern.match(path);
    if (!params) continue;
    if (route.method == method) {
      request->params = *std::move(params);
      return call(route, *std::move(request));
    }
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (allowed.empty()) return finish(error_response(404, "there is nothing at " + request->path));
  auto response = error_response(405, fmt::format("{} is not allowed here; allowed: {}", request->method, allowed));
  response.headers["Allow"] = allowed;
  finish(std::move(response));
}

void HttpSession::call(HttpRoute& route, HttpRequest request) {
  if (route.events) return start_events(route, std::move(request));
  route.handler(std::move(request), OneReply(handle_));
}

void HttpSession::start_events(HttpRoute& route, HttpRequest request) {
  keep_alive_ = false;
  connection_.send_copy(as_bytes(event_stream_header()));
  if (head_) {
    state_ = State::kClosing;
    return connection_.close();
  }
  state_ = State::kStreaming;
  last_event_ = last_progress_ = steady_clock::now();
  stream_ = std::make_shared<HttpEventStream>(handle_, site_.options.event_queue_bytes_max);
  // The session and the application share the stream through an owner whose end tells that the application let go.
  auto loan = std::shared_ptr<EventStream>(stream_.get(), [stream = stream_, handle = handle_](EventStream*) {
    handle->loop.post([handle] {
      if (handle->session) handle->session->end_events();
    });
  });
  route.events(std::move(request), std::move(loan));
}

void HttpSession::pump_events() {
  if (state_ != State::kStreaming || connection_.queued_bytes() >= ListenOptions{}.send_queue_low_bytes) return;
  std::string text = stream_->take(connection_.queued_bytes());
  if (text.empty()) return;
  last_event_ = steady_clock::now();
  connection_.send(share(std::move(text)));
}

void HttpSession::end_events() {
  if (state_ != State::kStreaming) return;
  std::string text = stream_->take(connection_.queued_bytes());
  if (!text.empty()) connection_.send(share(std::move(text)));
  state_ = State::kClosing;
  connection_.close();
}

void HttpSession::fail(int status, std::string_view what) {
  keep_alive_ = false;
  state_ = State::kAnswering;
  finish(error_response(status, what));
}

void HttpSession::finish(HttpResponse response) {
  if (state_ != State::kAnswering) return;
  if (peer_ended_) keep_alive_ = false;
  send_response(std::move(response));
  since_ = steady_clock::now();
  if (!keep_alive_) {
    state_ = State::kClosing;
    return connection_.close();
  }
  state_ = State::kReading;
  connection_.resume_reading();
}

void HttpSession::send_response(HttpResponse response) {
  if (connection_.queued_bytes() == 0) last_progress_ = steady_clock::now();
  std::string header = response_header(response, keep_alive_, http_1_0_);
  bool bodyless = head_ || response.status == 204 || response.status == 304;
  if (bodyless || response.body.size() <= kInlineBodyBytesMax) {
    if (!bodyless) header += response.body;
    return connection_.send_copy(as_bytes(header));
  }
  connection_.send_copy(as_bytes(header));
  connection_.send(share(std::move(response.body)));
}

// Deadlines.

void HttpSession::check_deadlines(TimePoint now) {
  size_t queued = connection_.queued_bytes();
  if (queued == 0 || queued != last_queued_) last_progress_ = now;
  last_queued_ = queued;
  if (now - last_progress_ > site_.options.send_timeout) return connection_.close_now();
  if (state_ == State::kStreaming && now - last_event_ > kEventHeartbeat) {
    last_event_ = now;
    connection_.send_copy(as_bytes(": still here\n\n"));
  }
  if (state_ != State::kReading || connection_.waits_for_memory()) return;
  if (parser_ && now - since_ > site_.options.request_timeout) fail(408, "the request took too long to arrive");
  if (!parser_ && queued == 0 && now - since_ > site_.options.idle_timeout) connection_.close();
}

}  // namespace headrace::net::internal
