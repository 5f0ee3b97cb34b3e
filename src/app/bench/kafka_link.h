// A raw connection to a Kafka protocol server for load generators: frames out, response bodies in, nothing per record.
#pragma once

#include <memory>
#include <string>

#include "app/address.h"
#include "base/bytes.h"
#include "base/function.h"
#include "base/result.h"
#include "net/connect.h"
#include "net/event_loops.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/encode.h"
#include "wire/kafka/headers.h"

namespace headrace::app {

/// One connection, on one loop. Responses come in the order of the requests, as the protocol promises; it knows nothing
/// of leaders, so every partition used must be led by the server that was dialled.
class KafkaLink final : public net::Session {
 public:
  explicit KafkaLink(net::Connection& connection) : connection_(connection) {}

  /// On the loop, all of these.
  net::EventLoop& loop() { return connection_.loop(); }
  void send(SharedBytes frame) { connection_.send(std::move(frame)); }
  /// Called for each response with what stands behind its size.
  Function<void(BytesView response)> on_response;
  Function<void()> on_lost;

  size_t on_bytes(BytesView bytes) override;
  void on_close() override;

 private:
  friend class KafkaLinks;
  net::Connection& connection_;
  KafkaLink** owner_ = nullptr;  ///< Where the links' owner knows this one, until it is lost.
};

/// A request with its size and header, in one piece.
template <typename Request>
SharedBytes frame_of(const Request& request, int16_t version) {
  namespace wire = wire::kafka;
  wire::Encoder out;
  wire::RequestHeader header{Request::kSpec.api_key, version, /*correlation_id=*/0, "headrace-bench"};
  wire::encode(out, wire::request_header_version(Request::kSpec, version), header);
  wire::encode(out, version, request);
  return SharedBytes(out.finish_frame());
}

/// The message in a response, its header skipped.
template <typename Response>
Result<Response> read_response(SharedBytes response, int16_t version) {
  namespace wire = wire::kafka;
  wire::Decoder in(std::move(response));
  RETURN_IF_ERROR(wire::decode<wire::ResponseHeader>(in, wire::response_header_version(Response::kSpec, version)));
  return wire::decode<Response>(in, version);
}

/// `count` links to one server, each on a loop of its own choice; closed when destroyed, before the loops.
class KafkaLinks {
 public:
  /// Connects them all. Blocks. kUnavailable when one can't.
  static Result<std::unique_ptr<KafkaLinks>> connect(net::EventLoops& loops, const Address& address, size_t count);

  size_t size() const { return links_.size(); }
  /// Runs `task` on the loop of link `i` and waits for it. False when the server has closed that link.
  bool run_on(size_t i, Function<void(KafkaLink&)> task);
  /// Sends a request on link `i` and waits for its answer: for what is asked before and after a load.
  Result<SharedBytes> ask(size_t i, SharedBytes frame);

 private:
  std::vector<KafkaLink*> links_;  ///< Each its loop's; null once lost.
  std::vector<net::EventLoop*> loops_;
  std::vector<std::unique_ptr<net::ClientConnection>> connections_;
};

/// The partitions of `topic`, from 0 to this. kNotFound when there is no such topic; it is not created.
Result<int32_t> partition_count(KafkaLinks& links, const std::string& topic);
/// The offset behind the last record (`timestamp` -1) or of the first (-2) of each partition.
Result<std::vector<int64_t>> offsets_of(KafkaLinks& links, const std::string& topic, int32_t partitions,
                                        int64_t timestamp);

}  // namespace headrace::app
