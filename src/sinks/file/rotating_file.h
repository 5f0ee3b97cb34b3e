// A text file that is appended to and, from a size or an age on, put aside under its final name.
//
// While it is written it is DIR/PREFIX-TIME.ndjson.open, where TIME is that of its first write (UTC, as
// 20261121T055200.123Z); after rotation the same without ".open". A name without ".open" never changes again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/clock.h"
#include "os/file.h"

namespace headrace::sinks {

struct RotatingFileOptions {
  std::string directory;
  std::string prefix;
  uint64_t bytes_max = 64 << 20;
  std::chrono::milliseconds age_max{3'600'000};
};

/// One thread.
class RotatingFile {
 public:
  /// Goes on with the open file that an earlier run left, without the torn line at its end; a directory with none is
  /// fine. `files` and `clock` outlive it.
  static Result<RotatingFile> open(RotatingFileOptions options, os::FileSystem& files, os::Clock& clock);

  /// Appends whole lines; on success they are on the disk. After an error the file has none of them, or it was put
  /// aside and lines that reached it may be in there: writing them again may double lines, never lose them.
  Status append(std::string_view lines);
  /// Puts the file aside if its age asks for it.
  Status rotate_when_due();

  /// The path being written, empty between a rotation and the next append.
  std::string open_path() const;

 private:
  RotatingFile(RotatingFileOptions options, os::FileSystem& files, os::Clock& clock);
  Status resume();
  Status create();
  Status rotate();
  Status cut_back(const Error& error);
  std::string path_of(const std::string& time, bool open) const;

  RotatingFileOptions options_;
  os::FileSystem* files_;
  os::Clock* clock_;
  std::unique_ptr<os::File> file_;
  std::string time_;        ///< In the open file's name.
  int64_t started_ms_ = 0;  ///< The same in milliseconds.
  uint64_t size_ = 0;       ///< Bytes known to be on the disk.
};

}  // namespace headrace::sinks
