// ListPartitionReassignments (46): lists partitions that are being given other replicas.
//
// Behavior:
// - There is one broker, so there never are any.
#include "wire/kafka/messages/46_list_partition_reassignments.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ListPartitionReassignmentsRequest;
using wire::kafka::ListPartitionReassignmentsResponse;

void list_partition_reassignments(const Call&, ListPartitionReassignmentsRequest,
                                  Reply<ListPartitionReassignmentsResponse> reply) {
  ListPartitionReassignmentsResponse response;
  response.error_message.reset();
  reply(response);
}

}  // namespace

const Api& api_46() {
  static const Api api =
      make_api<46, list_partition_reassignments>({.name = "ListPartitionReassignments", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
