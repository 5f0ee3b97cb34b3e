#include "log/compaction_swap.h"

#include <algorithm>

#include "base/logging.h"
#include "log/batch_scanner.h"
#include "log/file_names.h"

namespace headrace::log {

namespace {

constexpr std::string_view kIndexSuffixes[] = {kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix};

std::string path_of(const std::string& directory, Offset base, std::string_view suffix, std::string_view state = {}) {
  return directory + "/" + file_name(base, suffix) + std::string(state);
}

Status rename_if_there(os::FileSystem& files, const std::string& from, const std::string& to) {
  Status renamed = files.rename(from, to);
  return !renamed.ok() && renamed.error().code == ErrorCode::kNotFound ? Status() : renamed;
}

// Where the offsets of a compacted segment end.
Result<Offset> end_of(os::FileSystem& files, const std::string& path, Offset base) {
  ASSIGN_OR_RETURN(auto file, files.open(path, os::OpenMode::kRead));
  ASSIGN_OR_RETURN(uint64_t size, file->size());
  BatchScanner scanner(*file, 0, size, {base, /*gaps=*/true});
  while (true) {
    ASSIGN_OR_RETURN(bool more, scanner.next_good());
    if (!more) return scanner.expected();
  }
}

}  // namespace

Status write_cleaned_indexes(os::FileSystem& files, const std::string& directory, Offset base,
                             const Segment::IndexImage& image) {
  auto write = [&](std::string_view suffix, const Bytes& content) -> Status {
    ASSIGN_OR_RETURN(auto file,
                     files.open(path_of(directory, base, suffix, kCleanedSuffix), os::OpenMode::kCreateTruncated));
    if (!content.empty()) RETURN_IF_ERROR(file->write_at(0, content));
    return file->sync();
  };
  RETURN_IF_ERROR(write(kIndexSuffix, image.offsets));
  RETURN_IF_ERROR(write(kTimeIndexSuffix, image.times));
  return write(kTransactionIndexSuffix, image.transactions);
}

Status publish_swap(os::FileSystem& files, os::Directory& opened, const std::string& directory, Offset base) {
  for (std::string_view suffix : kIndexSuffixes) {
    RETURN_IF_ERROR(
        files.rename(path_of(directory, base, suffix, kCleanedSuffix), path_of(directory, base, suffix, kSwapSuffix)));
  }
  RETURN_IF_ERROR(opened.sync());
  RETURN_IF_ERROR(files.rename(path_of(directory, base, kLogSuffix, kCleanedSuffix),
                               path_of(directory, base, kLogSuffix, kSwapSuffix)));
  return opened.sync();
}

Status finish_swap(os::FileSystem& files, os::Directory& opened, const std::string& directory, Offset base,
                   const std::vector<Offset>& replaced) {
  for (Offset old : replaced) RETURN_IF_ERROR(Segment(files, directory, old).remove_files());
  if (!replaced.empty()) RETURN_IF_ERROR(opened.sync());
  for (std::string_view suffix : kIndexSuffixes) {
    RETURN_IF_ERROR(
        rename_if_there(files, path_of(directory, base, suffix, kSwapSuffix), path_of(directory, base, suffix)));
  }
  RETURN_IF_ERROR(
      files.rename(path_of(directory, base, kLogSuffix, kSwapSuffix), path_of(directory, base, kLogSuffix)));
  return opened.sync();
}

Status discard_cleaned(os::FileSystem& files, const std::string& directory, Offset base) {
  for (std::string_view state : {kCleanedSuffix, kSwapSuffix}) {
    RETURN_IF_ERROR(os::remove_if_exists(files, path_of(directory, base, kLogSuffix, state)));
    for (std::string_view suffix : kIndexSuffixes) {
      RETURN_IF_ERROR(os::remove_if_exists(files, path_of(directory, base, suffix, state)));
    }
  }
  return {};
}

Status finish_swaps(os::FileSystem& files, const std::string& directory) {
  ASSIGN_OR_RETURN(auto names, files.list(directory));
  std::vector<Offset> swaps, bases;
  std::string swap_suffix = std::string(kLogSuffix) + std::string(kSwapSuffix);
  for (const std::string& name : names) {
    if (auto offset = offset_of_name(name, swap_suffix)) swaps.push_back(*offset);
    if (auto offset = offset_of_name(name, kLogSuffix)) bases.push_back(*offset);
  }
  if (swaps.empty()) return {};
  ASSIGN_OR_RETURN(auto opened, files.open_directory(directory));
  for (Offset base : swaps) {
    std::string path = path_of(directory, base, kLogSuffix, kSwapSuffix);
    ASSIGN_OR_RETURN(Offset end, end_of(files, path, base));
    log_info("{} takes the place of the segments that it was compacted from", path);
    std::vector<Offset> replaced;
    for (Offset old : bases) {
      if (old > base && old < end) replaced.push_back(old);
    }
    RETURN_IF_ERROR(finish_swap(files, *opened, directory, base, replaced));
  }
  return {};
}

}  // namespace headrace::log
