// WriteTxnMarkers (27): ends transactions in partitions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct WriteTxnMarkersRequest {
  struct WritableTxnMarker {
    struct WritableTxnMarkerTopic {
      std::string name;
      std::vector<int32_t> partition_indexes;

      static constexpr auto fields() {
        using S = WritableTxnMarkerTopic;
        return std::tuple(field("Name", &S::name, "0+"), field("PartitionIndexes", &S::partition_indexes, "0+"));
      }
    };

    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    bool transaction_result = false;
    std::vector<WritableTxnMarkerTopic> topics;
    int32_t coordinator_epoch = 0;
    int8_t transaction_version = 0;

    static constexpr auto fields() {
      using S = WritableTxnMarker;
      return std::tuple(field("ProducerId", &S::producer_id, "0+"),
                        field("ProducerEpoch", &S::producer_epoch, "0+"),
                        field("TransactionResult", &S::transaction_result, "0+"),
                        field("Topics", &S::topics, "0+"),
                        field("CoordinatorEpoch", &S::coordinator_epoch, "0+"),
                        field("TransactionVersion", &S::transaction_version, "2+"));
    }
  };

  std::vector<WritableTxnMarker> markers;

  static constexpr Spec kSpec{.name = "WriteTxnMarkersRequest", .api_key = 27, .versions = "1-2", .flexible = "1+"};
  static constexpr auto fields() {
    using S = WriteTxnMarkersRequest;
    return std::tuple(field("Markers", &S::markers, "0+"));
  }
};

struct WriteTxnMarkersResponse {
  struct WritableTxnMarkerResult {
    struct WritableTxnMarkerTopicResult {
      struct WritableTxnMarkerPartitionResult {
        int32_t partition_index = 0;
        int16_t error_code = 0;

        static constexpr auto fields() {
          using S = WritableTxnMarkerPartitionResult;
          return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                            field("ErrorCode", &S::error_code, "0+"));
        }
      };

      std::string name;
      std::vector<WritableTxnMarkerPartitionResult> partitions;

      static constexpr auto fields() {
        using S = WritableTxnMarkerTopicResult;
        return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
      }
    };

    int64_t producer_id = 0;
    std::vector<WritableTxnMarkerTopicResult> topics;

    static constexpr auto fields() {
      using S = WritableTxnMarkerResult;
      return std::tuple(field("ProducerId", &S::producer_id, "0+"), field("Topics", &S::topics, "0+"));
    }
  };

  std::vector<WritableTxnMarkerResult> markers;

  static constexpr Spec kSpec{.name = "WriteTxnMarkersResponse", .api_key = 27, .versions = "1-2", .flexible = "1+"};
  static constexpr auto fields() {
    using S = WriteTxnMarkersResponse;
    return std::tuple(field("Markers", &S::markers, "0+"));
  }
};

template <>
struct Messages<27> {
  using Request = WriteTxnMarkersRequest;
  using Response = WriteTxnMarkersResponse;
};

}  // namespace headrace::wire::kafka
