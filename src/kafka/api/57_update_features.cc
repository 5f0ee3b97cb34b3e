// UpdateFeatures (57): changes the finalized levels of features (KIP-584).
//
// Behavior:
// - Levels are those of this program's version: setting one to what it is succeeds, anything else is
//   INVALID_UPDATE_VERSION. All or nothing, so one wrong level refuses the request.
//
// Version notes:
// - 1 tells upgrades from downgrades by a type and adds validate_only, 2 answers for the whole request only.
#include <algorithm>

#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/features.h"
#include "kafka/repeated.h"
#include "wire/kafka/messages/57_update_features.h"

namespace headrace::kafka {
namespace {

using wire::kafka::UpdateFeaturesRequest;
using wire::kafka::UpdateFeaturesResponse;
using Update = UpdateFeaturesRequest::FeatureUpdateKey;

constexpr int16_t kOneAnswerSince = 2;

/// Empty when the update changes nothing.
std::string mistake_in(const Update& update) {
  auto feature = std::find_if(std::begin(kFeatures), std::end(kFeatures),
                              [&](const Feature& one) { return one.name == update.feature; });
  if (feature == std::end(kFeatures)) return "there is no feature " + update.feature;
  if (update.max_version_level == feature->level) return "";
  return update.feature + " is at level " + std::to_string(feature->level) +
         ", which belongs to the version of the program and can't be changed";
}

void update_features(const Call& call, UpdateFeaturesRequest request, Reply<UpdateFeaturesResponse> reply) {
  UpdateFeaturesResponse response;
  response.error_message.reset();
  drop_repeated(request.feature_updates, [](const Update& update) -> const std::string& { return update.feature; });
  for (const Update& update : request.feature_updates) {
    std::string mistake = mistake_in(update);
    auto code = mistake.empty() ? int16_t{0} : wire_code(KafkaError::kInvalidUpdateVersion);
    if (call.version < kOneAnswerSince) {
      auto message = mistake.empty() ? std::nullopt : std::optional(mistake);
      response.results.push_back({update.feature, code, std::move(message)});
    } else if (!mistake.empty() && response.error_code == 0) {
      response.error_code = code;
      response.error_message = std::move(mistake);
    }
  }
  reply(response);
}

}  // namespace

const Api& api_57() {
  static const Api api = make_api<57, update_features>({.name = "UpdateFeatures", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
