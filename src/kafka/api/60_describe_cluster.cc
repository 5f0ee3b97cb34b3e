// DescribeCluster (60): tells the id, controller and brokers of the cluster: this one broker.
//
// Behavior:
// - Endpoint type 1 (brokers) is served; controllers (2) are asked for elsewhere: MISMATCHED_ENDPOINT_TYPE. There are
//   no others: UNSUPPORTED_ENDPOINT_TYPE.
//
// Version notes:
// - 1 adds the endpoint type (KIP-919), 2 fenced brokers.
#include "wire/kafka/messages/60_describe_cluster.h"
#include "kafka/api.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeClusterRequest;
using wire::kafka::DescribeClusterResponse;

constexpr int8_t kBrokers = 1, kControllers = 2;

void describe_cluster(const Call& call, DescribeClusterRequest request, Reply<DescribeClusterResponse> reply) {
  DescribeClusterResponse response;
  if (request.endpoint_type != kBrokers) {
    bool known = request.endpoint_type == kControllers;
    response.error_code = wire_code(known ? KafkaError::kMismatchedEndpointType : KafkaError::kUnsupportedEndpointType);
    response.error_message = "this listener serves brokers only";
    return reply(response);
  }
  response.cluster_id = call.server.broker.cluster_id();
  response.controller_id = kNodeId;
  auto& self = response.brokers.emplace_back();
  self.broker_id = kNodeId;
  self.host = call.server.advertised_host(call.peer);
  self.port = call.server.advertised_port(call.peer);
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  reply(response);
}

}  // namespace

const Api& api_60() {
  static const Api api = make_api<60, describe_cluster>({.name = "DescribeCluster", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
