// Produce (0): appends record batches to partitions.
//
// Behavior:
// - Each partition carries exactly one v2 batch. Its header and CRC-32C are checked; the records inside are not read.
// The
//   bytes go to the log as they came.
// - acks=1 and acks=all are answered when the batch is as durable as the topic asks for (fsynced by default). Several
//   requests of a connection wait for the same fsync; answers leave in the order of the requests.
// - acks=0 gets no answer; an error closes the connection, which is all that such a client can notice.
// - Topics are not created here: clients ask for metadata first.
// - timeout_ms is not used: nothing here waits for other brokers.
//
// Version notes:
// - 0-2 are advertised, because librdkafka wants to see them (KAFKA-18659), but not served.
// - 7 allows zstd. 8 adds error messages. 9 is flexible. 13 names topics by id.
#include <atomic>

#include "kafka/api.h"
#include "kafka/topics.h"
#include "record/batch.h"
#include "wire/kafka/messages/00_produce.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ProduceRequest;
using wire::kafka::ProduceResponse;
using PartitionResponse = ProduceResponse::TopicProduceResponse::PartitionProduceResponse;

constexpr int16_t kZstdSince = 7;
constexpr int16_t kTopicIdsSince = 13;
constexpr size_t kMagicAt = 16;
constexpr int64_t kNoBaseOffset = -1;

void fail(PartitionResponse& response, KafkaError error, std::string message) {
  response.error_code = wire_code(error);
  response.base_offset = kNoBaseOffset;
  if (!message.empty()) response.error_message = std::move(message);
}

/// A request in progress; partitions are answered on different threads, each in its own place of the response.
class Produce {
 public:
  Produce(const Call& call, const ProduceRequest& request, Reply<ProduceResponse> reply)
      : acks_(request.acks), reply_(std::move(reply)) {
    response_.responses.reserve(request.topic_data.size());
    for (const auto& topic : request.topic_data) {
      auto& out = response_.responses.emplace_back();
      out.name = topic.name;
      out.topic_id = topic.topic_id;
      out.partition_responses.resize(topic.partition_data.size());
      for (size_t i = 0; i < topic.partition_data.size(); ++i) {
        out.partition_responses[i].index = topic.partition_data[i].index;
      }
    }
    zstd_allowed_ = call.version >= kZstdSince;
  }

  static void start(const Call& call, const ProduceRequest& request, Reply<ProduceResponse> reply) {
    auto produce = std::make_shared<Produce>(call, request, std::move(reply));
    for (size_t t = 0; t < request.topic_data.size(); ++t) {
      const auto& topic = request.topic_data[t];
      auto found = find_topic(call.server.broker, topic.name, topic.topic_id, call.version >= kTopicIdsSince);
      if (found.topic && found.topic->internal) found = {nullptr, KafkaError::kInvalidTopic};
      for (size_t p = 0; p < topic.partition_data.size(); ++p) {
        auto& response = produce->response_.responses[t].partition_responses[p];
        if (found.topic) {
          append(call, request, *found.topic, topic.partition_data[p], produce, response);
        } else {
          fail(response, found.error, "");
        }
      }
    }
    produce->done_one();
  }

 private:
  using PartitionData = ProduceRequest::TopicProduceData::PartitionProduceData;

  static void append(const Call& call, const ProduceRequest& request, const broker::Topic& topic,
                     const PartitionData& data, const std::shared_ptr<Produce>& produce, PartitionResponse& response) {
    auto partition = topic.partition(PartitionId(data.index));
    if (!partition) return fail(response, KafkaError::kUnknownTopicOrPartition, "");
    std::optional<record::Batch> batch = produce->check(data, response);
    if (!batch) return;
    bool transactional = batch->header().is_transactional();
    produce->left_.fetch_add(1, std::memory_order_relaxed);
    auto done = [produce, &response, transactional](Result<broker::Produced> produced) {
      set_result(response, produced, transactional);
      produce->done_one();
    };
    if (!transactional) return partition->produce({&*batch, 1}, std::move(done));
    call.server.broker.transactions().produce(request.transactional_id.value_or(""), partition, {&*batch, 1},
                                              std::move(done));
  }

  /// The partition's batch, or nothing and an error in `response`.
  std::optional<record::Batch> check(const PartitionData& data, PartitionResponse& response) const {
    auto refuse = [&](KafkaError error, std::string message) {
      fail(response, error, std::move(message));
      return std::nullopt;
    };
    if (acks_ < -1 || acks_ > 1) return refuse(KafkaError::kInvalidRequiredAcks, "acks is -1, 0 or 1");
    if (data.records.size() == 0) return refuse(KafkaError::kInvalidRecord, "no record batch");
    const SharedBytes& bytes = data.records.parts[0];
    if (bytes.size() > kMagicAt && bytes.data()[kMagicAt] < 2) {
      return refuse(KafkaError::kInvalidRecord, "only record batches of format 2 are taken");
    }
    auto batch = record::Batch::parse(bytes);
    if (!batch.ok()) return refuse(KafkaError::kCorruptMessage, batch.error().message);
    const record::BatchHeader& header = batch->header();
    if (batch->size() != bytes.size()) return refuse(KafkaError::kInvalidRecord, "more than one record batch");
    if (header.record_count < 1 || header.last_offset_delta != header.record_count - 1) {
      return refuse(KafkaError::kInvalidRecord, "record count and last offset do not fit together");
    }
    if (header.is_control()) return refuse(KafkaError::kInvalidRecord, "control batches are the broker's to write");
    if (header.compression() > codec::Compression::kZstd) {
      return refuse(KafkaError::kUnsupportedCompressionType, "no such compression");
    }
    if (header.compression() == codec::Compression::kZstd && !zstd_allowed_) {
      return refuse(KafkaError::kUnsupportedCompressionType, "zstd needs Produce v7");
    }
    return *std::move(batch);
  }

  static void set_result(PartitionResponse& response, const Result<broker::Produced>& produced, bool transactional) {
    if (!produced.ok()) {
      auto code = produced.error().code;
      bool bad_state = transactional && code == ErrorCode::kInvalidArgument;
      return fail(response, bad_state ? KafkaError::kInvalidTxnState : produce_error(code), produced.error().message);
    }
    response.base_offset = produced->base_offset.value;
    response.log_append_time_ms = produced->append_time_ms;
    response.log_start_offset = produced->log_start.value;
  }

  static KafkaError produce_error(ErrorCode code) {
    if (code == ErrorCode::kOutOfRange) return KafkaError::kInvalidTimestamp;
    if (code == ErrorCode::kInvalidArgument) return KafkaError::kInvalidRecord;
    if (code == ErrorCode::kClosed) return KafkaError::kNotLeaderOrFollower;
    return to_kafka(code);
  }

  void done_one() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (acks_ != 0) return reply_(response_);
    if (!failed()) reply_.done_without_response();
  }

  bool failed() const {
    for (const auto& topic : response_.responses) {
      for (const auto& partition : topic.partition_responses) {
        if (partition.error_code != 0) return true;
      }
    }
    return false;
  }

  int16_t acks_;
  bool zstd_allowed_ = false;
  Reply<ProduceResponse> reply_;
  ProduceResponse response_;
  std::atomic<int> left_{1};  ///< Partitions without a result, and one for the request itself while it is being read.
};

void produce(const Call& call, ProduceRequest request, Reply<ProduceResponse> reply) {
  Produce::start(call, request, std::move(reply));
}

}  // namespace

const Api& api_0() {
  static const Api api =
      make_api<0, produce>({.name = "Produce", .versions = "3-13", .advertised = "0-13", .pipelined = true});
  return api;
}

}  // namespace headrace::kafka
