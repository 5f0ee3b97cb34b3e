// ListTransactions (66): lists transactions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ListTransactionsRequest {
  std::vector<std::string> state_filters;
  std::vector<int64_t> producer_id_filters;
  int64_t duration_filter = -1;
  std::optional<std::string> transactional_id_pattern;

  static constexpr Spec kSpec{.name = "ListTransactionsRequest", .api_key = 66, .versions = "0-2", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ListTransactionsRequest;
    return std::tuple(field("StateFilters", &S::state_filters, "0+"),
                      field("ProducerIdFilters", &S::producer_id_filters, "0+"),
                      field("DurationFilter", &S::duration_filter, "1+"),
                      field("TransactionalIdPattern", &S::transactional_id_pattern, "2+", {.nullable = "2+"}));
  }
};

struct ListTransactionsResponse {
  struct TransactionState {
    std::string transactional_id;
    int64_t producer_id = 0;
    std::string transaction_state;

    static constexpr auto fields() {
      using S = TransactionState;
      return std::tuple(field("TransactionalId", &S::transactional_id, "0+"),
                        field("ProducerId", &S::producer_id, "0+"),
                        field("TransactionState", &S::transaction_state, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<std::string> unknown_state_filters;
  std::vector<TransactionState> transaction_states;

  static constexpr Spec kSpec{.name = "ListTransactionsResponse", .api_key = 66, .versions = "0-2", .flexible = "0+"};
  static constexpr auto fields() {
    using S = ListTransactionsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("UnknownStateFilters", &S::unknown_state_filters, "0+"),
                      field("TransactionStates", &S::transaction_states, "0+"));
  }
};

template <>
struct Messages<66> {
  using Request = ListTransactionsRequest;
  using Response = ListTransactionsResponse;
};

}  // namespace headrace::wire::kafka
