// InitProducerId (22): gives an idempotent or transactional producer its id and epoch.
//
// Behavior:
// - Without a transactional id: a fresh producer id, epoch 0.
// - With one: the id's producer with a higher epoch, which fences older ones, after a transaction that they left open
//   is aborted.
//
// Version notes:
// - 2 is flexible, 3 lets a producer name its own id and epoch to have the epoch bumped (KIP-360), 4 answers
//   PRODUCER_FENCED where older clients know INVALID_PRODUCER_EPOCH. 6 (two-phase commit) is not released and not
//   served.
#include "wire/kafka/messages/22_init_producer_id.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using broker::CoordinatorError;
using wire::kafka::InitProducerIdRequest;
using wire::kafka::InitProducerIdResponse;

constexpr int16_t kProducerFencedSince = 4;

InitProducerIdResponse refusal(KafkaError error) {
  InitProducerIdResponse response;
  response.error_code = wire_code(error);
  return response;
}

InitProducerIdResponse granted(broker::ProducerIdentity producer) {
  InitProducerIdResponse response;
  response.producer_id = producer.id.value;
  response.producer_epoch = producer.epoch;
  return response;
}

void new_producer(const Call& call, Reply<InitProducerIdResponse> reply) {
  call.run_blocking([&broker = call.server.broker, reply = std::move(reply)]() mutable {
    auto producer = broker.transactions().new_producer_id();
    reply(producer.ok() ? granted(*producer) : refusal(KafkaError::kCoordinatorNotAvailable));
  });
}

void init_producer_id(const Call& call, InitProducerIdRequest request, Reply<InitProducerIdResponse> reply) {
  if (!request.transactional_id) return new_producer(call, std::move(reply));
  bool half_identity = (request.producer_id == kNoProducerId.value) != (request.producer_epoch == -1);
  if (request.transactional_id->empty() || half_identity) return reply(refusal(KafkaError::kInvalidRequest));
  std::optional<broker::ProducerIdentity> current;
  if (request.producer_id != kNoProducerId.value) {
    current = {ProducerId(request.producer_id), request.producer_epoch};
  }
  auto done = [reply = std::move(reply), version = call.version](broker::IdentityAnswer answer) mutable {
    reply(answer.error == CoordinatorError::kNone ? granted(answer.producer)
                                                  : refusal(to_kafka(answer.error, version, kProducerFencedSince)));
  };
  // Now and then a new id has to be reserved on the disk.
  call.run_blocking(
      [&broker = call.server.broker, request = std::move(request), current, done = std::move(done)]() mutable {
        broker.transactions().init(*request.transactional_id, std::chrono::milliseconds(request.transaction_timeout_ms),
                                   current, std::move(done));
      });
}

}  // namespace

const Api& api_22() {
  static const Api api = make_api<22, init_producer_id>({.name = "InitProducerId", .versions = "0-5"});
  return api;
}

}  // namespace headrace::kafka
