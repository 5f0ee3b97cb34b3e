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

std::string row_json(const TopicPartition& tp, const record::RecordView& record) {
  JsonWriter out;
  out.begin_object().key("partition").integer(tp.partition.value).key("offset").integer(record.offset.value);
  out.key("timestamp").integer(record.timestamp_ms);
  write_bytes(out, "key", record.key);
  write_bytes(out, "value", record.value);
  if (record.value && record.value->size() > RecordsQuery::kValueBytesMax) out.key("truncated").boolean(true);
  return out.end_object().take();
}

/// Records as JSON by their time, those of the same time as they came: `limit` at most, in kAnswerBytesMax. Those from
/// an offset on come until there is no more room, else newer ones take the place of older ones.
class Rows {
 public:
  explicit Rows(const RecordsQuery& query)
      : limit_(static_cast<size_t>(query.limit)), newest_(!query.offset.has_value()) {}

  /// Whether nothing more can come in.
  bool complete() const { return !newest_ && full(); }

  void add(const TopicPartition& tp, const record::RecordView& record) {
    if (full() && record.timestamp_ms < by_time_.begin()->first) return;
    auto added = by_time_.emplace(record.timestamp_ms, row_json(tp, record));
    bytes_ += added->second.size();
    while (newest_ && over()) {
      bytes_ -= by_time_.begin()->second.size();
      by_time_.erase(by_time_.begin());
    }
  }

  const std::multimap<int64_t, std::string>& by_time() const { return by_time_; }

 private:
  bool full() const { return by_time_.size() >= limit_ || bytes_ >= RecordsQuery::kAnswerBytesMax; }
  bool over() const { return by_time_.size() > limit_ || bytes_ > RecordsQuery::kAnswerBytesMax; }

  const size_t limit_;
  const bool newest_;
  std::multimap<int64_t, std::string> by_time_;
  size_t bytes_ = 0;
};

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

void add_rows(const bus::FetchedBatch& fetched, const Span& span, Rows& rows) {
  const record::BatchHeader& header = fetched.batch.header();
  if (header.last_offset() < span.begin || header.base_offset >= span.end) return;
  record::RecordReader reader(fetched.batch, kDecompressedBytesMax);
  while (!rows.complete()) {
    const record::RecordView* record = reader.next();
    if (record == nullptr || record->offset >= span.end) return;
    if (record->offset >= span.begin) rows.add(fetched.tp, *record);
  }
}

Result<Rows> read(bus::Bus& bus, std::map<TopicPartition, Span> spans, const RecordsQuery& query) {
  ASSIGN_OR_RETURN(auto consumer, bus.consumer({.client_id = "headrace-console"}));
  std::vector<bus::Position> positions;
  for (const auto& [tp, span] : spans) {
    if (span.begin < span.end) positions.push_back({tp, span.begin});
  }
  size_t open = positions.size();
  Rows rows(query);
  if (open == 0) return rows;
  RETURN_IF_ERROR(consumer->assign(positions));
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  };
  while (open > 0 && !rows.complete() && left().count() > 0) {
    ASSIGN_OR_RETURN(const auto polled, consumer->poll(left()));
    for (const bus::FetchedBatch& fetched : polled.batches) {
      if (rows.complete() || left().count() <= 0) return rows;
      add_rows(fetched, spans[fetched.tp], rows);
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
  ASSIGN_OR_RETURN(const Rows rows, read(bus, std::move(wanted), query));
  JsonWriter out;
  out.begin_object().key("topic").text(query.topic).key("records").begin_array();
  for (const auto& [time, json] : rows.by_time()) out.raw(json);
  return out.end_array().end_object().take();
}

}  // namespace headrace::console
