#include "sinks/opensearch/bulk.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <iterator>

#include "sinks/json_text.h"

namespace headrace::sinks::opensearch {
namespace {

using flow::WriteAnswer;
using simdjson::dom::element;

/// The longest reason kept, in bytes: an error may quote the whole document.
constexpr size_t kReasonBytesMax = 1'000;

/// Cuts at a character's boundary.
std::string shortened(std::string text) {
  if (text.size() <= kReasonBytesMax) return text;
  size_t end = kReasonBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + "...";
}

/// "type: reason; caused by type: reason", to the depth that OpenSearch nests them in practice.
std::string describe(element error) {
  constexpr int kCausesMax = 4;
  std::string out;
  for (int depth = 0; depth < kCausesMax; ++depth) {
    std::string_view text, type;
    if (error.get(text) == simdjson::SUCCESS) return out + std::string(text);
    if (error["reason"].get(text) == simdjson::SUCCESS) {
      if (error["type"].get(type) == simdjson::SUCCESS) out += std::string(type) + ": ";
      out += text;
    }
    if (error["caused_by"].get(error) != simdjson::SUCCESS) break;
    out += "; caused by ";
  }
  return out;
}

Result<WriteAnswer> item_answer(element item) {
  int64_t status = 0;
  if (item["index"]["status"].get(status) != simdjson::SUCCESS)
    return Error{ErrorCode::kCorrupt, "an item has no status"};
  if (status >= 200 && status < 300) return WriteAnswer{};
  std::string reason = fmt::format("status {}", status);
  element error;
  if (item["index"]["error"].get(error) == simdjson::SUCCESS) reason += ": " + describe(error);
  return WriteAnswer{is_transient(status) ? WriteAnswer::Outcome::kRetry : WriteAnswer::Outcome::kRejected,
                     shortened(std::move(reason)),
                     {}};
}

}  // namespace

void append_action(std::string_view index, const TopicPartition& tp, Offset offset, std::string& out) {
  out += R"({"index":{"_index":)";
  append_json_string(index, out);
  out += R"(,"_id":)";
  append_json_string(tp.topic, out);
  out.pop_back();  // The id goes on behind the topic.
  fmt::format_to(std::back_inserter(out), "-{}-{}\"}}}}\n", tp.partition.value, offset.value);
}

Result<std::vector<WriteAnswer>> parse_bulk_answer(std::string_view body, size_t count) {
  simdjson::dom::parser parser;
  element root;
  simdjson::dom::array items;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS ||
      root["items"].get(items) != simdjson::SUCCESS) {
    return Error{ErrorCode::kCorrupt, "its answer is not that of a bulk request: " + shortened(std::string(body))};
  }
  std::vector<WriteAnswer> answers;
  answers.reserve(count);
  for (element item : items) {
    ASSIGN_OR_RETURN(WriteAnswer answer, item_answer(item));
    answers.push_back(std::move(answer));
  }
  if (answers.size() != count) {
    return Error{ErrorCode::kCorrupt, fmt::format("its answer has {} items for {} documents", answers.size(), count)};
  }
  return answers;
}

std::string error_reason(std::string_view body) {
  simdjson::dom::parser parser;
  element root, error;
  if (parser.parse(body.data(), body.size()).get(root) == simdjson::SUCCESS &&
      root["error"].get(error) == simdjson::SUCCESS) {
    if (std::string reason = describe(error); !reason.empty()) return shortened(std::move(reason));
  }
  return shortened(std::string(body));
}

}  // namespace headrace::sinks::opensearch
