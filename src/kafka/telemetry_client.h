// A request's client, as subscriptions to client metrics select it.
#pragma once

#include "kafka/api.h"

namespace headrace::kafka {

inline TelemetryClient telemetry_client(const Call& call, const wire::kafka::Uuid& instance_id) {
  return {instance_id,           call.client_id,       call.peer.software_name, call.peer.software_version,
          call.peer.client_host, call.peer.client_port};
}

}  // namespace headrace::kafka
