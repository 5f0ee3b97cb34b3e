#include "flow/sink_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/logging.h"

namespace headrace::flow {
namespace {

using SteadyClock = std::chrono::steady_clock;

size_t payload_bytes(const record::RecordView& record) {
  size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const record::Header& header : record.headers) {
    bytes += sizeof(header) + header.key.size() + (header.value ? header.value->size() : 0);
  }
  return bytes;
}

}  // namespace

SinkSource::SinkSource(const SinkRunnerOptions& options, bus::Bus& bus, std::unique_ptr<bus::Consumer> consumer)
    : options_(options),
      bus_(bus),
      consumer_(std::move(consumer)),
      kept_bytes_max_(std::max(options.batch_bytes_max, options.decompressed_bytes_max)) {}

/// Behind a deletion it begins anew, from what was committed: a topic that has the name now is another one.
Status SinkSource::discover() {
  missing_.clear();
  if (stale_) {
    fetched_.clear();
    fetched_positions_.clear();
    partitions_.clear();
    assigned_ = false;
  }
  for (const std::string& name : options_.topics) {
    auto topic = bus_.admin().topic(name);
    if (!topic.ok() && topic.error().code == ErrorCode::kNotFound) {
      missing_.push_back(name);
      forget(name);
      continue;
    }
    if (!topic.ok()) return topic.error().in("reading the partitions of topic " + name);
    RETURN_IF_ERROR(add_partitions(*topic));
    if (options_.from_latest) RETURN_IF_ERROR(commit_begins(name));
    for (const bus::PartitionInfo& info : topic->partitions) {
      if (auto it = partitions_.find({name, info.id}); it != partitions_.end()) it->second.end = info.high_watermark;
    }
  }
  stale_ = false;
  if (assigned_) return {};
  fetched_.clear();
  fetched_positions_.clear();
  std::vector<bus::Position> positions;
  for (const auto& [tp, partition] : partitions_) positions.push_back({tp, partition.read});
  RETURN_IF_ERROR(consumer_->assign(std::move(positions)));
  assigned_ = true;
  return {};
}

/// A topic that was deleted: one of its name may come, which is another.
void SinkSource::forget(const std::string& topic) {
  size_t gone = std::erase_if(partitions_, [&](const auto& each) { return each.first.topic == topic; });
  if (gone > 0) assigned_ = false;
}

Status SinkSource::add_partitions(const bus::TopicInfo& topic) {
  std::vector<TopicPartition> added;
  std::map<TopicPartition, Offset> begins;
  for (const bus::PartitionInfo& info : topic.partitions) {
    TopicPartition tp{topic.name, info.id};
    if (partitions_.contains(tp)) continue;
    begins[tp] = options_.from_latest ? info.high_watermark : info.log_start;
    added.push_back(std::move(tp));
  }
  if (added.empty()) return {};
  auto committed = bus_.admin().committed(options_.name, added);
  if (!committed.ok()) return committed.error().in("reading the positions of group " + options_.name);
  for (const auto& [tp, begin] : begins) partitions_[tp] = {begin, kNoOffset, begin};
  for (const bus::Position& position : *committed) {
    Partition& partition = partitions_[position.tp];
    partition.read = partition.committed = position.next;
  }
  assigned_ = false;
  return {};
}

/// Without a committed position the end would be looked for anew after a restart, past what came in between.
Status SinkSource::commit_begins(const std::string& topic) {
  std::vector<bus::Position> begins;
  for (const auto& [tp, partition] : partitions_) {
    if (tp.topic == topic && partition.committed == kNoOffset) begins.push_back({tp, partition.read});
  }
  return begins.empty() ? Status() : commit_ahead(begins);
}

/// By what it holds, too: a batch may decompress to far more than the records that are taken from it. One batch alone
/// never fills a chunk that way.
bool SinkSource::full(const SinkChunk& chunk) const {
  return chunk.records.size() + chunk.undecodable.size() >= options_.batch_records_max ||
         chunk.bytes >= options_.batch_bytes_max || (chunk.kept_bytes > kept_bytes_max_ && chunk.keep_alive.size() > 1);
}

Result<SinkChunk> SinkSource::read(std::chrono::milliseconds wait) {
  SinkChunk chunk;
  auto deadline = SteadyClock::now() + wait;
  bool lingering = false;
  while (true) {
    take_fetched(chunk);
    if (full(chunk)) return chunk;
    if (!lingering && !chunk.empty()) {
      lingering = true;
      deadline = SteadyClock::now() + options_.linger;
    }
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) return chunk;
    if (auto status = poll(left, chunk); !status.ok()) {
      stale_ = stale_ || status.error().code == ErrorCode::kNotFound;
      if (!chunk.empty()) return chunk;
      return status.error();
    }
    if (fetched_.empty() && fetched_positions_.empty()) return chunk;
  }
}

Status SinkSource::poll(std::chrono::milliseconds wait, SinkChunk& chunk) {
  auto polled = consumer_->poll(wait);
  if (!polled.ok()) return polled.error().in("reading the topics of sink " + options_.name);
  for (const auto& [tp, records] : polled->skipped) {
    log_warn("sink {}: {} records of {} expired before they were read", options_.name, records, to_string(tp));
    chunk.expired += records;
  }
  for (const bus::Position& position : polled->set_back) {
    auto it = partitions_.find(position.tp);
    if (it != partitions_.end()) it->second.read = it->second.committed = position.next;
  }
  for (bus::FetchedBatch& fetched : polled->batches) {
    auto it = partitions_.find(fetched.tp);
    if (it == partitions_.end()) continue;
    fetched_.push_back(std::make_shared<OpenBatch>(OpenBatch{&it->first, std::move(fetched.batch), std::nullopt}));
  }
  fetched_positions_ = std::move(polled->positions);
  return {};
}

void SinkSource::take_fetched(SinkChunk& chunk) {
  while (!fetched_.empty() && !full(chunk)) {
    auto open = fetched_.front();
    take_batch(open, chunk);
    if (full(chunk)) return;  // The batch may have more: it stays at the front.
    fetched_.pop_front();
  }
  if (!fetched_.empty()) return;
  for (const bus::Position& position : fetched_positions_) {
    if (partitions_.contains(position.tp)) set_end(chunk, position.tp, position.next);
  }
  fetched_positions_.clear();
}

void SinkSource::take_batch(const std::shared_ptr<OpenBatch>& open, SinkChunk& chunk) {
  const TopicPartition& tp = *open->tp;
  const Offset begin = partitions_.at(tp).read;
  if (!open->reader) open->reader.emplace(open->batch, options_.decompressed_bytes_max);
  Offset next = begin;
  bool kept = false;
  auto keep = [&] {
    if (std::exchange(kept, true)) return;
    chunk.keep_alive.push_back(open);
    chunk.kept_bytes += open->bytes();
  };
  while (!full(chunk)) {
    const record::RecordView* record = open->reader->next();
    if (record == nullptr) {
      if (!open->reader->status().ok() && open->batch.header().last_offset() >= next) {
        keep();
        record::RecordView whole{std::max(next, open->batch.header().base_offset),
                                 open->batch.header().max_timestamp_ms,
                                 std::nullopt,
                                 as_text(open->batch.bytes().view()),
                                 {}};
        chunk.bytes += payload_bytes(whole);
        chunk.undecodable.push_back({{&tp, std::move(whole)}, open->reader->status().error().message});
      }
      next = std::max(next, open->batch.header().next_offset());
      break;
    }
    if (record->offset < begin) continue;
    keep();
    chunk.bytes += payload_bytes(*record);
    next = record->offset + 1;
    chunk.records.push_back({&tp, *record});
  }
  if (next > begin) set_end(chunk, tp, next);
}

void SinkSource::set_end(SinkChunk& chunk, const TopicPartition& tp, Offset next) {
  Partition& partition = partitions_.at(tp);
  if (next <= partition.read) return;
  partition.read = next;
  partition.end = std::max(partition.end, next);
  chunk.ends[tp] = next;
}

Status SinkSource::commit(const std::map<TopicPartition, Offset>& positions) {
  std::vector<bus::Position> ahead;
  const std::vector<TopicPartition> deleted = consumer_->deleted();
  stale_ = stale_ || !deleted.empty();
  for (const auto& [tp, next] : positions) {
    bool gone = std::find(deleted.begin(), deleted.end(), tp) != deleted.end();
    if (!gone && next > partitions_.at(tp).committed) ahead.push_back({tp, next});
  }
  if (ahead.empty()) return {};
  return commit_ahead(ahead);
}

Status SinkSource::commit_ahead(const std::vector<bus::Position>& ahead) {
  Status status = bus_.admin().commit(options_.name, ahead);
  bool gone = !status.ok() && status.error().code == ErrorCode::kNotFound;
  stale_ = stale_ || gone;
  if (gone && ahead.size() > 1) {  // Which it is, and the others.
    for (const bus::Position& position : ahead) RETURN_IF_ERROR(commit_ahead({position}));
    return {};
  }
  if (!gone && !status.ok()) return status.error().in("committing the positions of sink " + options_.name);
  for (const bus::Position& position : ahead) partitions_.at(position.tp).committed = position.next;
  return {};
}

int64_t SinkSource::lag() const {
  int64_t lag = 0;
  for (const auto& [tp, partition] : partitions_) {
    Offset at = partition.committed == kNoOffset ? partition.read : partition.committed;
    lag += std::max<int64_t>(0, partition.end - at);
  }
  return lag;
}

}  // namespace headrace::flow
