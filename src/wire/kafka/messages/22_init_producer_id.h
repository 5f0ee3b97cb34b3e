// InitProducerId (22): gives an idempotent or transactional producer its id and epoch.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct InitProducerIdRequest {
  std::optional<std::string> transactional_id = "";
  int32_t transaction_timeout_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  bool enable2_pc = false;
  bool keep_prepared_txn = false;

  static constexpr Spec kSpec{.name = "InitProducerIdRequest", .api_key = 22, .versions = "0-6", .flexible = "2+"};
  static constexpr auto fields() {
    using S = InitProducerIdRequest;
    return std::tuple(field("TransactionalId", &S::transactional_id, "0+", {.nullable = "0+"}),
                      field("TransactionTimeoutMs", &S::transaction_timeout_ms, "0+"),
                      field("ProducerId", &S::producer_id, "3+"),
                      field("ProducerEpoch", &S::producer_epoch, "3+"),
                      field("Enable2Pc", &S::enable2_pc, "6+"),
                      field("KeepPreparedTxn", &S::keep_prepared_txn, "6+"));
  }
};

struct InitProducerIdResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;
  int64_t ongoing_txn_producer_id = -1;
  int16_t ongoing_txn_producer_epoch = -1;

  static constexpr Spec kSpec{.name = "InitProducerIdResponse", .api_key = 22, .versions = "0-6", .flexible = "2+"};
  static constexpr auto fields() {
    using S = InitProducerIdResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ProducerId", &S::producer_id, "0+"),
                      field("ProducerEpoch", &S::producer_epoch, "0+"),
                      field("OngoingTxnProducerId", &S::ongoing_txn_producer_id, "6+"),
                      field("OngoingTxnProducerEpoch", &S::ongoing_txn_producer_epoch, "6+"));
  }
};

template <>
struct Messages<22> {
  using Request = InitProducerIdRequest;
  using Response = InitProducerIdResponse;
};

}  // namespace headrace::wire::kafka
