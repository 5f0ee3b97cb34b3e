// The names of a partition's files, as Kafka gives them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace headrace::log {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTransactionIndexSuffix = ".txnindex";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kCleanedSuffix = ".cleaned";  ///< Compaction is writing it.
inline constexpr std::string_view kSwapSuffix = ".swap";        ///< Compacted and whole: takes the old file's place.
inline constexpr std::string_view kSetAsideSuffix = ".bad";     ///< Nobody reads it; it is for an operator to look at.
inline constexpr std::string_view kDestroyedSuffix = "-delete";
inline constexpr std::string_view kCheckpointName = "headrace.checkpoint";

/// "00000000000000000042.log": 20 digits, then the suffix.
std::string file_name(Offset offset, std::string_view suffix);
/// `directory` with a suffix, for a folder set aside under a name of its own: one too long for the file system is cut,
/// and told from others by a hash.
std::string renamed(const std::string& directory, std::string_view suffix);
/// The offset in a name that is 20 digits and `suffix`.
std::optional<Offset> offset_of_name(std::string_view name, std::string_view suffix);

}  // namespace headrace::log
