// The bodies of OpenSearch's _bulk API.
//
//   request := (action document)*
//   action  := {"index":{"_index":INDEX,"_id":"TOPIC-PARTITION-OFFSET"}} LF
//   document:= the record's JSON object on one line LF
//   answer  := {"errors":BOOL,"items":[{"index":{"status":N,"error":{"type":T,"reason":R,"caused_by":{...}}}}*]}
//
// Items come in the order of the actions.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "flow/sink.h"

namespace headrace::sinks::opensearch {

/// Appends the action line of a record.
void append_action(std::string_view index, const TopicPartition& tp, Offset offset, std::string& out);

/// Reads a bulk answer with `count` items. 2xx is written; 429 and 5xx are to be retried; everything else is rejected
/// with the item's error as the reason. kCorrupt: it is not a bulk answer with that many items.
Result<std::vector<flow::WriteAnswer>> parse_bulk_answer(std::string_view body, size_t count);

/// The reason in an error answer ("mapper_parsing_exception: failed to parse field [x]"), else the first of its bytes.
std::string error_reason(std::string_view body);

/// Whether a status passes by itself: 429 and 5xx.
inline bool is_transient(long status) { return status == 429 || status >= 500; }

}  // namespace headrace::sinks::opensearch
