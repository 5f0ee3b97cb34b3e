// The headers before every request and response.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct RequestHeader {
  int16_t request_api_key = 0;
  int16_t request_api_version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string> client_id = "";

  static constexpr Spec kSpec{.name = "RequestHeader", .versions = "1-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = RequestHeader;
    return std::tuple(field("RequestApiKey", &S::request_api_key, "0+"),
                      field("RequestApiVersion", &S::request_api_version, "0+"),
                      field("CorrelationId", &S::correlation_id, "0+"),
                      field("ClientId", &S::client_id, "1+", {.nullable = "1+", .never_compact = true}));
  }
};

struct ResponseHeader {
  int32_t correlation_id = 0;

  static constexpr Spec kSpec{.name = "ResponseHeader", .versions = "0-1", .flexible = "1+"};
  static constexpr auto fields() { return std::tuple(field("CorrelationId", &ResponseHeader::correlation_id, "0+")); }
};

inline constexpr int16_t kApiVersionsKey = 18;

/// The version of the header that stands before version `version` of `request`.
constexpr int16_t request_header_version(const Spec& request, int16_t version) {
  return request.flexible.contains(version) ? 2 : 1;
}
/// The same for a response. ApiVersions is always answered with header 0, since the client does not know yet what the
/// server speaks (KIP-511).
constexpr int16_t response_header_version(const Spec& response, int16_t version) {
  return response.api_key != kApiVersionsKey && response.flexible.contains(version) ? 1 : 0;
}

}  // namespace headrace::wire::kafka
