#include "log/producer_snapshot.h"

#include <algorithm>

#include "codec/crc32c.h"
#include "codec/cursor.h"

namespace headrace::log {

namespace {

constexpr int16_t kVersion = 1;
constexpr size_t kCrcOffset = 2;
constexpr size_t kBodyOffset = 6;
constexpr size_t kProducerBytes = 46;
constexpr size_t kEarlierBytes = 32;
constexpr std::string_view kExtensionMagic = "HRx1";

Error corrupt(const char* what) { return {ErrorCode::kCorrupt, std::string("producer snapshot: ") + what}; }

void write_batch(codec::Writer& writer, const ProducerBatch& batch) {
  writer.write(batch.last_sequence);
  writer.write(batch.last_offset.value);
  writer.write(batch.offset_delta);
  writer.write(batch.timestamp_ms);
}

ProducerBatch read_batch(codec::Reader& reader) {
  ProducerBatch batch;
  batch.last_sequence = reader.read<int32_t>();
  batch.last_offset = Offset(reader.read<int64_t>());
  batch.offset_delta = reader.read<int32_t>();
  batch.timestamp_ms = reader.read<int64_t>();
  return batch;
}

void write_extension(codec::Writer& writer, const ProducerStates& states) {
  int32_t earlier = 0;
  for (const auto& [id, state] : states.all()) earlier += std::max(0, state.batch_count - 1);
  if (earlier == 0) return;
  writer.write_text(kExtensionMagic);
  writer.write(earlier);
  for (const auto& [id, state] : states.all()) {
    for (int i = 0; i + 1 < state.batch_count; ++i) {
      writer.write(id.value);
      write_batch(writer, state.batches[static_cast<size_t>(i)]);
    }
  }
}

// Puts the batches of the extension before the one of the main part.
Status read_extension(codec::Reader& reader, std::unordered_map<ProducerId, ProducerState>& producers) {
  if (reader.read_text(kExtensionMagic.size()) != kExtensionMagic) return corrupt("unknown bytes after the producers");
  int32_t count = reader.read<int32_t>();
  if (count < 0 || reader.remaining() != static_cast<size_t>(count) * kEarlierBytes) return corrupt("wrong length");
  for (int32_t i = 0; i < count; ++i) {
    auto found = producers.find(ProducerId(reader.read<int64_t>()));
    ProducerBatch batch = read_batch(reader);
    if (found == producers.end() || !found->second.last()) return corrupt("batches of no producer");
    ProducerState& state = found->second;
    if (state.batch_count == kRetainedBatches) return corrupt("too many batches of one producer");
    ProducerBatch newest = *state.last();
    state.batches[state.batch_count - 1u] = batch;
    state.retain(newest);
  }
  return {};
}

}  // namespace

Bytes encode_producer_snapshot(const ProducerStates& states) {
  Bytes bytes;
  codec::Writer writer(bytes);
  writer.write(kVersion);
  writer.write<uint32_t>(0);
  writer.write(static_cast<int32_t>(states.all().size()));
  for (const auto& [id, state] : states.all()) {
    writer.write(id.value);
    writer.write(state.epoch);
    write_batch(writer, state.last() ? *state.last() : ProducerBatch{.timestamp_ms = state.last_timestamp_ms});
    writer.write(state.coordinator_epoch);
    writer.write(state.transaction_first_offset.value);
  }
  write_extension(writer, states);
  writer.patch(kCrcOffset, codec::crc32c(BytesView(bytes).subspan(kBodyOffset)));
  return bytes;
}

Result<ProducerStates> decode_producer_snapshot(BytesView bytes) {
  codec::Reader reader(bytes);
  int16_t version = reader.read<int16_t>();
  uint32_t crc = reader.read<uint32_t>();
  if (!reader.ok() || version != kVersion) return corrupt("unknown version");
  if (codec::crc32c(bytes.subspan(kBodyOffset)) != crc) return corrupt("wrong checksum");
  int32_t count = reader.read<int32_t>();
  if (!reader.ok() || count < 0 || reader.remaining() / kProducerBytes < static_cast<size_t>(count)) {
    return corrupt("wrong length");
  }
  std::unordered_map<ProducerId, ProducerState> producers;
  for (int32_t i = 0; i < count; ++i) {
    ProducerId id(reader.read<int64_t>());
    ProducerState state;
    state.epoch = reader.read<int16_t>();
    ProducerBatch last = read_batch(reader);
    state.coordinator_epoch = reader.read<int32_t>();
    state.transaction_first_offset = Offset(reader.read<int64_t>());
    state.last_timestamp_ms = last.timestamp_ms;
    if (last.last_sequence >= 0) state.retain(last);
    producers[id] = state;
  }
  if (reader.remaining() > 0) RETURN_IF_ERROR(read_extension(reader, producers));
  ProducerStates states;
  for (const auto& [id, state] : producers) states.restore(id, state);
  return states;
}

}  // namespace headrace::log
