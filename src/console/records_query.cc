#include "console/records_query.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "console/json_writer.h"
#include "record/batch.h"

namespace headrace::console {
namespace {

constexpr std::chrono::seconds kDeadline{2};
constexpr size_t kDecompressedBytesMax = 64 << 20;

struct Row {
  int64_t timestamp_ms;
  int32_t partition;
  int64_t offset;
  std::string json;
};

std::string base64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

void write_bytes(JsonWriter& out, std::string_view name, std::optional<std::string_view> bytes) {
  if (!bytes) {
    out.key(name).null();
  } else if (is_utf8(*bytes)) {
    out.key(name).text(bytes->substr(0, RecordsQuery::kValueBytesMax));
  } else {
    out.key(name).text(base64(bytes->substr(0, RecordsQuery::kValueBytesMax)));
    out.key(std::string(name) + "_encoding").text("base64");
  }
}

Row make_row(const TopicPartition& tp, const record::RecordView& record) {
  JsonWriter out;
  out.begin_object().key("partition").integer(tp.partition.value).key("offset").integer(record.offset.value);
  out.key("timestamp").integer(record.timestamp_ms);
  write_bytes(out, "key", record.key);
  write_bytes(out, "value", record.value);
  if (record.value && record.value->size() > RecordsQuery::kValueBytesMax) out.key("truncated").boolean(true);
  return {record.timestamp_ms, tp.partition.value, record.offset.value, out.end_object().take()};
}

/// Where to begin, and up to where: the partition's end as of now.
struct Span {
  Offset begin, end;
};

Result<std::map<TopicPartition, Span>> spans(const bus::TopicInfo& topic, const RecordsQuery& query) {
  std::map<TopicPartition, Span> out;
  for (const bus::PartitionInfo& info : topic.partitions) {
    if (query.partition && *query.partition != info.id.value) continue;
    const Offset begin = query.offset ? Offset(*query.offset) : info.high_watermark - query.limit;
    out[{topic.name, info.id}] = {std::max(begin, info.log_start), info.high_watermark};
  }
  if (out.empty()) return Error{ErrorCode::kNotFound, "topic " + topic.name + " has no such partition"};
  return out;
}

/// Reads each span, the newest `limit` rows when there are more (the oldest, when an offset was asked for).
Result<std::vector<Row>> read(bus::Bus& bus, std::map<TopicPartition, Span> spans, const RecordsQuery& query) {
  ASSIGN_OR_RETURN(auto consumer, bus.consumer({.client_id = "headrace-console"}));
  std::vector<bus::Position> positions;
  for (const auto& [tp, span] : spans) {
    if (span.begin < span.end) positions.push_back({tp, span.begin});
  }
  size_t open = positions.size();
  std::vector<Row> rows;
  if (open == 0) return rows;
  RETURN_IF_ERROR(consumer->assign(positions));
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  const size_t rows_max = query.offset ? static_cast<size_t>(query.limit) : SIZE_MAX;
  size_t bytes = 0;
  while (open > 0 && rows.size() < rows_max && bytes < RecordsQuery::kAnswerBytesMax) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    ASSIGN_OR_RETURN(const auto polled, consumer->poll(left));
    for (const bus::FetchedBatch& fetched : polled.batches) {
      const Span& span = spans[fetched.tp];
      record::RecordReader reader(fetched.batch, kDecompressedBytesMax);
      while (const record::RecordView* record = reader.next()) {
        if (record->offset < span.begin || record->offset >= span.end) continue;
        rows.push_back(make_row(fetched.tp, *record));
        bytes += rows.back().json.size();
      }
    }
    for (const bus::Position& position : polled.positions) {
      Span& span = spans[position.tp];
      if (position.next >= span.end && span.begin < span.end) --open;
      span.begin = std::max(span.begin, position.next);
    }
  }
  return rows;
}

}  // namespace

Result<std::string> query_records(bus::Bus& bus, const RecordsQuery& query) {
  ASSIGN_OR_RETURN(const bus::TopicInfo topic, bus.admin().topic(query.topic));
  ASSIGN_OR_RETURN(auto wanted, spans(topic, query));
  ASSIGN_OR_RETURN(auto rows, read(bus, std::move(wanted), query));
  const auto limit = static_cast<size_t>(query.limit);
  if (query.offset && rows.size() > limit) rows.resize(limit);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.timestamp_ms < b.timestamp_ms; });
  if (rows.size() > limit) rows.erase(rows.begin(), rows.end() - query.limit);
  JsonWriter out;
  out.begin_object().key("topic").text(query.topic).key("records").begin_array();
  for (const Row& row : rows) out.raw(row.json);
  return out.end_array().end_object().take();
}

}  // namespace headrace::console
