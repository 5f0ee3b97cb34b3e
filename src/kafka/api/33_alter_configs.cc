// AlterConfigs (33): replaces all settings of resources. IncrementalAlterConfigs took its place.
//
// Behavior:
// - What is not named goes back to its default. Otherwise as IncrementalAlterConfigs, but levels of loggers can't be
//   changed by it: INVALID_REQUEST.
//
// Version notes:
// - 2 is flexible.
#include "wire/kafka/messages/33_alter_configs.h"
#include "kafka/alter_configs.h"
#include "kafka/api.h"

namespace headrace::kafka {
namespace {

using wire::kafka::AlterConfigsRequest;
using wire::kafka::AlterConfigsResponse;

void replace_configs(const Call& call, AlterConfigsRequest request, Reply<AlterConfigsResponse> reply) {
  alter_resources(call, std::move(request), std::move(reply), /*replace=*/true);
}

}  // namespace

const Api& api_33() {
  static const Api api = make_api<33, replace_configs>({.name = "AlterConfigs", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
