// What the APIs of access control lists answer while there is no authorizer.
#pragma once

namespace headrace::kafka {

/// Kafka's own words, which tools print.
inline constexpr char kNoAuthorizer[] = "No Authorizer is configured.";

}  // namespace headrace::kafka
