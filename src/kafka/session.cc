#include "kafka/session.h"

#include <fmt/format.h>

#include <tuple>

#include "base/logging.h"
#include "kafka/api.h"
#include "kafka/api_versions.h"
#include "kafka/response_queue.h"

namespace headrace::kafka {
namespace {

constexpr size_t kSizeBytes = 4;
/// API key, version and correlation id: what every request header begins with.
constexpr size_t kHeaderBytesMin = 8;

template <typename T>
T peek(BytesView bytes, size_t at) {
  return codec::Reader(bytes.subspan(at)).read<T>();
}

/// Whether a request begins with an API and a version that there are.
bool is_served(BytesView frame) {
  const Api* api = find_api(peek<int16_t>(frame, 0));
  return api && api->versions.contains(peek<int16_t>(frame, 2));
}

std::pair<std::string, uint16_t> split_address(const std::string& address) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, 0};
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return {host, static_cast<uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 10))};
}

Peer peer_of(const net::Connection& connection) {
  Peer peer;
  std::tie(peer.client_host, peer.client_port) = split_address(connection.remote_address());
  std::tie(peer.local_host, peer.local_port) = split_address(connection.local_address());
  return peer;
}

}  // namespace

KafkaSession::KafkaSession(std::shared_ptr<ServerContext> server, net::Connection& connection)
    : server_(std::move(server)),
      connection_(connection),
      peer_(peer_of(connection)),
      responses_(std::make_shared<ResponseQueue>(
          server_, connection, [this] { on_progress(); }, [this](std::chrono::milliseconds wait) { mute(wait); })) {
  if (server_->connections) server_->connections->add(1);
  watch_idleness();
  if (auto wait = server_->rates.connect(peer_.client_host); wait.count() > 0) turn_away(wait);
}

KafkaSession::~KafkaSession() {
  if (server_->connections) server_->connections->add(-1);
}

size_t KafkaSession::on_bytes(BytesView bytes) {
  active_ = true;
  frame_bytes_ = 0;
  size_t used = 0;
  while (!closing_) {
    size_t size = next_request(bytes.subspan(used));
    if (size == 0) break;
    start_request(bytes.subspan(used + kSizeBytes, size - kSizeBytes));
    used += size;
  }
  return closing_ ? bytes.size() : used;
}

bool KafkaSession::on_end() {
  peer_ended_ = true;
  return responses_->requests() > 0;
}

void KafkaSession::on_drained() { resume(); }

void KafkaSession::on_close() {
  closing_ = true;
  idle_timer_.reset();
  mute_timer_.reset();
  responses_->detach();
}

size_t KafkaSession::next_request(BytesView bytes) {
  if (bytes.size() < kSizeBytes) return 0;
  auto size = static_cast<int64_t>(peek<int32_t>(bytes, 0));
  size_t limit = server_->options.request_bytes_max;
  bool large = size > static_cast<int64_t>(kStrangerBytesMax) && size <= static_cast<int64_t>(limit);
  if (!had_valid_request_ && large) {
    if (bytes.size() < kSizeBytes + kHeaderBytesMin) return 0;
    if (!is_served(bytes.subspan(kSizeBytes))) limit = std::min(limit, kStrangerBytesMax);
  }
  if (size < static_cast<int64_t>(kHeaderBytesMin) || size > static_cast<int64_t>(limit)) {
    refuse(fmt::format("a request of {} bytes, where {} to {} are allowed", size, kHeaderBytesMin, limit));
    return 0;
  }
  auto whole = static_cast<size_t>(size) + kSizeBytes;
  if (bytes.size() < whole) {
    frame_bytes_ = whole;
    bool has_key = bytes.size() >= kSizeBytes + sizeof(int16_t);
    if (whole > kWaitingFrameBytesMax && has_key && !may_start(peek<int16_t>(bytes, kSizeBytes), whole)) pause();
    return 0;
  }
  if (may_start(peek<int16_t>(bytes, kSizeBytes), whole)) return whole;
  pause();
  return 0;
}

void KafkaSession::pause() {
  paused_ = true;
  connection_.pause_reading();
}

bool KafkaSession::may_start(int16_t key, size_t size) const {
  if (mute_timer_) return false;
  if (connection_.queued_bytes() > kQueuedResponseBytesMax) return false;
  if (responses_->requests() == 0) return true;
  if (responses_->requests() >= kInFlightRequestsMax || responses_->bytes() + size > kInFlightBytesMax) return false;
  if (responses_->held()) return false;
  const Api& waiting = responses_->api();
  return waiting.pipelined && waiting.key == key;
}

void KafkaSession::start_request(BytesView frame) {
  auto key = peek<int16_t>(frame, 0);
  auto version = peek<int16_t>(frame, 2);
  const Api* api = find_api(key);
  if (!api) return refuse(fmt::format("unknown API key {}", key));
  const ApiMetrics& metrics = server_->metrics_of(*api);
  if (metrics.requests) {
    metrics.requests->add();
    metrics.request_bytes->add(static_cast<int64_t>(frame.size()));
  }
  if (!api->versions.contains(version)) {
    if (key != wire::kafka::kApiVersionsKey) return refuse(fmt::format("{} v{} is not served", api->name, version));
    had_valid_request_ = true;
    return responses_->open(*api, frame.size())->complete(unsupported_api_versions(peek<int32_t>(frame, 4)));
  }

  wire::kafka::Decoder in(api->borrows_records ? SharedBytes(nullptr, frame)
                                               : SharedBytes(Bytes(frame.begin(), frame.end())));
  auto header =
      wire::kafka::decode<wire::kafka::RequestHeader>(in, wire::kafka::request_header_version(api->request, version));
  if (!header.ok()) return refuse(header.error().message);
  Call call{*server_, peer_, connection_.loop(), version, std::move(header->client_id).value_or(""), frame.size()};
  bool rated = server_->rates.active();
  auto began = rated ? server_->broker.clock().monotonic() : std::chrono::nanoseconds(0);
  if (rated) call.throttle = server_->rates.wait(RateKind::kRequest, peer_.user, call.client_id);
  auto status = api->handle(call, header->correlation_id, in, responses_->open(*api, frame.size()));
  if (rated) {
    std::chrono::duration<double> took = server_->broker.clock().monotonic() - began;
    server_->rates.record(RateKind::kRequest, peer_.user, call.client_id, took.count());
  }
  if (!status.ok()) return refuse(status.error().message);
  had_valid_request_ = true;
}

void KafkaSession::mute(std::chrono::milliseconds wait) {
  mute_timer_ = connection_.loop().after(wait, [this] { unmute(); });
}

void KafkaSession::unmute() {
  mute_timer_.reset();
  active_ = true;  // It was we who wanted silence.
  resume();
}

void KafkaSession::turn_away(std::chrono::milliseconds wait) {
  mute_timer_ = connection_.loop().after(wait, [this] { connection_.close_now(); });
}

void KafkaSession::refuse(std::string_view why) {
  if (closing_) return;
  closing_ = true;
  if (server_->refused_requests) server_->refused_requests->add();
  log_debug("kafka: closing the connection from {}: {}", connection_.remote_address(), why);
  responses_->end();
}

void KafkaSession::on_progress() {
  if (peer_ended_ && responses_->requests() == 0) connection_.close();
  resume();
}

void KafkaSession::watch_idleness() {
  idle_timer_ = connection_.loop().after(server_->options.connection_idle_max, [this] {
    size_t queued = connection_.queued_bytes();
    bool reads = queued > 0 && queued != queued_before_;  // However slowly.
    if (!active_ && !reads && responses_->requests() == 0) return connection_.close_now();
    active_ = false;
    queued_before_ = queued;
    watch_idleness();
  });
}

void KafkaSession::resume() {
  if (!paused_ || closing_) return;
  paused_ = false;
  connection_.resume_reading();
}

}  // namespace headrace::kafka
