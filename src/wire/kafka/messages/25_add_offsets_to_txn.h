// AddOffsetsToTxn (25): adds the positions of a group to a transaction.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct AddOffsetsToTxnRequest {
  std::string transactional_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  std::string group_id;

  static constexpr Spec kSpec{.name = "AddOffsetsToTxnRequest", .api_key = 25, .versions = "0-4", .flexible = "3+"};
  static constexpr auto fields() {
    using S = AddOffsetsToTxnRequest;
    return std::tuple(field("TransactionalId", &S::transactional_id, "0+"),
                      field("ProducerId", &S::producer_id, "0+"),
                      field("ProducerEpoch", &S::producer_epoch, "0+"),
                      field("GroupId", &S::group_id, "0+"));
  }
};

struct AddOffsetsToTxnResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;

  static constexpr Spec kSpec{.name = "AddOffsetsToTxnResponse", .api_key = 25, .versions = "0-4", .flexible = "3+"};
  static constexpr auto fields() {
    using S = AddOffsetsToTxnResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("ErrorCode", &S::error_code, "0+"));
  }
};

template <>
struct Messages<25> {
  using Request = AddOffsetsToTxnRequest;
  using Response = AddOffsetsToTxnResponse;
};

}  // namespace headrace::wire::kafka
