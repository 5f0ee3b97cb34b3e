#include "flow/dead_letter.h"

#include <string>
#include <vector>

namespace headrace::flow {

void add_dead_letter(record::BatchBuilder& builder, const DeadLetter& letter, const record::RecordView& original,
                     int64_t now_ms) {
  std::string partition, offset, timestamp, omitted;
  std::vector<record::Header> headers{{"dlq.stage", letter.stage},
                                      {"dlq.component", letter.component},
                                      {"dlq.error.code", letter.code},
                                      {"dlq.error.message", letter.message}};
  if (letter.source != nullptr) {
    partition = std::to_string(letter.source->partition.value);
    offset = std::to_string(original.offset.value);
    timestamp = std::to_string(original.timestamp_ms);
    headers.push_back({"dlq.source.topic", letter.source->topic});
    headers.push_back({"dlq.source.partition", partition});
    headers.push_back({"dlq.source.offset", offset});
    headers.push_back({"dlq.source.timestamp", timestamp});
  }
  if (headers.size() + original.headers.size() <= record::kRecordHeadersMax) {
    headers.insert(headers.end(), original.headers.begin(), original.headers.end());
  } else {
    omitted = std::to_string(original.headers.size());
    headers.push_back({kHeadersOmitted, omitted});
  }
  builder.add(now_ms, original.key, original.value, headers);
}

}  // namespace headrace::flow
