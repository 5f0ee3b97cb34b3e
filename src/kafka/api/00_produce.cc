// Produce (0): appends record batches to partitions.
//
// Behavior:
// - Each partition carries exactly one v2 batch. Its header and CRC-32C are checked, and its records when they are not
//   compressed. The bytes go to the log as they came.
// - acks=1 and acks=all are answered when the batch is as durable as the topic asks for (fsynced by default). Several
//   requests of a connection wait for the same fsync; answers leave in the order of the requests.
// - acks=0 gets no answer; an error closes the connection, which is all that such a client can notice.
// - Over the client's producer_byte_rate the batches are appended all the same, and the client has to wait (KIP-219).
// - Topics are not created here: clients ask for metadata first.
// - timeout_ms is not used: nothing here waits for other brokers.
//
// Version notes:
// - 0-2 are advertised, because librdkafka wants to see them (KAFKA-18659), but not served.
// - 7 allows zstd. 8 adds error messages. 9 is flexible. 12 belongs to transaction version 2 (KIP-890): a transactional
//   batch takes its partition into the transaction. 13 names topics by id.
#include <algorithm>
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
constexpr int16_t kJoinsTransactionSince = 12;
constexpr int16_t kTopicIdsSince = 13;
constexpr size_t kMagicAt = 16;
constexpr int64_t kNoBaseOffset = -1;

void fail(PartitionResponse& response, KafkaError error, std::string message) {
  response.error_code = wire_code(error);
  response.base_offset = kNoBaseOffset;
  if (!message.empty()) response.error_message = std::move(message);
}

/// A request in progress; partitions are answered on different threads, each in its own place of the response.
class Produce : public std::enable_shared_from_this<Produce> {
 public:
  Produce(const Call& call, ProduceRequest request, Reply<ProduceResponse> reply)
      : broker_(call.server.broker), version_(call.version), request_(std::move(request)), reply_(std::move(reply)) {}

  void start(const Call& call) {
    auto wait = call.server.rates.record(RateKind::kProduce, call.peer.user, call.client_id,
                                         static_cast<double>(call.request_bytes));
    if (wait.count() > 0) reply_.throttle(wait);
    std::vector<Append> appends;
    response_.responses.resize(request_.topic_data.size());
    for (size_t t = 0; t < request_.topic_data.size(); ++t) {
      read_topic(request_.topic_data[t], response_.responses[t], appends);
    }
    bool joins_transaction = joins(appends);
    if (joins_transaction) {  // By what its batches say: by those that are sound.
      std::erase_if(appends, [this](const Append& one) { return !is_sound(one); });
      joins_transaction = joins(appends);
    }
    left_ = static_cast<int>(appends.size()) + 1;
    if (joins_transaction) {
      join_transaction(std::move(appends));
    } else {
      for (auto& one : appends) check_and_append(one);
    }
    request_.topic_data.clear();  // Its batches are the connection's, until start() returns.
    done_one();
  }

 private:
  using TopicData = ProduceRequest::TopicProduceData;
  using PartitionData = TopicData::PartitionProduceData;
  using TopicResponse = ProduceResponse::TopicProduceResponse;

  /// A batch that may be appended, and the place of its result.
  struct Append {
    std::shared_ptr<broker::Partition> partition;
    record::Batch batch;
    PartitionResponse* response;
  };

  void read_topic(const TopicData& topic, TopicResponse& out, std::vector<Append>& appends) {
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    out.partition_responses.resize(topic.partition_data.size());
    auto found = find_topic(broker_, topic.name, topic.topic_id, version_ >= kTopicIdsSince);
    if (found.topic && found.topic->internal) found = {nullptr, KafkaError::kInvalidTopic};
    for (size_t p = 0; p < topic.partition_data.size(); ++p) {
      const PartitionData& data = topic.partition_data[p];
      PartitionResponse& response = out.partition_responses[p];
      response.index = data.index;
      auto partition = found.topic ? found.topic->partition(PartitionId(data.index)) : nullptr;
      if (!partition) {
        fail(response, found.topic ? KafkaError::kUnknownTopicOrPartition : found.error, "");
      } else if (auto batch = check(data, response)) {
        appends.push_back({std::move(partition), *std::move(batch), &response});
      }
    }
  }

  /// Adds the partitions to the producer's transaction, then appends. Requests behind this one wait until the appends
  /// are made, so that sequence numbers stay in order.
  void join_transaction(std::vector<Append> appends) {
    reply_.slot().hold_followers();
    std::vector<TopicPartition> partitions;
    for (auto& one : appends) {
      partitions.push_back(one.partition->tp());
      one.batch = one.batch.copy();
    }
    const auto& header = appends[0].batch.header();
    auto joined = [self = shared_from_this(), appends = std::move(appends)](broker::CoordinatorError error) mutable {
      for (auto& one : appends) {
        if (error == broker::CoordinatorError::kNone) {
          self->append(one);
        } else {
          // As earlier versions tell it: a producer whose transaction timed out aborts it and goes on.
          bool fenced = error == broker::CoordinatorError::kProducerFenced;
          fail(*one.response, fenced ? KafkaError::kInvalidProducerEpoch : to_kafka(error), "");
        }
      }
      self->reply_.slot().release_followers();
      if (error == broker::CoordinatorError::kNone) return self->done_one();
      for (size_t i = 0; i <= appends.size(); ++i) self->done_one();
    };
    ++left_;  // The join itself, so that nobody answers before it has released the followers.
    broker_.transactions().add_partitions(request_.transactional_id.value_or(""),
                                          {header.producer_id, header.producer_epoch}, std::move(partitions),
                                          broker::Joined::kWritten, std::move(joined));
  }

  bool joins(const std::vector<Append>& appends) const {
    auto transactional = [](const Append& one) { return one.batch.header().is_transactional(); };
    return version_ >= kJoinsTransactionSince && std::any_of(appends.begin(), appends.end(), transactional);
  }

  static bool is_sound(const Append& one) {
    Status sound = one.batch.check_crc();
    if (!sound.ok()) fail(*one.response, KafkaError::kCorruptMessage, sound.error().message);
    return sound.ok();
  }

  /// The checksum is looked at so late that the batch is still in the processor's cache when it is written.
  void check_and_append(Append& one) {
    if (!is_sound(one)) return done_one();
    append(one);
  }

  void append(Append& one) {
    bool transactional = one.batch.header().is_transactional();
    auto done = [self = shared_from_this(), response = one.response, transactional](Result<broker::Produced> produced) {
      set_result(*response, produced, transactional);
      self->done_one();
    };
    if (!transactional) return one.partition->produce({&one.batch, 1}, std::move(done));
    broker_.transactions().produce(request_.transactional_id.value_or(""), one.partition, {&one.batch, 1},
                                   std::move(done));
  }

  /// The partition's batch, or nothing and an error in `response`.
  std::optional<record::Batch> check(const PartitionData& data, PartitionResponse& response) const {
    auto refuse = [&](KafkaError error, std::string message) {
      fail(response, error, std::move(message));
      return std::nullopt;
    };
    if (request_.acks < -1 || request_.acks > 1) return refuse(KafkaError::kInvalidRequiredAcks, "acks is -1, 0 or 1");
    if (data.records.size() == 0) return refuse(KafkaError::kInvalidRecord, "no record batch");
    const SharedBytes& bytes = data.records.parts[0];
    if (bytes.size() > kMagicAt && bytes.data()[kMagicAt] < 2) {
      return refuse(KafkaError::kInvalidRecord, "only record batches of format 2 are taken");
    }
    auto batch = record::Batch::parse_trusted(bytes);
    if (!batch.ok()) return refuse(KafkaError::kCorruptMessage, batch.error().message);
    // What a damaged header says is no reason.
    auto refuse_batch = [&](KafkaError error, std::string message) {
      Status sound = batch->check_crc();
      return sound.ok() ? refuse(error, std::move(message))
                        : refuse(KafkaError::kCorruptMessage, sound.error().message);
    };
    const record::BatchHeader& header = batch->header();
    if (batch->size() != bytes.size()) return refuse(KafkaError::kInvalidRecord, "more than one record batch");
    if (header.record_count < 1 || header.last_offset_delta != header.record_count - 1) {
      return refuse_batch(KafkaError::kInvalidRecord, "record count and last offset do not fit together");
    }
    if (header.is_control())
      return refuse_batch(KafkaError::kInvalidRecord, "control batches are the broker's to write");
    if (header.compression() > codec::Compression::kZstd) {
      return refuse_batch(KafkaError::kUnsupportedCompressionType, "no such compression");
    }
    if (header.compression() == codec::Compression::kZstd && version_ < kZstdSince) {
      return refuse_batch(KafkaError::kUnsupportedCompressionType, "zstd needs Produce v7");
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
    return partition_error(code);
  }

  void done_one() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (request_.acks != 0) return reply_(response_);
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

  broker::Broker& broker_;
  int16_t version_;
  ProduceRequest request_;
  Reply<ProduceResponse> reply_;
  ProduceResponse response_;
  std::atomic<int> left_{0};  ///< Partitions without a result, and one for start() while it is at work.
};

void produce(const Call& call, ProduceRequest request, Reply<ProduceResponse> reply) {
  std::make_shared<Produce>(call, std::move(request), std::move(reply))->start(call);
}

}  // namespace

const Api& api_0() {
  static const Api api = make_api<0, produce>(
      {.name = "Produce", .versions = "3-13", .advertised = "0-13", .pipelined = true, .borrows_records = true});
  return api;
}

}  // namespace headrace::kafka
