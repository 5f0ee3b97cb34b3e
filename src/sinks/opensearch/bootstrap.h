// Creates indices with their mapping before the first document makes OpenSearch guess one.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sinks/opensearch/http_client.h"

namespace headrace::sinks::opensearch {

/// One thread. Does nothing where there is no body.
class IndexBootstrap {
 public:
  /// `mapping` is the JSON of `mappings` or empty; `geo_points` are field names to be mapped as geo_point. Only one of
  /// the two can be given. kInvalidArgument: `mapping` is not a JSON object.
  static Result<IndexBootstrap> make(std::string_view mapping, const std::vector<std::string>& geo_points);

  /// Creates `index` where it does not exist; remembers that it has. kUnavailable: try again later; kInvalidArgument:
  /// OpenSearch refuses the name or the mapping; kOutOfSpace: it has no room for another index.
  Status ensure(HttpClient& client, const std::string& index);

 private:
  std::string body_;
  std::set<std::string> known_;
};

}  // namespace headrace::sinks::opensearch
