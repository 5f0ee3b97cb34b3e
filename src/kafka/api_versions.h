// ApiVersions outside of its own file: what a client hears that asks in a version we do not know.
#pragma once

#include <cstdint>
#include <vector>

#include "base/file_range.h"

namespace headrace::kafka {

/// The encoded answer of version 0 with UNSUPPORTED_VERSION and the versions of ApiVersions itself, from which the
/// client chooses one and asks again (KIP-511).
std::vector<Sendable> unsupported_api_versions(int32_t correlation_id);

}  // namespace headrace::kafka
