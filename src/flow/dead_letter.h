// The one dead-letter format of ingest, pipelines and sinks: a record with the original key and value untouched and the
// reason in headers.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "record/batch.h"
#include "record/batch_builder.h"

namespace headrace::flow {

/// Where a record failed and why. Headers: `dlq.stage` (ingest, pipeline, sink), `dlq.component`, `dlq.error.code`,
/// `dlq.error.message`, `dlq.source.topic`, `dlq.source.partition`, `dlq.source.offset`, `dlq.source.timestamp` (ms);
/// the original headers follow unchanged, or kHeadersOmitted where they would be more than a record may have.
struct DeadLetter {
  std::string_view stage;
  std::string_view component;
  std::string_view code;
  std::string_view message;
  const TopicPartition* source = nullptr;  ///< Null when the record never got into a topic.
};

/// The dead-letter topic when the file names none: "dead-letters".
inline constexpr std::string_view kDefaultDeadLetterTopic = "dead-letters";

/// The header that stands for the original ones where these are left out: their number.
inline constexpr std::string_view kHeadersOmitted = "dlq.headers.omitted";
/// Those that stand for a value or key that is left out: its size in bytes.
inline constexpr std::string_view kValueOmitted = "dlq.value.omitted.bytes";
inline constexpr std::string_view kKeyOmitted = "dlq.key.omitted.bytes";

/// Appends the dead letter of `original` to `builder`.
void add_dead_letter(record::BatchBuilder& builder, const DeadLetter& letter, const record::RecordView& original,
                     int64_t now_ms);

}  // namespace headrace::flow
