// EndTxn (26): commits or aborts a transaction.
//
// Behavior:
// - Answered when the outcome and all markers are on the disk and visible to readers.
//
// Version notes:
// - 2 answers PRODUCER_FENCED where older clients know INVALID_PRODUCER_EPOCH, 3 is flexible. 5 belongs to transaction
//   version 2 (KIP-890): it bumps the epoch and answers the producer's new identity.
#include "wire/kafka/messages/26_end_txn.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using broker::CoordinatorError;
using wire::kafka::EndTxnRequest;
using wire::kafka::EndTxnResponse;

constexpr int16_t kProducerFencedSince = 2;
constexpr int16_t kEpochBumpSince = 5;

void end_txn(const Call& call, EndTxnRequest request, Reply<EndTxnResponse> reply) {
  call.server.broker.transactions().end(
      request.transactional_id, {ProducerId(request.producer_id), request.producer_epoch}, request.committed,
      call.version >= kEpochBumpSince,
      [reply = std::move(reply), version = call.version](broker::IdentityAnswer answer) mutable {
        EndTxnResponse response;
        response.error_code = wire_code(to_kafka(answer.error, version, kProducerFencedSince));
        response.producer_id = answer.producer.id.value;
        response.producer_epoch = answer.producer.epoch;
        reply(response);
      });
}

}  // namespace

const Api& api_26() {
  static const Api api = make_api<26, end_txn>({.name = "EndTxn", .versions = "0-5"});
  return api;
}

}  // namespace headrace::kafka
