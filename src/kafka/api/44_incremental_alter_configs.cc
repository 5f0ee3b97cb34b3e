// IncrementalAlterConfigs (44): changes single settings of resources.
//
// Behavior:
// - Per resource all changes or none, on the disk before the answer. Operations: set (0), delete (1) to the default;
//   append (2) and subtract (3) for lists. A wrong name or value: INVALID_CONFIG; but to delete what is no option, and
//   so not set, changes nothing. A resource that is named more than once is refused with INVALID_REQUEST.
// - Topics (2), subscriptions to client metrics (16) and groups (32).
// - The broker (4): its settings come from its configuration file, INVALID_REQUEST as for those that Kafka can't change
//   while it runs. None are set by requests, so that to delete some changes nothing.
// - The broker's logger (8): there is one, "root"; its level is for as long as the program runs.
//
// Version notes:
// - 1 is flexible.
#include "wire/kafka/messages/44_incremental_alter_configs.h"
#include "kafka/alter_configs.h"
#include "kafka/api.h"

namespace headrace::kafka {
namespace {

using wire::kafka::IncrementalAlterConfigsRequest;
using wire::kafka::IncrementalAlterConfigsResponse;

void incremental_alter_configs(const Call& call, IncrementalAlterConfigsRequest request,
                               Reply<IncrementalAlterConfigsResponse> reply) {
  alter_resources(call, std::move(request), std::move(reply), /*replace=*/false);
}

}  // namespace

const Api& api_44() {
  static const Api api =
      make_api<44, incremental_alter_configs>({.name = "IncrementalAlterConfigs", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
