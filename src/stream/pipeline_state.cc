#include "stream/pipeline_state.h"

#include <fmt/format.h>

#include <random>

#include "base/logging.h"
#include "codec/cursor.h"
#include "record/batch.h"
#include "stream/source_reader.h"

namespace headrace::stream {

namespace {

using namespace std::chrono_literals;

/// The key of the one record that is not a group's; sorts behind the groups.
constexpr std::string_view kMetaKey = "m";
constexpr uint8_t kMetaVersion = 1;
/// How often the store learns the changelog's end, and how often it is made to survive a crash.
constexpr auto kMarkInterval = 10s;
constexpr auto kFlushInterval = 60s;
/// A store that is older may miss removals that compaction has taken out of the changelog (half of Kafka's default
/// delete.retention.ms).
constexpr int64_t kStoreAgeMaxMs = 12 * 3600 * 1000;
constexpr size_t kReplayBatchBytes = 1 << 20;
constexpr auto kReplayPatience = 30s;

/// FNV-1a over the parts of a query that the state's meaning depends on.
uint64_t fingerprint_of(const sql::Plan& plan) {
  const sql::Aggregate& aggregate = *plan.aggregate;
  std::string text = fmt::format("{}|{}", aggregate.window.size_ms, plan.input[aggregate.window.time_column].name);
  for (const auto& key : aggregate.keys) text += "|" + explain(key, plan.input);
  for (const auto& call : aggregate.calls) {
    text += fmt::format("|{}", static_cast<int>(call.function));
    if (call.arg) text += explain(*call.arg, plan.input);
    if (call.filter) text += " where " + explain(*call.filter, plan.input);
  }
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

std::array<uint8_t, 16> new_incarnation() {
  std::random_device random;
  std::array<uint8_t, 16> id;
  for (auto& byte : id) byte = static_cast<uint8_t>(random());
  return id;
}

/// kCorrupt is said of the store: what is wrong in the changelog is not put right by setting the store aside.
Status of_changelog(Status status) {
  if (status.ok() || status.error().code != ErrorCode::kCorrupt) return status;
  return Error{ErrorCode::kIo, status.error().message};
}

}  // namespace

PipelineState::PipelineState(PipelineStateOptions options, const sql::Plan& plan, bus::Bus& bus, os::Clock& clock)
    : options_(std::move(options)),
      bus_(bus),
      clock_(clock),
      changelog_{options_.changelog_topic, PartitionId(0)},
      fingerprint_(fingerprint_of(plan)),
      windows_(plan, options_.state_bytes_max),
      watermarks_(options_.watermark) {}

Status PipelineState::open_store() {
  if (store_) return {};
  ASSIGN_OR_RETURN(store_, StateStore::open(options_.store_path));
  return {};
}

Result<Offset> PipelineState::changelog_offset(bus::OffsetQuery::Kind kind) {
  ASSIGN_OR_RETURN(auto positions, bus_.admin().offsets({changelog_}, {kind}));
  if (positions.empty()) return Error{ErrorCode::kUnavailable, "no offset known of " + to_string(changelog_)};
  return positions.front().next;
}

bool PipelineState::usable(Offset earliest, Offset end) const {
  auto mark = store_->mark();
  if (!mark || mark->changelog < earliest || mark->changelog > end) return false;
  int64_t age_ms = clock_.wall_ms() - mark->written_ms;
  return age_ms >= 0 && age_ms < kStoreAgeMaxMs;
}

Status PipelineState::restore() {
  Status status = restore_from_store();
  if (status.ok()) return {};
  store_.reset();  // Opened anew by the next attempt: what is wrong may be in it.
  if (status.error().code != ErrorCode::kCorrupt || !uses_store_) return status;
  log_warn("pipeline {}: {}; its state is rebuilt from the changelog", options_.name, status.error().message);
  RETURN_IF_ERROR(StateStore::set_aside(options_.store_path));
  return restore_from_store();
}

Status PipelineState::restore_from_store() {
  pending_.clear();
  next_mark_.reset();
  windows_.clear();
  watermarks_.reset();
  uses_store_ = true;
  RETURN_IF_ERROR(open_store());
  ASSIGN_OR_RETURN(Offset earliest, changelog_offset(bus::OffsetQuery::Kind::kEarliest));
  ASSIGN_OR_RETURN(Offset end, changelog_offset(bus::OffsetQuery::Kind::kLatest));
  bool restored = false;
  if (usable(earliest, end)) {
    ASSIGN_OR_RETURN(restored, replay(store_->mark()->changelog, end, /*check=*/true));
  }
  if (!restored) {
    if (store_->mark()) {
      RETURN_IF_ERROR(store_->clear());
    }
    uses_store_ = false;
    ASSIGN_OR_RETURN(restored, replay(earliest, end, /*check=*/false));
  }
  mark_ = store_->mark()->changelog;
  marked_at_ = flushed_at_ = clock_.monotonic();
  return load();
}

/// Applies the changelog's [from, end) to the store. With `check`, false when what is read does not continue what the
/// store holds: it is of another incarnation of the topic, or the store is ahead of it.
Result<bool> PipelineState::replay(Offset from, Offset end, bool check) {
  std::optional<Meta> before;
  ASSIGN_OR_RETURN(auto stored, store_->get(kMetaKey));
  if (stored) {
    ASSIGN_OR_RETURN(before, read_meta_head(as_bytes(*stored)));
  }
  if (check && !before) return false;
  StateBatch batch;
  // A crash in the middle must not leave a half-applied rest under a valid mark.
  RETURN_IF_ERROR(store_->write(batch, kNoOffset, clock_.wall_ms()));
  batch.clear();
  std::optional<Meta> seen;
  ASSIGN_OR_RETURN(auto consumer, bus_.consumer({.isolation = bus::Isolation::kReadCommitted}));
  RETURN_IF_ERROR(consumer->assign({{changelog_, from}}));
  Offset mark = end;  // With a meta record behind it, so that the next start can check what it continues.
  auto deadline = clock_.monotonic() + kReplayPatience;
  while (from < end) {
    ASSIGN_OR_RETURN(auto polled, consumer->poll(100ms));
    for (const auto& fetched : polled.batches) {
      record::RecordReader reader(fetched.batch, kDecompressedBytesMax);
      while (const record::RecordView* record = reader.next()) {
        if (record->offset < from) continue;
        RETURN_IF_ERROR(of_changelog(apply(*record, batch, seen)));
        if (record->key == kMetaKey) mark = record->offset;
      }
      RETURN_IF_ERROR(of_changelog(reader.status()));
      if (batch.bytes() < kReplayBatchBytes) continue;
      RETURN_IF_ERROR(store_->write(batch, kNoOffset, clock_.wall_ms()));
      batch.clear();
    }
    for (const auto& position : polled.positions) {
      if (position.next > from) deadline = clock_.monotonic() + kReplayPatience;
      from = std::max(from, position.next);
    }
    if (clock_.monotonic() > deadline) {
      return Error{ErrorCode::kTimedOut,
                   fmt::format("reading {}: nothing came in {} s at offset {} of {}", to_string(changelog_),
                               kReplayPatience.count(), from.value, end.value)};
    }
  }
  bool continues = seen && before && seen->incarnation == before->incarnation && seen->sequence >= before->sequence;
  if (check && !continues) return false;
  RETURN_IF_ERROR(store_->write(batch, mark, clock_.wall_ms()));
  return true;
}

Status PipelineState::apply(const record::RecordView& record, StateBatch& batch, std::optional<Meta>& seen) {
  if (!record.key) return Error{ErrorCode::kCorrupt, "a record without a key in " + to_string(changelog_)};
  if (!record.value) {
    batch.remove(*record.key);
    return {};
  }
  batch.put(*record.key, as_bytes(*record.value));
  if (*record.key != kMetaKey) return {};
  ASSIGN_OR_RETURN(seen, read_meta_head(as_bytes(*record.value)));
  return {};
}

Status PipelineState::load() {
  ASSIGN_OR_RETURN(auto stored, store_->get(kMetaKey));
  if (!stored) {
    meta_ = {.incarnation = new_incarnation()};
    return {};
  }
  RETURN_IF_ERROR(read_meta(as_bytes(*stored)));
  return store_->scan([this](std::string_view key, BytesView value) -> Status {
    if (key == kMetaKey) return {};
    return windows_.restore(key, value);
  });
}

Result<PipelineState::Meta> PipelineState::read_meta_head(BytesView value) const {
  codec::Reader reader(value);
  if (reader.read<uint8_t>() != kMetaVersion) {
    return Error{ErrorCode::kUnsupported, "state of an unknown version in " + to_string(changelog_)};
  }
  Meta meta;
  BytesView incarnation = reader.read_bytes(meta.incarnation.size());
  if (reader.ok()) std::copy(incarnation.begin(), incarnation.end(), meta.incarnation.begin());
  meta.sequence = reader.read<int64_t>();
  if (!reader.ok()) return Error{ErrorCode::kCorrupt, "a damaged meta record in " + to_string(changelog_)};
  return meta;
}

Status PipelineState::read_meta(BytesView value) {
  ASSIGN_OR_RETURN(meta_, read_meta_head(value));
  codec::Reader reader(value.subspan(1 + meta_.incarnation.size() + sizeof meta_.sequence));
  if (reader.read<uint64_t>() != fingerprint_) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("the grouping of pipeline {} is not the one that its state was written by; give the pipeline "
                    "a new name, or delete topic {} to begin with empty windows",
                    options_.name, changelog_.topic)};
  }
  watermarks_.raise(reader.read<int64_t>());
  uint64_t count = reader.read_unsigned_varint();
  while (count-- > 0 && reader.ok()) {
    PartitionId partition(static_cast<int32_t>(reader.read_unsigned_varint()));
    watermarks_.restore(partition, reader.read<int64_t>());
  }
  if (!reader.ok()) return Error{ErrorCode::kCorrupt, "a damaged meta record in " + to_string(changelog_)};
  return {};
}

Bytes PipelineState::meta() const {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kMetaVersion);
  writer.write_bytes(meta_.incarnation);
  writer.write(meta_.sequence);
  writer.write(fingerprint_);
  writer.write(watermarks_.watermark_ms());
  auto times = watermarks_.event_times();
  writer.write_unsigned_varint(times.size());
  for (const auto& [partition, time_ms] : times) {
    writer.write_unsigned_varint(static_cast<uint64_t>(partition.value));
    writer.write(time_ms);
  }
  return out;
}

Status PipelineState::write_changes(TransactionWriter& writer) {
  if (clock_.monotonic() - marked_at_ >= kMarkInterval) {
    ASSIGN_OR_RETURN(next_mark_, changelog_offset(bus::OffsetQuery::Kind::kLatest));
    marked_at_ = clock_.monotonic();
  }
  int64_t now_ms = clock_.wall_ms();
  Status status;
  windows_.take_changes([&](std::string_view key, std::optional<BytesView> state) {
    if (!status.ok()) return;
    if (state) {
      pending_.put(key, *state);
      status = writer.add_change(now_ms, key, as_text(*state));
    } else {
      pending_.remove(key);
      status = writer.add_change(now_ms, key, std::nullopt);
    }
  });
  RETURN_IF_ERROR(status);
  ++meta_.sequence;
  Bytes value = meta();
  pending_.put(kMetaKey, value);
  return writer.add_change(now_ms, kMetaKey, as_text(value));
}

Status PipelineState::committed() {
  // This commit went through, so nobody else had the transactional id before it: all that stood in the changelog then
  // was ours, and the store has it.
  if (next_mark_) mark_ = *std::exchange(next_mark_, std::nullopt);
  RETURN_IF_ERROR(store_->write(pending_, mark_, clock_.wall_ms()));
  pending_.clear();
  if (clock_.monotonic() - flushed_at_ >= kFlushInterval) return flush();
  return {};
}

Status PipelineState::flush() {
  flushed_at_ = clock_.monotonic();
  return store_ ? store_->flush() : Status();
}

}  // namespace headrace::stream
