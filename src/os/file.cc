#include "os/file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace headrace::os {
namespace {

ErrorCode code_of(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return ErrorCode::kOutOfSpace;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::kPermissionDenied;
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    default: return ErrorCode::kIo;
  }
}

}  // namespace

Error io_error(int error_number, std::string_view doing, std::string_view path) {
  char buffer[128];
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  return {code_of(error_number), fmt::format("{} {}: {}", doing, path, text)};
}

Error open_error(int error_number, std::string_view doing, std::string_view path) {
  Error error = io_error(error_number, doing, path);
  bool passes = error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM;
  if (passes) error.code = ErrorCode::kUnavailable;
  return error;
}

Status FileSystem::sync_directory(const std::string& directory) {
  ASSIGN_OR_RETURN(auto opened, open_directory(directory));
  return opened->sync();
}

Result<Bytes> read_file(FileSystem& files, const std::string& path, size_t bytes_max) {
  ASSIGN_OR_RETURN(auto file, files.open(path, OpenMode::kRead));
  ASSIGN_OR_RETURN(uint64_t size, file->size());
  if (size > bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 fmt::format("reading {}: {} bytes, over the limit of {}", path, size, bytes_max)};
  }
  Bytes bytes(size);
  ASSIGN_OR_RETURN(size_t got, file->read_at(0, bytes));
  bytes.resize(got);
  return bytes;
}

Status write_file_atomically(FileSystem& files, const std::string& path, BytesView content) {
  std::string temporary = path + ".tmp";
  {
    ASSIGN_OR_RETURN(auto file, files.open(temporary, OpenMode::kCreateTruncated));
    RETURN_IF_ERROR(file->write_at(0, content));
    RETURN_IF_ERROR(file->sync());
  }
  RETURN_IF_ERROR(files.rename(temporary, path));
  return files.sync_directory(parent_directory(path));
}

Status remove_tree(FileSystem& files, const std::string& directory) {
  auto names = files.list(directory);
  if (!names.ok() && names.error().code == ErrorCode::kNotFound) return {};
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    std::string path = directory + "/" + name;
    Status removed = files.remove(path);
    if (!removed.ok() && removed.error().code != ErrorCode::kNotFound) RETURN_IF_ERROR(remove_tree(files, path));
  }
  return remove_if_exists(files, directory);
}

Status remove_if_exists(FileSystem& files, const std::string& path) {
  Status removed = files.remove(path);
  return !removed.ok() && removed.error().code == ErrorCode::kNotFound ? Status() : removed;
}

Status make_directories_durably(FileSystem& files, const std::string& directory) {
  std::string parent = parent_directory(directory);
  ASSIGN_OR_RETURN(bool exists, files.exists(directory));
  if (!exists && parent != directory) RETURN_IF_ERROR(make_directories_durably(files, parent));
  if (!exists) RETURN_IF_ERROR(files.make_directories(directory));
  // Also where an earlier attempt has made it and ended before its name was durable.
  Status synced = files.sync_directory(parent);
  return !synced.ok() && synced.error().code == ErrorCode::kPermissionDenied ? Status() : synced;
}

std::string parent_directory(std::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

}  // namespace headrace::os
