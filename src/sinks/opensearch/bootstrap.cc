#include "sinks/opensearch/bootstrap.h"

#include <fmt/format.h>

#include "sinks/json_text.h"
#include "sinks/opensearch/bulk.h"

namespace headrace::sinks::opensearch {
namespace {

/// Beyond as many index names the oldest knowledge is dropped; asking again costs one request.
constexpr size_t kKnownIndicesMax = 10'000;

/// Of a cluster that has all the shards it may have; the error's type differs between versions, its text does not.
constexpr std::string_view kFull = "this action would add [";

/// 400 is said of the name or the mapping, too; anything else an operator can still put right.
ErrorCode refusal(const HttpAnswer& answer) {
  if (answer.status != 400) return ErrorCode::kUnavailable;
  return answer.body.find(kFull) != std::string::npos ? ErrorCode::kOutOfSpace : ErrorCode::kInvalidArgument;
}

}  // namespace

Result<IndexBootstrap> IndexBootstrap::make(std::string_view mapping, const std::vector<std::string>& geo_points) {
  IndexBootstrap bootstrap;
  if (mapping.empty() && geo_points.empty()) return bootstrap;
  if (!mapping.empty() && !geo_points.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "mapping and geo_point can't be given together: put the fields into mapping"};
  }
  std::string mappings;
  if (!mapping.empty()) {
    JsonText json;
    if (auto status = json.append_object(mapping, mappings); !status.ok()) return status.error().in("mapping");
  } else {
    for (const std::string& field : geo_points) {
      if (!is_utf8(field)) return Error{ErrorCode::kInvalidArgument, "geo_point: a field's name is not UTF-8"};
      mappings += mappings.empty() ? R"({"properties":{)" : ",";
      append_json_string(field, mappings);
      mappings += R"(:{"type":"geo_point"})";
    }
    mappings += "}}";
  }
  bootstrap.body_ = fmt::format(R"({{"mappings":{}}})", mappings);
  return bootstrap;
}

Status IndexBootstrap::ensure(HttpClient& client, const std::string& index) {
  if (body_.empty() || known_.contains(index)) return {};
  auto answer = client.send("PUT", "/" + index, "application/json", body_);
  if (!answer.ok()) return answer.error();
  bool created = answer->status >= 200 && answer->status < 300;
  if (!created && answer->body.find("resource_already_exists_exception") == std::string::npos) {
    return Error{refusal(*answer),
                 fmt::format("creating index {}: status {}: {}", index, answer->status, error_reason(answer->body))};
  }
  if (known_.size() >= kKnownIndicesMax) known_.clear();
  known_.insert(index);
  return {};
}

}  // namespace headrace::sinks::opensearch
