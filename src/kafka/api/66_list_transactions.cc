// ListTransactions (66): lists transactions (KIP-664).
//
// Behavior:
// - Filters by state, producer id, how long ago the transaction began, and a pattern of the transactional id, which
//   must match it whole; an empty filter lets everything pass. States that are none are answered in
//   UnknownStateFilters. One that never began did so long ago: Kafka counts from its start time, -1.
// - INVALID_REGULAR_EXPRESSION: the pattern is none of RE2's.
//
// Version notes:
// - 1 adds the duration (KIP-994), 2 the pattern (KIP-1152).
#include <algorithm>

#include "broker/topic_pattern.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "wire/kafka/messages/66_list_transactions.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ListTransactionsRequest;
using wire::kafka::ListTransactionsResponse;

using broker::TransactionState;

constexpr TransactionState kStates[] = {TransactionState::kEmpty,          TransactionState::kOngoing,
                                        TransactionState::kPrepareCommit,  TransactionState::kPrepareAbort,
                                        TransactionState::kCompleteCommit, TransactionState::kCompleteAbort};

/// States of Kafka's in which no transaction is here, beside those above: known, but never matching.
constexpr std::string_view kStatesNeverSeen[] = {"Dead", "PrepareEpochFence"};

bool is_state(std::string_view name) {
  return std::any_of(std::begin(kStates), std::end(kStates), [&](auto state) { return to_string(state) == name; }) ||
         std::count(std::begin(kStatesNeverSeen), std::end(kStatesNeverSeen), name) > 0;
}

template <typename T, typename U>
bool passes(const std::vector<T>& filter, const U& value) {
  return filter.empty() || std::find(filter.begin(), filter.end(), value) != filter.end();
}

void list_transactions(const Call& call, ListTransactionsRequest request, Reply<ListTransactionsResponse> reply) {
  ListTransactionsResponse response;
  for (const std::string& state : request.state_filters) {
    if (!is_state(state)) response.unknown_state_filters.push_back(state);
  }
  std::optional<broker::TopicPattern> pattern;
  if (!request.transactional_id_pattern.value_or("").empty()) {
    auto compiled = broker::TopicPattern::compile(*request.transactional_id_pattern);
    if (!compiled.ok()) {
      response.error_code = wire_code(KafkaError::kInvalidRegularExpression);
      return reply(response);
    }
    pattern = *std::move(compiled);
  }
  int64_t now_ms = call.server.broker.clock().wall_ms();
  for (const auto& transaction : call.server.broker.transactions().list()) {
    std::string_view state = to_string(transaction.state);
    bool long_enough = request.duration_filter < 0 || now_ms - transaction.start_time_ms > request.duration_filter;
    if (!passes(request.state_filters, state) || !passes(request.producer_id_filters, transaction.producer.id.value) ||
        !long_enough || (pattern && !pattern->matches(transaction.transactional_id))) {
      continue;
    }
    response.transaction_states.push_back(
        {transaction.transactional_id, transaction.producer.id.value, std::string(state)});
  }
  reply(response);
}

}  // namespace

const Api& api_66() {
  static const Api api = make_api<66, list_transactions>({.name = "ListTransactions", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
