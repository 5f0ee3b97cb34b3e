// A Kafka client for tests: blocking, typed, loopback only.
#pragma once

#include <string>
#include <vector>

#include "base/check.h"
#include "net/testing.h"
#include "record/batch_builder.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/encode.h"
#include "wire/kafka/headers.h"

namespace headrace::kafka {

class KafkaTestClient {
 public:
  explicit KafkaTestClient(uint16_t port) : socket_(port) { CHECK(socket_.connected()); }

  /// A request with its size, as bytes.
  template <typename Request>
  static std::string frame(const Request& request, int16_t version, int32_t correlation_id = 0) {
    namespace wire = wire::kafka;
    wire::Encoder out;
    wire::RequestHeader header{Request::kSpec.api_key, version, correlation_id, "test"};
    wire::encode(out, wire::request_header_version(Request::kSpec, version), header);
    wire::encode(out, version, request);
    return std::string(as_text(out.finish_frame()));
  }

  template <typename Request>
  void send(const Request& request, int16_t version, int32_t correlation_id = 0) {
    socket_.send(frame(request, version, correlation_id));
  }

  /// The next response frame without its size; empty when the server closed.
  std::string receive_frame() {
    std::string size_bytes = socket_.read(4);
    if (size_bytes.size() < 4) return "";
    return socket_.read(static_cast<size_t>(codec::Reader(as_bytes(size_bytes)).read<int32_t>()));
  }

  /// The next response; CHECKs that it is one of this type, and the answer to `correlation_id`.
  template <typename Response>
  Response receive(int16_t version, int32_t correlation_id = 0) {
    namespace wire = wire::kafka;
    std::string body = receive_frame();
    wire::Decoder in{SharedBytes(Bytes(body.begin(), body.end()))};
    auto header = wire::decode<wire::ResponseHeader>(in, wire::response_header_version(Response::kSpec, version));
    CHECK(header.ok() && header->correlation_id == correlation_id);
    auto response = wire::decode<Response>(in, version);
    CHECK(response.ok() && in.remaining() == 0);
    return *std::move(response);
  }

  /// Sends a request and waits for its response.
  template <int16_t key>
  auto call(const typename wire::kafka::Messages<key>::Request& request, int16_t version) {
    send(request, version, ++correlation_id_);
    return receive<typename wire::kafka::Messages<key>::Response>(version, correlation_id_);
  }

  net::TestClient& socket() { return socket_; }

 private:
  net::TestClient socket_;
  int32_t correlation_id_ = 100;
};

/// A batch of records without keys, at a fixed time.
inline record::Batch batch_of(const std::vector<std::string>& values, int64_t timestamp_ms = 1'700'000'000'000) {
  record::BatchBuilder builder;
  for (const auto& value : values) builder.add(timestamp_ms, std::nullopt, value);
  return builder.finish();
}

}  // namespace headrace::kafka
