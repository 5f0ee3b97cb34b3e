// DescribeCluster (60): tells the id, controller and brokers of a cluster.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeClusterRequest {
  bool include_cluster_authorized_operations = false;
  int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  static constexpr Spec kSpec{.name = "DescribeClusterRequest", .api_key = 60, .versions = "0-2", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeClusterRequest;
    return std::tuple(field("IncludeClusterAuthorizedOperations", &S::include_cluster_authorized_operations, "0+"),
                      field("EndpointType", &S::endpoint_type, "1+"),
                      field("IncludeFencedBrokers", &S::include_fenced_brokers, "2+"));
  }
};

struct DescribeClusterResponse {
  struct Broker {
    int32_t broker_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;

    static constexpr auto fields() {
      using S = Broker;
      return std::tuple(field("BrokerId", &S::broker_id, "0+"),
                        field("Host", &S::host, "0+"),
                        field("Port", &S::port, "0+"),
                        field("Rack", &S::rack, "0+", {.nullable = "0+"}),
                        field("IsFenced", &S::is_fenced, "2+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int8_t endpoint_type = 1;
  std::string cluster_id;
  int32_t controller_id = -1;
  std::vector<Broker> brokers;
  int32_t cluster_authorized_operations = INT32_MIN;

  static constexpr Spec kSpec{.name = "DescribeClusterResponse", .api_key = 60, .versions = "0-2", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeClusterResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("EndpointType", &S::endpoint_type, "1+"),
                      field("ClusterId", &S::cluster_id, "0+"),
                      field("ControllerId", &S::controller_id, "0+"),
                      field("Brokers", &S::brokers, "0+"),
                      field("ClusterAuthorizedOperations", &S::cluster_authorized_operations, "0+"));
  }
};

template <>
struct Messages<60> {
  using Request = DescribeClusterRequest;
  using Response = DescribeClusterResponse;
};

}  // namespace headrace::wire::kafka
