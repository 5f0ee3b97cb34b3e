#include "console/topic_reader.h"

#include <algorithm>

#include "record/batch.h"

namespace headrace::console {

Status TopicReader::follow(const Sample& sample) {
  bool changed = false;
  if (sample.topics_error.empty()) {
    changed = std::erase_if(next_, [&](const auto& entry) {
                return std::none_of(sample.topics.begin(), sample.topics.end(),
                                    [&](const TopicSample& topic) { return topic.name == entry.first.topic; });
              }) > 0;
  }
  for (const TopicSample& topic : sample.topics) {
    if (std::find(topics_.begin(), topics_.end(), topic.name) == topics_.end()) continue;
    for (size_t i = 0; i < topic.high_watermarks.size(); ++i) {
      const TopicPartition tp{topic.name, PartitionId(static_cast<int32_t>(i))};
      const auto known = next_.find(tp);
      if (known != next_.end() && topic.high_watermarks[i] - known->second.value <= kLagRecordsMax) continue;
      ASSIGN_OR_RETURN(const Offset start, start_of(tp, sample.at_ms, known == next_.end()));
      next_[tp] = start;
      changed = true;
    }
  }
  if (!changed) return {};
  if (!consumer_) {
    ASSIGN_OR_RETURN(consumer_, bus_.consumer({.client_id = "headrace-console",
                                               .fetch_bytes_max = kFetchBytesMax,
                                               .queue_bytes_max = kQueueBytesMax}));
  }
  std::vector<bus::Position> positions;
  for (const auto& [tp, next] : next_) positions.push_back({tp, next});
  return consumer_->assign(std::move(positions));
}

Status TopicReader::poll(std::chrono::milliseconds timeout, const Visit& visit) {
  ASSIGN_OR_RETURN(const bus::PollResult polled, consumer_->poll(timeout));
  for (const bus::FetchedBatch& fetched : polled.batches) {
    record::RecordReader reader(fetched.batch, kDecompressedBytesMax);
    const Offset from = next_[fetched.tp];
    while (const record::RecordView* record = reader.next()) {
      if (record->offset >= from) visit(fetched.tp.topic, *record);
    }
  }
  for (const bus::Position& position : polled.positions) next_[position.tp] = position.next;
  return {};
}

Result<Offset> TopicReader::start_of(const TopicPartition& tp, int64_t now_ms, bool replay) {
  auto& admin = bus_.admin();
  ASSIGN_OR_RETURN(const auto latest, admin.offsets({tp}, {.kind = bus::OffsetQuery::Kind::kLatest}));
  if (latest.empty()) return Error{ErrorCode::kNotFound, "no offsets of " + to_string(tp)};
  const Offset end = latest[0].next;
  if (!replay) return end;
  ASSIGN_OR_RETURN(const auto then, admin.offsets({tp}, {bus::OffsetQuery::Kind::kTimestamp, now_ms - kReplayMs}));
  const Offset since = then.empty() ? end : then[0].next;
  return std::max({since, end - kReplayRecordsMax, Offset(0)});
}

}  // namespace headrace::console
