// One segment of a partition: the file of batches and its sparse indexes, both opened and loaded on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file_range.h"
#include "base/ids.h"
#include "base/result.h"
#include "log/batch_scanner.h"
#include "log/log_config.h"
#include "log/offset_index.h"
#include "log/open_files.h"
#include "log/time_index.h"
#include "log/transaction_index.h"
#include "os/file.h"
#include "record/batch.h"

namespace headrace::log {

/// Smaller reads are cheaper as a copy.
inline constexpr uint64_t kCheckedRangeBytesMin = 32 << 10;

/// Where in a segment to begin to look for an offset.
struct SeekPoint {
  uint64_t position = 0;
  std::optional<Offset> last_offset;  ///< Of the batch there, when an index entry says so.
};

/// How many entries of each index are in its file.
struct IndexCounts {
  uint32_t offsets = 0;
  uint32_t times = 0;
  uint32_t transactions = 0;
};

/// What a read of one segment found.
struct SegmentRead {
  SharedBytes batches;
  Offset next_offset = kNoOffset;  ///< After `batches`; kNoOffset when the segment has none at or after the offset.
  std::optional<uint64_t> bad_position;  ///< The offset's batch is damaged; the bad bytes start here...
  bool index_lies = false;               ///< The seek point is no place where a batch starts.
  Offset bad_from = kNoOffset;           ///< ...and so do these offsets (without a batch: where the segment ends)...
  Offset good_from = kNoOffset;          ///< ...up to this one (kNoOffset: to the end of the segment).
};

/// Batches as they lie in the file.
struct CheckedRange {
  FileRange range;
  Offset next_offset;  ///< After them.
};

/// Thread-safe; writing (take_file() and below) is for the log, which lets one thread in at a time.
class Segment final : OpenFiles::Holder {
 public:
  /// `open_files`, where there is one, bounds the descriptors of many segments; it outlives them.
  Segment(os::FileSystem& files, std::string directory, Offset base, OpenFiles* open_files = nullptr);
  ~Segment() override;

  Offset base() const { return base_; }
  const std::string& log_path() const { return log_path_; }
  /// Bytes of batches.
  uint64_t size() const;
  /// When it was made or, where it was there already, opened; -1 when neither is known.
  int64_t created_ms() const { return created_ms_; }
  /// The first batch's largest timestamp, -1 when there is none.
  int64_t first_timestamp_ms() const { return first_timestamp_ms_; }

  /// Reads batches from the one that contains `offset`, below `upper`, in the first `limit` bytes.
  Result<SegmentRead> read(Offset offset, size_t bytes_max, Offset upper, uint64_t limit, bool gaps);
  /// The same as a range of the file: at least kCheckedRangeBytesMin, which the page cache holds and this process has
  /// appended or checked before. Nothing where that can't be had: read() serves it, and tells what is wrong.
  std::optional<CheckedRange> checked_range(Offset offset, size_t bytes_max, Offset upper, uint64_t limit, bool gaps);
  Result<SeekPoint> seek(Offset offset);
  /// The same after the index was found to be wrong: it is made anew, once, and then not trusted.
  Result<SeekPoint> seek_again(Offset offset);
  /// The largest timestamp and the last offset of the first batch that has it; -1 when there are no records.
  Result<TimeIndexEntry> max_timestamp();
  /// The same of what the last sync() covered.
  Result<TimeIndexEntry> max_synced_timestamp();
  /// Whether it covered all.
  bool is_synced() const;
  /// A place before the first batch that is as late as `timestamp_ms`.
  Result<SeekPoint> seek_time(int64_t timestamp_ms);
  std::vector<TransactionIndexEntry> aborted() const;
  /// Adds those that a reader of [from, to) has to know. False when no later segment can have one.
  bool find_aborted(Offset from, Offset to, std::vector<AbortedTransaction>& found) const;
  Result<std::shared_ptr<os::File>> file();
  /// fdatasync of what was written before the call. kUnavailable: the file could not be opened, and nothing is lost.
  Status sync();
  /// Forgets the indexes, if they can be loaded again, and closes the file, unless it has data that was never synced: a
  /// failure to write them would be reported to nobody.
  void release();

  /// Reads `file`, which has another name for now, and keeps it open until file_in_place().
  void take_file(std::shared_ptr<os::File> file);
  /// The file and its indexes have their names now.
  void file_in_place();
  /// Creates the file, empty, or opens it when it is there.
  Status create(int64_t now_ms);
  /// Takes the segment over as it is on the disk, with `size` bytes of batches.
  void adopt(uint64_t size) { adopt(size, size); }
  /// The same where only `synced` of them are there for certain.
  void adopt(uint64_t size, uint64_t synced) {
    size_ = size;
    synced_size_ = synced;
  }
  /// Loads the indexes as a checkpoint left them: nothing at or after `position`. Nothing happens to them when they
  /// have fewer entries than the checkpoint counted; false then.
  Result<bool> load_for_append(uint64_t position, Offset offset, const IndexCounts& counts, int64_t now_ms);
  void set_created(int64_t now_ms) { created_ms_ = now_ms; }
  /// Says how long the file is, beyond size().
  void set_file_bytes(uint64_t bytes) { allocated_ = bytes; }
  /// Empty indexes, to be filled by note().
  void reset_indexes(int64_t now_ms);
  /// Writes `parts`, `bytes` in sum, behind the last batch. Grows the file in steps. After an error nothing counts;
  /// kUnavailable: the file or its indexes could not be opened, and nothing was written.
  Status write(std::span<const BytesView> parts, uint64_t bytes, int64_t preallocate_bytes_max);
  /// Takes a batch that is in the file at size() into the indexes, and moves size() behind it.
  void note(const record::BatchHeader& header, int64_t index_interval_bytes);
  void note_aborted(const TransactionIndexEntry& entry);
  void set_aborted(std::vector<TransactionIndexEntry> entries);
  /// Sets the end behind bytes that can't be read.
  void skip_to(uint64_t position);
  /// Cuts the file behind the last batch: gives back room, forgets a torn tail.
  Status trim();
  /// Copies of what the index files should hold now.
  struct IndexImage {
    Bytes offsets, times, transactions;
    IndexCounts counts;
    uint64_t size;  ///< Of the segment when the image was made.
  };
  /// With a closing time entry. What is appended after this call is not in it.
  Result<IndexImage> index_image();
  /// Writes an image to the index files; without `synced` a power loss may leave any part of them.
  Status write_indexes(const IndexImage& image, bool synced = true);
  /// Renames all files to *.deleted and removes them. May be done again after an error.
  Status remove_files();

 private:
  struct Indexes {
    OffsetIndex offsets;
    TimeIndex times;
  };
  std::string path(std::string_view suffix) const;
  // These want mutex_.
  Result<std::shared_ptr<os::File>> file_locked();
  void keep_open_locked(std::unique_ptr<os::File> file);
  void close_locked();
  bool try_close(Close how) override;
  void make_room_locked(os::File& file, uint64_t bytes, uint64_t step_max);
  Status load_indexes_locked();
  TimeIndexEntry max_timestamp_locked() const;
  Result<bool> take_indexes_locked(std::unique_ptr<Indexes> indexes);
  Status rebuild_indexes_locked();
  Result<bool> is_told_truly_locked(const Indexes& indexes, const TimeIndexEntry& entry);
  Status read_first_timestamp_locked();
  void index_batch(Indexes& indexes, const record::BatchHeader& header, uint64_t position, int64_t interval_bytes);

  void note_checked(uint64_t from, uint64_t to);
  bool stayed_in_page_cache(const os::File& file, uint64_t from, uint64_t to, uint64_t limit);
  bool counts_as_checked(uint64_t from, uint64_t to) const;
  uint64_t checked_up_to(uint64_t position) const;
  std::optional<SeekPoint> last_entry_before(Offset upper, uint64_t position);
  Result<SegmentRead> read_from(os::File& file, SeekPoint start, Offset offset, size_t bytes_max, Offset upper,
                                uint64_t limit, bool gaps);
  int32_t relative(Offset offset) const { return static_cast<int32_t>(offset - base_); }

  os::FileSystem& files_;
  const std::string directory_;
  const Offset base_;
  const std::string log_path_;
  OpenFiles* const open_files_;

  mutable std::mutex mutex_;
  std::shared_ptr<os::File> file_;
  bool file_misplaced_ = false;  // What stands under the segment's name is another file.
  std::unique_ptr<Indexes> indexes_;
  bool indexes_rebuilt_ = false;  // From the batches, by this process.
  bool indexes_on_disk_ = true;   // The files say all that indexes_ does.
  uint64_t size_ = 0;
  uint64_t synced_size_ = 0;
  bool writing_ = false;             // write() is at it, without the mutex.
  std::optional<Error> sync_error_;  // Of a sync that nobody was there to hear of.
  // This process has written, or checked the CRCs of, [checked_from_, checked_to_) and all from appended_from_ on.
  uint64_t checked_from_ = 0, checked_to_ = 0, appended_from_ = UINT64_MAX;
  uint64_t allocated_ = 0;  // How far the file may reach beyond size_.
  uint64_t zeroed_ = 0;     // And how far zeros were written there.
  bool can_allocate_ = true;
  int64_t max_timestamp_ms_ = -1;
  Offset max_timestamp_offset_ = kNoOffset;
  TimeIndexEntry max_synced_timestamp_{-1, -1};  // While synced_size_ is not size_.
  bool max_timestamp_known_ = false;             // From indexes that may have been released since.
  int64_t first_timestamp_ms_ = -1;
  int64_t created_ms_ = -1;
  int64_t bytes_since_entry_ = 0;
  std::vector<TransactionIndexEntry> aborted_;
};

}  // namespace headrace::log
