// AddOffsetsToTxn (25): adds the positions of a consumer group to a transaction.
//
// Behavior:
// - The transaction takes the group's partition of __consumer_offsets; its record is not waited for (see
//   broker/transaction_coordinator.h). TxnOffsetCommit then brings the positions.
//
// Version notes:
// - 2 answers PRODUCER_FENCED where older clients know INVALID_PRODUCER_EPOCH, 3 is flexible, 4 is the same.
#include "wire/kafka/messages/25_add_offsets_to_txn.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using broker::CoordinatorError;
using wire::kafka::AddOffsetsToTxnRequest;
using wire::kafka::AddOffsetsToTxnResponse;

constexpr int16_t kProducerFencedSince = 2;

void add_offsets_to_txn(const Call& call, AddOffsetsToTxnRequest request, Reply<AddOffsetsToTxnResponse> reply) {
  call.server.broker.transactions().add_offsets(
      request.transactional_id, {ProducerId(request.producer_id), request.producer_epoch}, request.group_id,
      broker::Joined::kOnDisk, [reply = std::move(reply), version = call.version](CoordinatorError error) mutable {
        AddOffsetsToTxnResponse response;
        response.error_code = wire_code(to_kafka(error, version, kProducerFencedSince));
        reply(response);
      });
}

}  // namespace

const Api& api_25() {
  static const Api api = make_api<25, add_offsets_to_txn>({.name = "AddOffsetsToTxn", .versions = "0-4"});
  return api;
}

}  // namespace headrace::kafka
