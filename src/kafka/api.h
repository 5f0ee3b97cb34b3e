// What an API file provides: one line that says all about the API, and a handler from decoded struct to struct.
//
//   void heartbeat(const Call& call, HeartbeatRequest request, Reply<HeartbeatResponse> reply) { ... reply(response); }
//   const Api& api_12() {
//     static const Api api = make_api<12, heartbeat>({.name = "Heartbeat", .versions = "0-4"});
//     return api;
//   }
//
// CMake writes api_table() from the files of kafka/api; dispatch, ApiVersions, metrics and the reference page come from
// it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/check.h"
#include "kafka/server_context.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/encode.h"
#include "wire/kafka/headers.h"

namespace headrace::kafka {

/// One request as its handler sees it, beside the decoded message.
struct Call {
  ServerContext& server;
  Peer& peer;
  net::EventLoop& loop;  ///< The connection's; handlers run on it.
  int16_t version;
  std::string client_id;  ///< Empty when the client sent none.
  size_t request_bytes = 0;
  std::chrono::milliseconds throttle{0};  ///< What the client is made to wait for its request_percentage.

  /// Goes on with the request where waiting for the disk keeps nobody up. The task is dropped, and with it the
  /// connection closed, when too many wait (see BlockingTasks).
  void run_blocking(Function<void()> task) const { server.blocking.run(request_bytes, std::move(task)); }
};

/// Where an encoded response goes: back into its connection's order.
class ResponseSlot {
 public:
  virtual ~ResponseSlot() = default;
  /// Exactly once, from any thread. No pieces: the request is done and gets no response (acks=0).
  virtual void complete(std::vector<Sendable> pieces) = 0;
  /// Keeps pipelined requests behind this one from starting. On the loop, in the handler.
  virtual void hold_followers() = 0;
  /// Lets them start; complete() does so too. From any thread.
  virtual void release_followers() = 0;
  /// Whether the connection has gone, and nobody waits for the response. On the loop. The broker may be closed by then.
  virtual bool gone() const = 0;
  /// Takes no further request from the connection for this long. From any thread.
  virtual void mute(std::chrono::milliseconds wait) = 0;
};

/// A promise of one response. Call it, or done_without_response(), exactly once, from any thread; when it is destroyed
/// before that, the connection is closed, since the client would wait for ever.
template <typename Response>
class Reply {
 public:
  Reply(std::unique_ptr<ResponseSlot> slot, int32_t correlation_id, int16_t version)
      : slot_(std::move(slot)), correlation_id_(correlation_id), version_(version) {}

  void operator()(const Response& response) {
    namespace wire = wire::kafka;
    wire::Encoder out;
    wire::encode(out, wire::response_header_version(Response::kSpec, version_), wire::ResponseHeader{correlation_id_});
    if constexpr (requires { response.throttle_time_ms; }) {
      if (throttle_.count() > 0) return finish(out, throttled(response));
    }
    finish(out, response);
  }
  /// Makes the client wait (KIP-219): the response tells it so, and nothing more is taken from it for that long.
  void throttle(std::chrono::milliseconds wait) {
    if (wait <= throttle_) return;
    throttle_ = wait;
    slot_->mute(wait);
  }
  void done_without_response() { std::exchange(slot_, nullptr)->complete({}); }
  ResponseSlot& slot() { return *slot_; }

 private:
  Response throttled(Response response) const {
    response.throttle_time_ms = std::max(response.throttle_time_ms, static_cast<int32_t>(throttle_.count()));
    return response;
  }
  void finish(wire::kafka::Encoder& out, const Response& response) {
    wire::kafka::encode(out, version_, response);
    std::exchange(slot_, nullptr)->complete(out.finish());
  }

  std::unique_ptr<ResponseSlot> slot_;
  int32_t correlation_id_;
  int16_t version_;
  std::chrono::milliseconds throttle_{0};
};

struct ApiTraits {
  std::string_view name;
  wire::kafka::Versions versions;         ///< What is served.
  wire::kafka::Versions advertised = {};  ///< What ApiVersions tells, where that differs.
  /// Requests of this API do not wait for the responses of earlier ones of this API on their connection. All others are
  /// handled one after the other, as Kafka does.
  bool pipelined = false;
  /// The handler keeps nothing of the request's record batches once it has returned, and so gets them without a copy.
  bool borrows_records = false;
};

struct Api : ApiTraits {
  int16_t key = -1;
  wire::kafka::Spec request;
  wire::kafka::Spec response;
  /// Decodes the body in `in` and handles it. An error is the decoder's: nothing was handled then. Bytes behind the
  /// body are ignored, as Kafka does: librdkafka 2.16 sends three with Metadata v13.
  Status (*handle)(const Call& call, int32_t correlation_id, wire::kafka::Decoder& in,
                   std::unique_ptr<ResponseSlot> slot) = nullptr;
};

template <int16_t key>
using HandlerOf = void (*)(const Call& call, typename wire::kafka::Messages<key>::Request request,
                           Reply<typename wire::kafka::Messages<key>::Response> reply);

template <int16_t key, HandlerOf<key> handler>
Api make_api(const ApiTraits& traits) {
  using Request = typename wire::kafka::Messages<key>::Request;
  using Response = typename wire::kafka::Messages<key>::Response;
  Api api{traits};
  if (api.advertised.empty()) api.advertised = api.versions;
  api.key = key;
  api.request = Request::kSpec;
  api.response = Response::kSpec;
  CHECK(Request::kSpec.versions.contains(traits.versions.min) && Request::kSpec.versions.contains(traits.versions.max));
  CHECK(Response::kSpec.versions.contains(traits.versions.min) &&
        Response::kSpec.versions.contains(traits.versions.max));
  api.handle = [](const Call& call, int32_t correlation_id, wire::kafka::Decoder& in,
                  std::unique_ptr<ResponseSlot> slot) -> Status {
    ASSIGN_OR_RETURN(Request request, wire::kafka::decode<Request>(in, call.version));
    Reply<Response> reply(std::move(slot), correlation_id, call.version);
    if (call.throttle.count() > 0) reply.throttle(call.throttle);
    handler(call, std::move(request), std::move(reply));
    return {};
  };
  return api;
}

/// All APIs served, by key.
std::span<const Api* const> api_table();
/// The API of `key`, or null.
const Api* find_api(int16_t key);

}  // namespace headrace::kafka
