// What happens when a log is opened: from a directory of files, as a crash may have left them, to a log that serves.
//
// Bytes below the checkpoint are taken as they are (reads check them). Above it every batch is checked, and where one
// is bad there are two cases. Either the bytes never reached the disk: then nothing in them was acknowledged, and the
// log is cut there. Or they did and changed since: then they and what follows stay, and their offsets are out of
// service. Bad bytes are of the first kind only when
//   - they lie beyond what headrace.checkpoint says an fsync has covered, and
//   - nothing valid follows them in their segment (a roll is noted there for certain), or part of them is a run of
//     zeros up to a sector's border: what a sector that was never written looks like in a file that was never anything
//     else there.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "log/partition_log_impl.h"

namespace headrace::log {

/// Used once, before any other thread sees the log.
class Recovery {
 public:
  explicit Recovery(PartitionLogImpl& log) : log_(log), now_ms_(log.clock_.wall_ms()) {}
  Status run();

 private:
  using Segments = PartitionLogImpl::Segments;
  // How a scan of one segment ended.
  struct Tail {
    Offset expected;
    bool cut = false;  ///< There were torn bytes; later segments hold nothing that counts.
  };

  Status take_inventory();
  Status start_empty();
  Status open_segments();
  Result<bool> start_from_checkpoint();
  Status start_from_snapshot();
  Result<bool> load_aborted(Segments::iterator until, uint32_t entries_of_last);
  Result<bool> load_producers(Offset offset);
  Status scan_from(Segments::iterator at, uint64_t position, Offset expected);
  Result<Tail> scan_segment(Segments::iterator at, uint64_t position, Offset expected);
  /// Where a batch begins, or should.
  struct Place {
    uint64_t position;
    Offset offset;
  };
  /// Whether what lies between a bad and a good batch was on the disk once.
  Result<bool> was_written(Segment& segment, Place bad, Place good);
  void take_batch(Segment& segment, const BatchScanner& scanner);
  void damage(const Segment& segment, Offset from, Offset to, uint64_t position);
  Status drop_segments_from(Segments::iterator at);
  uint64_t known_durable(Segments::iterator at) const;
  bool may_serve_as_found() const;
  void serve_as_found();
  Status remove_late_snapshots();
  Status start_at_log_start();
  Status rewrite_unsynced();
  Status write_indexes_of_scanned();
  Status settle();

  PartitionLogImpl& log_;
  const int64_t now_ms_;
  std::vector<Offset> bases_;
  std::set<Offset> snapshots_;
  std::set<Offset> offset_indexes_;
  std::set<Offset> transaction_indexes_;
  std::map<Offset, Bytes> missing_snapshots_;  ///< Of segments that were rolled just before a crash.
  std::optional<Checkpoint> checkpoint_;
  std::vector<std::shared_ptr<Segment>> scanned_;
  bool roll_ = false;  ///< The newest bytes are lost: what comes goes to a new segment.
  bool changed_ = false;
  bool gaps_seen_ = false;
};

}  // namespace headrace::log
