#include "stream/source_reader.h"

#include <arrow/record_batch.h>

#include <algorithm>

#include "base/check.h"

namespace headrace::stream {

Result<std::unique_ptr<SourceReader>> SourceReader::open(SourceReaderOptions options, bus::Bus& bus) {
  auto reader = std::unique_ptr<SourceReader>(new SourceReader(std::move(options), bus));
  ASSIGN_OR_RETURN(int32_t count, bus.admin().partition_count(reader->options_.topic));
  ASSIGN_OR_RETURN(reader->consumer_, bus.consumer({.fetch_bytes_max = reader->options_.fetch_bytes_max,
                                                    .queue_bytes_max = reader->options_.fetch_bytes_max * 2}));
  RETURN_IF_ERROR(reader->add_partitions(0, count, reader->options_.from_latest));
  RETURN_IF_ERROR(reader->assign());
  return reader;
}

Status SourceReader::add_partitions(int32_t first, int32_t end, bool from_latest) {
  std::vector<TopicPartition> tps;
  for (int32_t id = first; id < end; ++id) tps.push_back({options_.topic, PartitionId(id)});
  auto kind = from_latest ? bus::OffsetQuery::Kind::kLatest : bus::OffsetQuery::Kind::kEarliest;
  ASSIGN_OR_RETURN(auto starts, bus_.admin().offsets(tps, {kind}));
  ASSIGN_OR_RETURN(auto committed, bus_.admin().committed(options_.group, tps));
  std::map<TopicPartition, Offset> positions;
  for (const auto& start : starts) positions[start.tp] = start.next;
  for (const auto& position : committed) positions[position.tp] = position.next;
  for (const auto& tp : tps) {
    auto position = positions.find(tp);
    if (position == positions.end()) return Error{ErrorCode::kUnavailable, "no offset known of " + to_string(tp)};
    auto options = options_.decoder;
    options.source = tp;
    ASSIGN_OR_RETURN(auto decoder, columns::make_decoder(std::move(options)));
    partitions_.push_back({tp, position->second, false, std::move(decoder)});
    // Where a pipeline began is committed with its first work, so that it does not begin elsewhere the next time.
    partitions_.back().moved = std::ranges::none_of(committed, [&](const auto& known) { return known.tp == tp; });
  }
  return {};
}

Status SourceReader::assign() {
  std::vector<bus::Position> positions;
  for (const auto& partition : partitions_) positions.push_back({partition.tp, partition.next});
  return consumer_->assign(std::move(positions));
}

Result<bool> SourceReader::discover() {
  ASSIGN_OR_RETURN(int32_t count, bus_.admin().partition_count(options_.topic));
  auto known = static_cast<int32_t>(partitions_.size());
  if (count <= known) return false;
  RETURN_IF_ERROR(add_partitions(known, count, /*from_latest=*/false));
  RETURN_IF_ERROR(assign());
  return true;
}

std::vector<PartitionId> SourceReader::partitions() const {
  std::vector<PartitionId> ids;
  for (const auto& partition : partitions_) ids.push_back(partition.tp.partition);
  return ids;
}

Result<bool> SourceReader::at_end(PartitionId id) {
  const Partition& partition = partitions_[static_cast<size_t>(id.value)];
  ASSIGN_OR_RETURN(auto ends, bus_.admin().offsets({partition.tp}, {bus::OffsetQuery::Kind::kLatest}));
  return ends.empty() || partition.next >= ends.front().next;
}

Result<SourceReader::ReadResult> SourceReader::read(std::chrono::milliseconds timeout, Visitor& visitor) {
  ASSIGN_OR_RETURN(auto polled, consumer_->poll(timeout));
  ReadResult result;
  for (const auto& position : polled.set_back) {
    Partition& partition = partitions_[static_cast<size_t>(position.tp.partition.value)];
    partition.next = position.next;
    partition.moved = true;
  }
  std::span<const bus::FetchedBatch> batches = polled.batches;
  std::stable_sort(polled.batches.begin(), polled.batches.end(),
                   [](const auto& a, const auto& b) { return a.tp.partition < b.tp.partition; });
  while (!batches.empty()) {
    auto id = static_cast<size_t>(batches.front().tp.partition.value);
    CHECK(id < partitions_.size());
    size_t count = 1;
    while (count < batches.size() && batches[count].tp.partition == batches.front().tp.partition) ++count;
    RETURN_IF_ERROR(decode(partitions_[id], batches.first(count), visitor, result));
    batches = batches.subspan(count);
  }
  for (const auto& position : polled.positions) {
    Partition& partition = partitions_[static_cast<size_t>(position.tp.partition.value)];
    if (position.next == partition.next) continue;
    partition.next = position.next;
    partition.moved = true;
  }
  for (const auto& [tp, lost] : polled.skipped) result.expired += lost;
  result.moved = std::ranges::any_of(partitions_, &Partition::moved);
  return result;
}

Status SourceReader::decode(Partition& partition, std::span<const bus::FetchedBatch> batches, Visitor& visitor,
                            ReadResult& result) {
  for (const auto& batch : batches) RETURN_IF_ERROR(decode_batch(partition, batch, visitor, result));
  return finish_slice(partition, visitor);
}

Status SourceReader::decode_batch(Partition& partition, const bus::FetchedBatch& batch, Visitor& visitor,
                                  ReadResult& result) {
  slice_batches_.push_back(&batch);
  record::RecordReader reader(batch.batch, kDecompressedBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (record->offset < partition.next) continue;
    partition.next = record->offset + 1;
    partition.moved = true;
    ++result.records;
    if (const columns::RowError* error = partition.decoder->add(*record)) {
      std::string reason = error->column.empty() ? error->reason : "column " + error->column + ": " + error->reason;
      RETURN_IF_ERROR(visitor.bad_record(partition.tp, *record, reason));
      continue;
    }
    offsets_.push_back(record->offset);
    timestamps_ms_.push_back(record->timestamp_ms);
    if (partition.decoder->rows() >= kSliceRowsMax || partition.decoder->bytes() >= kSliceBytesMax) {
      RETURN_IF_ERROR(finish_slice(partition, visitor));
      slice_batches_.push_back(&batch);
    }
  }
  if (!reader.status().ok() && partition.next < batch.batch.header().next_offset()) {
    record::RecordView whole;
    whole.offset = batch.batch.header().base_offset;
    whole.timestamp_ms = batch.batch.header().max_timestamp_ms;
    whole.value = as_text(batch.batch.bytes().view());
    ++result.records;
    RETURN_IF_ERROR(
        visitor.bad_record(partition.tp, whole, "a batch that can't be read: " + reader.status().error().message));
    partition.next = batch.batch.header().next_offset();
    partition.moved = true;
  }
  return {};
}

Status SourceReader::finish_slice(Partition& partition, Visitor& visitor) {
  Status status;
  if (partition.decoder->rows() > 0) {
    auto rows = partition.decoder->finish();
    status = visitor.slice(SourceSlice{partition.tp, *rows, offsets_, timestamps_ms_, slice_batches_});
  }
  offsets_.clear();
  timestamps_ms_.clear();
  slice_batches_.clear();
  return status;
}

std::vector<bus::Position> SourceReader::uncommitted() const {
  std::vector<bus::Position> positions;
  for (const auto& partition : partitions_) {
    if (partition.moved) positions.push_back({partition.tp, partition.next});
  }
  return positions;
}

void SourceReader::committed() {
  for (auto& partition : partitions_) partition.moved = false;
}

void visit_records(const SourceSlice& slice, std::span<const uint32_t> rows,
                   Function<void(uint32_t row, const record::RecordView&)> visit) {
  size_t wanted = 0;
  for (const bus::FetchedBatch* batch : slice.batches) {
    if (wanted == rows.size()) return;
    if (batch->batch.header().last_offset() < slice.offsets[rows[wanted]]) continue;
    record::RecordReader reader(batch->batch, kDecompressedBytesMax);
    while (const record::RecordView* record = reader.next()) {
      if (wanted == rows.size()) return;
      if (record->offset != slice.offsets[rows[wanted]]) continue;
      visit(rows[wanted], *record);
      ++wanted;
    }
  }
}

}  // namespace headrace::stream
