// Files and directories, behind interfaces so that a simulated disk can lose, tear and refuse what a real one may.
//
// Errors: kOutOfSpace (ENOSPC, EDQUOT), kPermissionDenied (EACCES, EPERM, EROFS), kNotFound (ENOENT), kAlreadyExists
// (EEXIST), kUnavailable (a lock that another process holds; no descriptor or memory left to open anything, which says
// nothing about what is on the disk and passes), else kIo; each says what was being done to which path.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace headrace::os {

/// An open file. Reads may run from any number of threads beside one writer; offsets and sizes are in bytes.
class File {
 public:
  virtual ~File() = default;
  virtual const std::string& path() const = 0;

  /// Reads from `offset` until `out` is full or the file ends; the bytes read.
  virtual Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) = 0;
  /// Writes all of `parts`, one after the other, at `offset`: one pwritev where the kernel takes it whole. After an
  /// error any part of it may be in the file.
  virtual Status write_at(uint64_t offset, std::span<const BytesView> parts) = 0;
  /// fdatasync. After an error nobody knows what reached the disk, and a second call would lie: never retry it.
  virtual Status sync() = 0;
  /// Reserves disk space for [offset, offset + size) and grows the file to it; the new bytes read as zero.
  virtual Status allocate(uint64_t offset, uint64_t size) = 0;
  virtual Status truncate(uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
  /// The descriptor, for system calls that take two (sendfile); -1 where there is none.
  virtual int descriptor() const { return -1; }
  /// Whether all of [offset, offset + size) is in the page cache now. The kernel may drop it at any time.
  virtual bool in_page_cache(uint64_t offset, size_t size) const = 0;

  Status write_at(uint64_t offset, BytesView bytes) { return write_at(offset, std::span<const BytesView>(&bytes, 1)); }
};

/// An exclusive lock on a path, released when destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// A directory that was opened, so that making its names durable needs no descriptor any more.
class Directory {
 public:
  virtual ~Directory() = default;
  /// fsync. After an error nobody knows which names reached the disk.
  virtual Status sync() = 0;
};

enum class OpenMode {
  kRead,             ///< Read only; the file must exist.
  kReadWrite,        ///< Must exist.
  kCreate,           ///< Read and write; created empty when missing.
  kCreateTruncated,  ///< Read and write; emptied when it exists.
};

/// The room of a file system, in bytes.
struct SpaceInfo {
  uint64_t free_bytes = 0;   ///< What this process may still write.
  uint64_t total_bytes = 0;  ///< Used room included.
};

/// Thread-safe. Names only become durable with sync_directory() of the directory that holds them.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  /// The names (not paths) in a directory, sorted, without "." and "..".
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Creates the directory and its parents where missing.
  virtual Status make_directories(const std::string& directory) = 0;
  /// Replaces `to` when it exists.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file or an empty directory; kNotFound when there is none.
  virtual Status remove(const std::string& path) = 0;
  virtual Result<std::unique_ptr<Directory>> open_directory(const std::string& directory) = 0;
  /// Creates `path` and takes an exclusive lock on it. kUnavailable at once when another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// The room of the file system that holds `path`. Cheap: a call that reads no disk.
  virtual Result<SpaceInfo> space(const std::string& path) = 0;

  /// open_directory() and sync() of that; kUnavailable only ever from the first.
  Status sync_directory(const std::string& directory);
};

/// The machine's own files.
FileSystem& real_file_system();

/// The Error of `error_number` (errno) met while `doing` something to `path`.
Error io_error(int error_number, std::string_view doing, std::string_view path);

/// The same of a call that opens something: kUnavailable where descriptors or memory for it are wanting.
Error open_error(int error_number, std::string_view doing, std::string_view path);

/// Reads a whole file of at most `bytes_max` (kTooLarge).
Result<Bytes> read_file(FileSystem& files, const std::string& path, size_t bytes_max);
/// Replaces `path` so that a crash leaves the old or the new content: write beside it, fsync, rename, fsync directory.
Status write_file_atomically(FileSystem& files, const std::string& path, BytesView content);
/// Removes a directory with everything in it; fine when there is none.
Status remove_tree(FileSystem& files, const std::string& directory);
/// Removes a file or an empty directory; fine when there is none.
Status remove_if_exists(FileSystem& files, const std::string& path);

/// make_directories(), with the new names and the last one durable on return, but for those in a directory that this
/// process may not read, which it can't sync.
Status make_directories_durably(FileSystem& files, const std::string& directory);
/// "a/b" of "a/b/c"; "." where there is no slash.
std::string parent_directory(std::string_view path);

}  // namespace headrace::os
