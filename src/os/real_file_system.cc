// The machine's files, by Linux's system calls.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "os/file.h"
#include "os/full_io.h"

namespace headrace::os {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

template <typename Call>
int retry_interrupted(Call call) {
  int result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

/// cachestat(2), which Linux has since 6.5 and C libraries have later; 0 where there is none. It counts pages that are
/// still being read, too.
uint64_t cached_pages(int descriptor, uint64_t from, uint64_t bytes) {
  constexpr long kCachestat = 451;
  struct {
    uint64_t from, bytes;
  } range{from, bytes};
  struct {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } stat{};
  if (::syscall(kCachestat, descriptor, &range, &stat, 0u) != 0) return 0;
  return stat.cached;
}

/// The same by mincore, which asks for a mapping; nothing is read through it.
bool all_in_core(int descriptor, uint64_t from, uint64_t pages, uint64_t page_bytes) {
  void* mapped = ::mmap(nullptr, pages * page_bytes, PROT_READ, MAP_SHARED, descriptor, static_cast<off_t>(from));
  if (mapped == MAP_FAILED) return false;
  std::vector<unsigned char> states(pages);
  bool known = ::mincore(mapped, pages * page_bytes, states.data()) == 0;
  ::munmap(mapped, pages * page_bytes);
  return known && std::all_of(states.begin(), states.end(), [](unsigned char state) { return state & 1; });
}

class RealFile final : public File {
 public:
  RealFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  const std::string& path() const override { return path_; }

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) override {
    size_t read;
    int error = read_fully(out, offset, read, [this](uint8_t* to, size_t size, uint64_t at) {
      return ::pread(fd_.get(), to, size, static_cast<off_t>(at));
    });
    if (error != 0) return io_error(error, "reading", path_);
    return read;
  }

  Status write_at(uint64_t offset, std::span<const BytesView> parts) override {
    int error = write_fully(parts, offset, [this](const iovec* vectors, int count, uint64_t at) {
      return ::pwritev(fd_.get(), vectors, count, static_cast<off_t>(at));
    });
    if (error != 0) return io_error(error, "writing", path_);
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return io_error(errno, "fdatasync of", path_);
    return {};
  }

  Status allocate(uint64_t offset, uint64_t size) override {
    int failed = retry_interrupted(
        [&] { return ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size)); });
    if (failed) return io_error(errno, "allocating room in", path_);
    return {};
  }

  Status truncate(uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); })) {
      return io_error(errno, "truncating", path_);
    }
    return {};
  }

  Result<uint64_t> size() override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return io_error(errno, "reading the size of", path_);
    return static_cast<uint64_t>(info.st_size);
  }

  int descriptor() const override { return fd_.get(); }

  bool in_page_cache(uint64_t offset, size_t size) const override {
    if (size == 0) return true;
    static const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    uint64_t from = offset / page * page;
    uint64_t pages = (offset + size - from + page - 1) / page;
    // An overlay's files have no pages of their own: none may mean all.
    uint64_t cached = cached_pages(fd_.get(), from, pages * page);
    return cached > 0 ? cached == pages : all_in_core(fd_.get(), from, pages, page);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class RealDirectory final : public Directory {
 public:
  RealDirectory(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Status sync() override {
    if (::fsync(fd_.get()) != 0) return io_error(errno, "fsync of directory", path_);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead: return O_RDONLY;
    case OpenMode::kReadWrite: return O_RDWR;
    case OpenMode::kCreate: return O_RDWR | O_CREAT;
    case OpenMode::kCreateTruncated: return O_RDWR | O_CREAT | O_TRUNC;
  }
  CHECK(false);
}

int open_descriptor(const std::string& path, int flags) {
  return retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
}

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Descriptor fd(open_descriptor(path, flags_of(mode)));
    if (fd.get() < 0) return open_error(errno, "opening", path);
    return std::unique_ptr<File>(std::make_unique<RealFile>(std::move(fd), path));
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return io_error(errno, "looking for", path);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* handle = ::opendir(directory.c_str());
    if (handle == nullptr) return open_error(errno, "listing", directory);
    std::vector<std::string> names;
    errno = 0;
    while (dirent* entry = ::readdir(handle)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    int error = errno;
    ::closedir(handle);
    if (error != 0) return io_error(error, "listing", directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status make_directories(const std::string& directory) override {
    if (::mkdir(directory.c_str(), 0755) == 0) return {};
    if (errno == ENOENT && parent_directory(directory) != directory) {
      RETURN_IF_ERROR(make_directories(parent_directory(directory)));
      if (::mkdir(directory.c_str(), 0755) == 0) return {};
    }
    struct stat info;
    int error = errno;
    if (error == EEXIST && ::stat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return io_error(error, "creating directory", directory);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return io_error(errno, "renaming to " + to + " the file", from);
    return {};
  }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) return io_error(errno, "removing", path);
    return {};
  }

  Result<std::unique_ptr<Directory>> open_directory(const std::string& directory) override {
    Descriptor fd(open_descriptor(directory, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) return open_error(errno, "opening directory", directory);
    return std::unique_ptr<Directory>(std::make_unique<RealDirectory>(std::move(fd), directory));
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    Descriptor fd(open_descriptor(path, O_RDWR | O_CREAT));
    if (fd.get() < 0) return io_error(errno, "opening lock file", path);
    // Of the open file, as flock()'s, and in the way of POSIX locks too, which Apache Kafka takes.
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
    if (::fcntl(fd.get(), F_OFD_SETLK, &whole) == 0) {
      return std::unique_ptr<FileLock>(std::make_unique<RealLock>(std::move(fd)));
    }
    if (errno == EAGAIN || errno == EACCES)
      return Error{ErrorCode::kUnavailable, "locking " + path + ": another process holds it"};
    return io_error(errno, "locking", path);
  }

  Result<SpaceInfo> space(const std::string& path) override {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) return io_error(errno, "reading the free space of", path);
    return SpaceInfo{static_cast<uint64_t>(info.f_bavail) * info.f_frsize,
                     static_cast<uint64_t>(info.f_blocks) * info.f_frsize};
  }
};

}  // namespace

FileSystem& real_file_system() {
  static RealFileSystem files;
  return files;
}

}  // namespace headrace::os
