// What a log has to hold after everything that happens to it: a model of what its clients know, work that is scripted
// by a seed, and a check of the log against the model.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "log/log_test_support.h"
#include "os/random.h"

namespace headrace::log {

enum class Fate { kPlain, kOpen, kCommitted, kAborted, kMarker };

struct Sent {
  std::string key;
  std::optional<std::string> value;
  Fate fate = Fate::kPlain;
  int64_t end = -1;  ///< The marker's offset.
};

inline constexpr int64_t kIdempotent = 11;
inline constexpr int64_t kTransactional = 21;

/// What the clients of the log know. It is ahead of each call, so that it holds amid the call as well.
struct Model {
  std::vector<Sent> sent;  // By offset.
  int64_t acknowledged = 0;
  int64_t deleted = 0;
  int64_t promised_deleted = 0;
  int32_t sequence = 0;
  int32_t transaction_sequence = 0;
  int64_t transaction_first = -1;
};

struct Found {
  std::map<int64_t, std::optional<std::string>> records;  // Visible to readers of committed records.
  int64_t start = 0, stable = 0;
};

// Reads the log as a consumer does and holds each record against what was sent.
inline void read_log(PartitionLog& log, const Model& model, Found& found) {
  found.start = log.log_start_offset().value;
  found.stable = log.last_stable_offset().value;
  ASSERT_LE(found.start, found.stable);
  int64_t last = found.start - 1;
  for (Offset at = log.log_start_offset(); at < log.last_stable_offset();) {
    auto read = log.read(at, 4096, log.last_stable_offset());
    ASSERT_OK(read);
    if (read->next_offset <= at) break;
    auto aborted = log.aborted_transactions(at, read->next_offset);
    ASSERT_OK(aborted);
    auto batches = record::split_batches(read->batches, false);
    ASSERT_OK(batches);
    for (const record::Batch& batch : *batches) {
      const record::BatchHeader& header = batch.header();
      bool hidden = header.is_control();
      for (const AbortedTransaction& one : *aborted) {
        hidden = hidden || (header.is_transactional() && one.producer_id == header.producer_id &&
                            one.first_offset <= header.base_offset && header.base_offset <= one.last_offset);
      }
      record::RecordReader reader(batch, 1 << 20);
      while (const record::RecordView* record = reader.next()) {
        int64_t offset = record->offset.value;
        if (offset < found.start) continue;
        ASSERT_GT(offset, last);
        ASSERT_LT(offset, static_cast<int64_t>(model.sent.size()));
        last = offset;
        const Sent& sent = model.sent[static_cast<size_t>(offset)];
        ASSERT_EQ(header.is_control(), sent.fate == Fate::kMarker) << offset;
        if (hidden) continue;
        ASSERT_TRUE(sent.fate == Fate::kPlain || sent.fate == Fate::kCommitted) << offset;
        ASSERT_EQ(*record->key, sent.key) << offset;
        ASSERT_EQ(record->value.has_value(), sent.value.has_value()) << offset;
        ASSERT_EQ(record->value.value_or(""), sent.value.value_or("")) << offset;
        found.records[offset] = sent.value;
      }
      ASSERT_OK(reader.status());
    }
    at = read->next_offset;
  }
}

// The last value of every key is there; where that is a tombstone which went away, nothing older came back.
inline void check_keys(const Model& model, const Found& found) {
  std::map<std::string, std::vector<int64_t>> by_key;
  for (int64_t i = found.start; i < found.stable; ++i) {
    const Sent& sent = model.sent[static_cast<size_t>(i)];
    if (sent.fate == Fate::kPlain || sent.fate == Fate::kCommitted) by_key[sent.key].push_back(i);
  }
  for (const auto& [key, offsets] : by_key) {
    int64_t last = offsets.back();
    if (found.records.contains(last)) continue;
    ASSERT_FALSE(model.sent[static_cast<size_t>(last)].value) << "the last value of " << key << " at " << last;
    for (int64_t older : offsets) ASSERT_FALSE(found.records.contains(older)) << key << " at " << older << " came back";
  }
}

// Where nothing is compacted, nothing is missing.
inline void check_all(const Model& model, const Found& found) {
  for (int64_t i = found.start; i < found.stable; ++i) {
    Fate fate = model.sent[static_cast<size_t>(i)].fate;
    bool visible = fate == Fate::kPlain || fate == Fate::kCommitted;
    ASSERT_EQ(found.records.contains(i), visible) << i;
  }
}

/// What a script has done so far.
struct Work {
  int commits = 0, aborts = 0;
  int replacements = 0;  ///< Segments that compaction replaced.
  int deletions = 0;     ///< By DeleteRecords, or of the oldest segment.
  int retentions = 0;    ///< Times that retention took something.
  int reopens = 0;
};

class Script {
 public:
  Script(TestLog& test, Model& model, uint64_t seed) : test_(test), model_(model), random_(seed) {
    LogConfig& config = test.config;
    config.compact_enabled = true;
    config.segment_bytes = 600 + static_cast<int64_t>(random_.below(1500));
    config.index_interval_bytes = 200;
    config.preallocate_bytes_max = seed % 2 ? 0 : 4096;
    config.retention_ms = config.retention_bytes = -1;
    config.delete_retention_ms = 3600 * 1000;
    config.producer_id_expiration_ms = INT64_MAX / 2;
    deletes_ = seed % 3 == 0;
  }
  void run(int steps) {
    for (int i = 0; i < steps && !stopped_; ++i) step(/*compacting=*/false);
  }
  void compact() {
    if (!test_.config.compact_enabled) return read();
    int more = 10;  // Steps that go on beside it.
    size_t map_bytes = random_.chance(0.5) ? 4096 : 48 + random_.below(200);
    auto report = test_.log->compact({.offset_map_bytes_max = map_bytes, .seed = random_.next(), .pace = [&](int64_t) {
                                        if (more > 0 && random_.chance(0.1)) --more, step(/*compacting=*/true);
                                        return !stopped_;
                                      }});
    // A segment that went away meanwhile ends a compaction, which begins anew later.
    bool passes =
        !report.ok() && (report.error().code == ErrorCode::kUnavailable || report.error().code == ErrorCode::kNotFound);
    if (!passes) note(report);
    if (report.ok()) work_.replacements += static_cast<int>(report->segments_replaced);
  }
  void retain() {
    int64_t known = model_.deleted;
    model_.deleted = std::max(known, test_.log->high_watermark().value);
    auto deleted = test_.log->delete_old_segments();
    if (!note(deleted)) return;
    model_.deleted = std::max(known, test_.log->log_start_offset().value);
    if (*deleted == 0) return;
    model_.promised_deleted = std::max(model_.promised_deleted, test_.log->log_start_offset().value);
    ++work_.retentions;
  }
  /// A clean stop, or kill -9, and a start.
  void reopen() {
    if (random_.chance(0.5)) {
      ASSERT_OK(test_.log->close());
    }
    ASSERT_OK(test_.open());
    ASSERT_EQ(test_.log->log_end_offset().value, static_cast<int64_t>(model_.sent.size()));
    ++work_.reopens;
  }
  void delete_records() {
    int64_t start = test_.log->log_start_offset().value;
    int64_t to = start + (test_.log->last_stable_offset().value - start) / 4;
    model_.deleted = std::max(model_.deleted, to);
    if (!note(test_.log->delete_records(Offset(to)))) return;
    model_.promised_deleted = std::max(model_.promised_deleted, to);
    ++work_.deletions;
  }
  /// Leaves segments that compaction has not seen.
  void fill() {
    end_transaction();
    for (int i = 0; i < 20 && !stopped_; ++i) append_plain();
    flush();
  }
  /// Readers beside a compaction would take the failure of a read that is meant for it.
  void read_no_more() { reads_ = false; }
  bool deletes() const { return deletes_; }
  const Work& work() const { return work_; }
  /// What stopped the script, if anything did.
  const std::string& failure() const { return failure_; }

 private:
  void step(bool compacting) {
    if (stopped_) return;
    switch (random_.below(16)) {
      default: return append_plain();
      case 6:
      case 7: return append_transactional();
      case 8: return end_transaction();
      case 9:
      case 10: return flush();
      case 11: note(test_.log->checkpoint()); return;
      case 12:
      case 13: return compacting ? read() : compact();
      case 14: return delete_some();
      case 15: return test_.clock.advance(std::chrono::minutes(random_.below(90)));
    }
  }
  record::Batch make_records(int records) {
    record::BatchBuilder builder(static_cast<codec::Compression>(random_.below(5)));
    for (int i = 0; i < records; ++i) {
      Sent sent{.key = "k" + std::to_string(random_.below(12))};
      if (!random_.chance(0.25)) {
        sent.value = "v" + std::to_string(next_value_++) + std::string(random_.below(120), '.');
      }
      std::optional<std::string_view> value;
      if (sent.value) value = *sent.value;
      builder.add(test_.clock.wall_ms(), sent.key, value);
      staged_.push_back(std::move(sent));
    }
    return builder.finish();
  }
  bool append_staged(const record::Batch& batch, Fate fate) {
    size_t base = model_.sent.size();
    for (Sent& sent : staged_) {
      sent.fate = fate;
      model_.sent.push_back(std::move(sent));
    }
    staged_.clear();
    auto result = append(*test_.log, batch);
    if (!note(result)) {
      model_.sent.resize(base);
      return false;
    }
    EXPECT_EQ(result->base_offset.value, static_cast<int64_t>(base));
    return true;
  }
  void append_plain() {
    int records = 1 + static_cast<int>(random_.below(4));
    auto batch = of_producer(make_records(records), kIdempotent, 0, model_.sequence);
    if (append_staged(batch, Fate::kPlain)) model_.sequence += records;
  }
  void append_transactional() {
    int records = 1 + static_cast<int>(random_.below(3));
    auto batch = of_producer(make_records(records), kTransactional, 0, model_.transaction_sequence, true);
    auto first = static_cast<int64_t>(model_.sent.size());
    if (!append_staged(batch, Fate::kOpen)) return;
    model_.transaction_sequence += records;
    if (model_.transaction_first < 0) model_.transaction_first = first;
  }
  void end_transaction() {
    if (model_.transaction_first < 0) return;
    bool commit = random_.chance(0.5);
    auto type = commit ? record::ControlType::kCommit : record::ControlType::kAbort;
    auto marker = record::end_transaction_marker(type, ProducerId(kTransactional), 0, 0, test_.clock.wall_ms());
    auto end = static_cast<int64_t>(model_.sent.size());
    settle(Fate::kOpen, commit ? Fate::kCommitted : Fate::kAborted, end);
    staged_.push_back({});
    if (!append_staged(marker, Fate::kMarker))
      return settle(commit ? Fate::kCommitted : Fate::kAborted, Fate::kOpen, -1);
    model_.transaction_first = -1;
    ++(commit ? work_.commits : work_.aborts);
  }
  void settle(Fate from, Fate to, int64_t end) {
    for (auto i = static_cast<size_t>(model_.transaction_first); i < model_.sent.size(); ++i) {
      if (model_.sent[i].fate == from) model_.sent[i].fate = to, model_.sent[i].end = end;
    }
  }
  void flush() {
    int64_t end = test_.log->log_end_offset().value;
    if (!note(test_.log->flush())) return;
    model_.acknowledged = std::max(model_.acknowledged, end);
  }
  void delete_some() {
    if (!deletes_ || !random_.chance(0.3)) return;
    if (random_.chance(0.4)) return drop_oldest();
    delete_records();
  }
  void drop_oldest() {
    auto names = test_.disk.list(test_.directory);
    if (!note(names)) return;
    std::set<int64_t> bases;
    for (const std::string& name : *names) {
      if (name.ends_with(".log")) bases.insert(std::stoll(name));
    }
    if (bases.size() > 1) model_.deleted = std::max(model_.deleted, *std::next(bases.begin()));
    if (!note(test_.log->drop_oldest_segment())) return;
    model_.promised_deleted = std::max(model_.promised_deleted, test_.log->log_start_offset().value);
    ++work_.deletions;
  }
  void read() {
    if (test_.disk.crashed() || !reads_) return;
    Found found;
    read_log(*test_.log, model_, found);
    check_keys(model_, found);
  }
  template <typename Outcome>
  bool note(const Outcome& outcome) {
    if (!outcome.ok()) stopped_ = true, failure_ = outcome.error().message;
    return outcome.ok();
  }

  TestLog& test_;
  Model& model_;
  os::Random random_;
  Work work_;
  std::vector<Sent> staged_;
  int next_value_ = 0;
  bool deletes_ = false;
  bool reads_ = true;
  bool stopped_ = false;
  std::string failure_;
};

inline void check(PartitionLog& log, const Model& model) {
  ASSERT_GE(log.log_end_offset().value, model.acknowledged);
  ASSERT_LE(log.log_end_offset().value, static_cast<int64_t>(model.sent.size()));
  ASSERT_GE(log.log_start_offset().value, model.promised_deleted);
  ASSERT_LE(log.log_start_offset().value, model.deleted);
  for (const DamagedRange& range : log.damaged_ranges()) {
    FAIL() << range.file << " at " << range.position << ": offsets " << range.from.value << " to " << range.to.value;
  }
  Found found;
  ASSERT_NO_FATAL_FAILURE(read_log(log, model, found));
  check_keys(model, found);
  if (!log.config().compact_enabled) check_all(model, found);
}

// What came after the crash's end never happened; a transaction that is open again is aborted.
inline void forget_lost(PartitionLog& log, Model& model) {
  auto end = log.log_end_offset().value;
  model.sent.resize(static_cast<size_t>(end));
  model.acknowledged = std::min(model.acknowledged, end);
  model.transaction_first = -1;
  model.sequence = model.transaction_sequence = 0;
  if (auto known = log.producer(ProducerId(kIdempotent))) model.sequence = known->last_sequence + 1;
  auto known = log.producer(ProducerId(kTransactional));
  if (known) model.transaction_sequence = known->last_sequence + 1;
  for (size_t i = 0; i < model.sent.size(); ++i) {
    Sent& sent = model.sent[i];
    if (sent.end >= end) sent.fate = Fate::kOpen, sent.end = -1;
    if (sent.fate == Fate::kOpen && model.transaction_first < 0) model.transaction_first = static_cast<int64_t>(i);
  }
}

}  // namespace headrace::log
