#include "app/bench/fetch_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/batch.h"

namespace headrace::app {
namespace {

using wire::kafka::FetchRequest;
using wire::kafka::FetchResponse;

constexpr int16_t kFetchVersion = 12;

}  // namespace

SharedBytes FetchReader::next_fetch() const {
  FetchRequest request{.max_wait_ms = limits_.max_wait_ms, .min_bytes = 1, .max_bytes = limits_.fetch_bytes_max};
  auto& topic = request.topics.emplace_back();
  topic.topic = topic_;
  for (const Partition& p : partitions_) {
    if (p.next >= p.end) continue;
    topic.partitions.push_back(
        {.partition = p.index, .fetch_offset = p.next, .partition_max_bytes = limits_.partition_bytes_max});
  }
  if (topic.partitions.empty()) return {};
  return frame_of(request, kFetchVersion);
}

Result<int64_t> FetchReader::read(BytesView bytes, Function<void(BytesView)>* batch) {
  ASSIGN_OR_RETURN(auto response, read_response<FetchResponse>(SharedBytes(nullptr, bytes), kFetchVersion));
  int64_t records = 0;
  for (const auto& topic : response.responses) {
    for (const auto& found : topic.partitions) {
      if (found.error_code != 0) {
        return Error{ErrorCode::kUnavailable,
                     fmt::format("fetching {}-{}: Kafka error {}", topic_, found.partition_index, found.error_code)};
      }
      auto p = std::find_if(partitions_.begin(), partitions_.end(),
                            [&](const Partition& one) { return one.index == found.partition_index; });
      if (p == partitions_.end()) continue;
      for (const SharedBytes& part : found.records.parts) {
        ASSIGN_OR_RETURN(int64_t more, read_batches(part.view(), *p, batch));
        records += more;
      }
    }
  }
  return records;
}

Result<int64_t> FetchReader::read_batches(BytesView bytes, Partition& partition, Function<void(BytesView)>* batch) {
  int64_t records = 0;
  while (bytes.size() >= record::kBatchHeaderBytes) {
    ASSIGN_OR_RETURN(auto header, record::read_header(bytes));
    if (header.total_bytes() > bytes.size()) break;
    if (header.last_offset().value >= partition.next) {
      records += header.record_count;
      partition.next = header.next_offset().value;
      if (batch) (*batch)(bytes.first(header.total_bytes()));
    }
    bytes = bytes.subspan(header.total_bytes());
  }
  return records;
}

}  // namespace headrace::app
