// Putting a compacted segment in the place of those that it was made of, so that a crash at any point leaves the old
// segments or the new one.
//
//   1. <base>.log.cleaned and its indexes are written and synced; a crash before 3 leaves the old segments, and opening
//      removes what else there is.
//   2. The indexes become *.swap.
//   3. <base>.log.cleaned becomes <base>.log.swap: from here on the new segment counts, and opening goes on at 4.
//   4. The other old segments are removed, oldest first.
//   5. The indexes, then the log lose their .swap, which replaces the old files of the same base.
//
// The directory is synced before 3, after it, before 5 and after it. The old segments that a crash leaves behind the
// swap's last offset may stay: their records are all superseded, or they would be in it.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "log/segment.h"
#include "os/file.h"

namespace headrace::log {

/// Step 1 for the indexes.
Status write_cleaned_indexes(os::FileSystem& files, const std::string& directory, Offset base,
                             const Segment::IndexImage& image);
/// Steps 2 and 3. `opened`: the directory, so that no descriptor can be wanting from here on. After an error nobody
/// knows which files there are.
Status publish_swap(os::FileSystem& files, os::Directory& opened, const std::string& directory, Offset base);
/// Steps 4 and 5. `replaced`: the bases of the other old segments, ascending. May be done again after any interruption.
Status finish_swap(os::FileSystem& files, os::Directory& opened, const std::string& directory, Offset base,
                   const std::vector<Offset>& replaced);
/// Removes what steps 1 and 2 wrote; nothing to remove is fine.
Status discard_cleaned(os::FileSystem& files, const std::string& directory, Offset base);

/// When a log is opened: finishes the swaps that were published.
Status finish_swaps(os::FileSystem& files, const std::string& directory);

}  // namespace headrace::log
