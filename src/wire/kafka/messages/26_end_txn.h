// EndTxn (26): commits or aborts a transaction.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct EndTxnRequest {
  std::string transactional_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  bool committed = false;

  static constexpr Spec kSpec{.name = "EndTxnRequest", .api_key = 26, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = EndTxnRequest;
    return std::tuple(field("TransactionalId", &S::transactional_id, "0+"),
                      field("ProducerId", &S::producer_id, "0+"),
                      field("ProducerEpoch", &S::producer_epoch, "0+"),
                      field("Committed", &S::committed, "0+"));
  }
};

struct EndTxnResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;

  static constexpr Spec kSpec{.name = "EndTxnResponse", .api_key = 26, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = EndTxnResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ProducerId", &S::producer_id, "5+"),
                      field("ProducerEpoch", &S::producer_epoch, "5+"));
  }
};

template <>
struct Messages<26> {
  using Request = EndTxnRequest;
  using Response = EndTxnResponse;
};

}  // namespace headrace::wire::kafka
