// ApiVersions (18): tells which APIs and versions this broker speaks.
//
// Behavior:
// - Answers from the dispatch table, so that nothing is told that is not served (Produce 0-2 excepted, see there).
// - A version we do not know is answered in version 0 with UNSUPPORTED_VERSION and our versions of ApiVersions
//   (KIP-511).
// - Features and their levels are those of features.h.
//
// Version notes:
// - 3 is flexible (with response header 0 all the same) and brings the client's name and version; 4 lets features begin
//   at version 0, which before must be left out.
#include "kafka/api_versions.h"

#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/features.h"
#include "wire/kafka/messages/18_api_versions.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ApiVersionsRequest;
using wire::kafka::ApiVersionsResponse;

constexpr int16_t kNamesSince = 3;
/// Older versions can't tell features that begin at version 0 (KAFKA-17011).
constexpr int16_t kZeroMinimumSince = 4;

ApiVersionsResponse::ApiVersion entry_of(const Api& api) { return {api.key, api.advertised.min, api.advertised.max}; }

/// KIP-584: names of clients' libraries and their versions.
bool is_software_name(std::string_view text) {
  auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-'; };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed) && text.front() != '.' &&
         text.front() != '-' && text.back() != '.' && text.back() != '-';
}

void api_versions(const Call& call, ApiVersionsRequest request, Reply<ApiVersionsResponse> reply) {
  ApiVersionsResponse response;
  bool named = is_software_name(request.client_software_name) && is_software_name(request.client_software_version);
  if (call.version >= kNamesSince && !named) {
    response.error_code = wire_code(KafkaError::kInvalidRequest);
    return reply(response);
  }
  if (call.version >= kNamesSince) {
    call.peer.software_name = std::move(request.client_software_name);
    call.peer.software_version = std::move(request.client_software_version);
  }
  for (const Api* api : api_table()) response.api_keys.push_back(entry_of(*api));
  for (const Feature& feature : kFeatures) {
    std::string name(feature.name);
    if (feature.min > 0 || call.version >= kZeroMinimumSince) {
      response.supported_features.push_back({name, feature.min, feature.max});
    }
    response.finalized_features.push_back({name, feature.level, feature.level});
  }
  response.finalized_features_epoch = 0;
  reply(response);
}

}  // namespace

std::vector<Sendable> unsupported_api_versions(int32_t correlation_id) {
  ApiVersionsResponse response;
  response.error_code = wire_code(KafkaError::kUnsupportedVersion);
  response.api_keys.push_back(entry_of(*find_api(wire::kafka::kApiVersionsKey)));
  wire::kafka::Encoder out;
  wire::kafka::encode(out, 0, wire::kafka::ResponseHeader{correlation_id});
  wire::kafka::encode(out, 0, response);
  return out.finish();
}

const Api& api_18() {
  static const Api api = make_api<18, api_versions>({.name = "ApiVersions", .versions = "0-4"});
  return api;
}

}  // namespace headrace::kafka
