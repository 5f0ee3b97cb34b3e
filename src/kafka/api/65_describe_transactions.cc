// DescribeTransactions (65): tells the state of transactions (KIP-664).
//
// Behavior:
// - Partitions are told while the transaction is open or ending. Unknown ids: TRANSACTIONAL_ID_NOT_FOUND.
#include "wire/kafka/messages/65_describe_transactions.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeTransactionsRequest;
using wire::kafka::DescribeTransactionsResponse;
using State = DescribeTransactionsResponse::TransactionState;

void describe(const broker::TransactionDescription& transaction, State& out) {
  out.transaction_state = to_string(transaction.state);
  out.transaction_timeout_ms = static_cast<int32_t>(transaction.timeout.count());
  out.transaction_start_time_ms = transaction.start_time_ms;
  out.producer_id = transaction.producer.id.value;
  out.producer_epoch = transaction.producer.epoch;
  for (const TopicPartition& tp : transaction.partitions) {  // Sorted by topic.
    if (out.topics.empty() || out.topics.back().topic != tp.topic) out.topics.push_back({tp.topic, {}});
    out.topics.back().partitions.push_back(tp.partition.value);
  }
}

void describe_transactions(const Call& call, DescribeTransactionsRequest request,
                           Reply<DescribeTransactionsResponse> reply) {
  DescribeTransactionsResponse response;
  drop_repeated(request.transactional_ids);
  for (const std::string& id : request.transactional_ids) {
    auto& out = response.transaction_states.emplace_back();
    out.transactional_id = id;
    auto transaction = call.server.broker.transactions().describe(id);
    if (transaction) {
      describe(*transaction, out);
    } else {
      out.error_code = wire_code(KafkaError::kTransactionalIdNotFound);
    }
  }
  reply(response);
}

}  // namespace

const Api& api_65() {
  static const Api api = make_api<65, describe_transactions>({.name = "DescribeTransactions", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
