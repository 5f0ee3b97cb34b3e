// A disk that loses its cache: preloaded below a program (LD_PRELOAD), this writes down what every change to the files
// below a folder takes away, and when fsync or fdatasync made changes durable. After a kill -9, volatile_disk.py takes
// back what was not durable, as a power loss does; the page cache, which survives the program, hides that otherwise.
//
//   VOLATILE_DISK_ROOT   the folder; everything else goes through untouched
//   VOLATILE_DISK_STORE  where the journal and removed files are kept: on the same file system, outside of the folder
//   VOLATILE_DISK_LIES   when set, fdatasync makes nothing durable
//
// While STORE/fails exists, fsync and fdatasync of files below the folder whose path there matches the pattern in it (as
// of fnmatch, `*` being any characters) fail with EIO, and make nothing durable.
//
// A file's data and size are durable once fsync or fdatasync of it has returned, a name once fsync of its directory
// has. What other threads change during the call is not covered.
//
// Each process writes a journal of its own, `journal.<number>`, before it makes the change:
//
//   journal := record*
//   record  := kind object a b c bytes       each a uint64 as the machine has it, then `bytes` bytes of payload
//   kData    object is the file's inode; its size was c, and from a on there were b bytes: the payload, or zeros if none
//   kNames   object is the directory's inode; the payload has (uint64 inode, name, '\0') for each name that changes,
//            with what it stood for before, 0 for nothing
//   kSync    the object is durable as it was when the journal had a records
//
// A removed file lives on under `removed/<inode>`, so that no inode number comes to mean something else.
//
// What a program does by stdio, shared mappings or other calls than those below is not seen. A test holds the program's
// imports against this file's calls.
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr int kDescriptorsMax = 1 << 20;
constexpr uint64_t kToTheEnd = UINT64_MAX;

enum Kind : uint64_t { kData = 1, kNames = 2, kSync = 3 };

struct Record {
  uint64_t kind, object, a = 0, b = 0, c = 0, bytes = 0;
};

[[noreturn]] void give_up(const char* what) {
  dprintf(STDERR_FILENO, "volatile disk: %s: %s\n", what, strerror(errno));
  abort();
}

// The calls themselves, past the functions below.
int raw_open(int at, const char* path, int flags, mode_t mode = 0) {
  return static_cast<int>(syscall(SYS_openat, at, path, flags, mode));
}
int raw_close(int fd) { return static_cast<int>(syscall(SYS_close, fd)); }
ssize_t raw_write(int fd, const void* bytes, size_t size) { return syscall(SYS_write, fd, bytes, size); }
int raw_rename(int from_at, const char* from, int to_at, const char* to) {
  return static_cast<int>(syscall(SYS_renameat2, from_at, from, to_at, to, 0));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor() {
    if (fd_ >= 0) raw_close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string path_of(int fd) {
  char path[PATH_MAX];
  ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return length < 0 ? "" : std::string(path, static_cast<size_t>(length));
}

struct stat status_of(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) give_up("fstat");
  return info;
}

/// A name in a directory, whether something has it or not.
struct Place {
  Descriptor directory;
  std::string name;
  uint64_t parent;  ///< The directory's inode.

  std::optional<struct stat> found() const {
    struct stat info;
    if (fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
    return info;
  }
};

/// A name that changes, and the inode that it stood for; 0 for none.
struct OldName {
  std::string_view name;
  uint64_t inode;
};

class Disk {
 public:
  static Disk& instance() {
    static Disk& disk = *new Disk;  // Threads may write until the very end.
    return disk;
  }

  bool watching() const { return !root_.empty(); }

  /// The inode of an open file of the disk; 0 for any other.
  uint64_t object(int fd) const {
    return fd < 0 || fd >= kDescriptorsMax ? 0 : objects_[fd].load(std::memory_order_relaxed);
  }

  /// Where a path is, when that is on the disk.
  std::optional<Place> place(int at, std::string path) const {
    if (!watching()) return std::nullopt;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    size_t slash = path.rfind('/');
    std::string parent = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
    Descriptor directory(raw_open(at, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0 || !holds(path_of(directory.get()))) return std::nullopt;
    uint64_t inode = status_of(directory.get()).st_ino;
    return Place{std::move(directory), path.substr(slash == std::string::npos ? 0 : slash + 1), inode};
  }

  void opened(int fd) {
    if (!watching() || fd >= kDescriptorsMax) return;
    struct stat info = status_of(fd);
    bool kept = S_ISREG(info.st_mode) || S_ISDIR(info.st_mode);
    objects_[fd] = kept && holds(path_of(fd)) ? info.st_ino : 0;
  }

  void closing(int fd) {
    if (fd >= 0 && fd < kDescriptorsMax) objects_[fd].store(0, std::memory_order_relaxed);
  }

  /// Held from before a change is written down until it is made.
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

  /// Bytes [from, to) of the file are about to change, or its size.
  void changing_data(int fd, uint64_t inode, uint64_t from, uint64_t to) {
    thread_local std::vector<char> before;
    auto size = static_cast<uint64_t>(status_of(fd).st_size);
    before.resize(from < size ? std::min(to, size) - from : 0);
    for (size_t read = 0; read < before.size();) {
      ssize_t got = pread(fd, before.data() + read, before.size() - read, static_cast<off_t>(from + read));
      if (got <= 0) give_up("reading what a write replaces");
      read += static_cast<size_t>(got);
    }
    bool zeros = std::all_of(before.begin(), before.end(), [](char byte) { return byte == 0; });
    append({kData, inode, from, before.size(), size}, zeros ? nullptr : before.data(), zeros ? 0 : before.size());
  }

  void changing_names(const Place& place, std::initializer_list<OldName> names) {
    std::string payload;
    for (const OldName& old : names) {
      payload.append(reinterpret_cast<const char*>(&old.inode), sizeof old.inode);
      payload.append(old.name).push_back('\0');
    }
    append({kNames, place.parent}, payload.data(), payload.size());
  }

  uint64_t records() {
    std::lock_guard lock(mutex_);
    return records_;
  }

  void synced(uint64_t inode, uint64_t records) {
    std::lock_guard lock(mutex_);
    append({kSync, inode, records}, nullptr, 0);
  }

  bool lies() const { return lies_; }

  /// Whether the disk is to fail when this file is synced.
  bool fails(int fd) const {
    Descriptor control(raw_open(AT_FDCWD, (store_ + "/fails").c_str(), O_RDONLY | O_CLOEXEC));
    if (control.get() < 0) return false;
    char pattern[PATH_MAX];
    ssize_t length = pread(control.get(), pattern, sizeof pattern - 1, 0);
    if (length < 0) give_up("reading which files fail");
    pattern[length] = 0;
    std::string path = path_of(fd).substr(root_.size());
    return fnmatch(pattern, path.c_str() + (path.starts_with('/') ? 1 : 0), 0) == 0;
  }

  /// Keeps a file that is about to lose its name.
  void keep_file(const Place& place, uint64_t inode) {
    std::string kept = removed(inode);
    if (linkat(place.directory.get(), place.name.c_str(), AT_FDCWD, kept.c_str(), 0) != 0 && errno != EEXIST) {
      give_up("keeping a removed file");
    }
  }

  std::string removed(uint64_t inode) const { return store_ + "/removed/" + std::to_string(inode); }

 private:
  Disk() {
    const char* root = getenv("VOLATILE_DISK_ROOT");
    const char* store = getenv("VOLATILE_DISK_STORE");
    char resolved[PATH_MAX];
    if (root == nullptr || store == nullptr || realpath(root, resolved) == nullptr) return;
    root_ = resolved;
    store_ = store;
    lies_ = getenv("VOLATILE_DISK_LIES") != nullptr;
    for (int number = 1; journal_ < 0; ++number) {
      std::string path = store_ + "/journal." + std::to_string(number);
      journal_ = raw_open(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
      if (journal_ < 0 && errno != EEXIST) give_up("making a journal");
    }
  }

  bool holds(const std::string& path) const {
    return path.starts_with(root_) && (path.size() == root_.size() || path[root_.size()] == '/');
  }

  void append(Record record, const void* payload, size_t bytes) {
    record.bytes = bytes;
    thread_local std::string buffer;
    buffer.assign(reinterpret_cast<const char*>(&record), sizeof record);
    buffer.append(static_cast<const char*>(payload), bytes);
    if (raw_write(journal_, buffer.data(), buffer.size()) != static_cast<ssize_t>(buffer.size())) {
      give_up("writing the journal");
    }
    ++records_;
  }

  std::string root_, store_;
  bool lies_ = false;
  int journal_ = -1;
  std::mutex mutex_;
  uint64_t records_ = 0;
  static std::atomic<uint64_t> objects_[kDescriptorsMax];
};

std::atomic<uint64_t> Disk::objects_[kDescriptorsMax];

int open_file(int at, const char* path, int flags, mode_t mode) {
  Disk& disk = Disk::instance();
  std::unique_lock<std::mutex> lock;
  if (auto place = flags & (O_CREAT | O_TRUNC) ? disk.place(at, path) : std::nullopt) {
    lock = disk.lock();
    auto found = place->found();
    if (!found) {
      disk.changing_names(*place, {{place->name, 0}});
    } else if ((flags & O_TRUNC) && S_ISREG(found->st_mode)) {
      Descriptor file(raw_open(at, path, O_RDONLY | O_CLOEXEC));
      disk.changing_data(file.get(), found->st_ino, 0, kToTheEnd);
    }
  }
  int fd = raw_open(at, path, flags, mode);
  if (fd >= 0) disk.opened(fd);
  return fd;
}

/// Makes a change of a file's data, [from, to), after its old content was written down.
template <typename Call>
auto change(int fd, uint64_t from, uint64_t to, Call call) {
  Disk& disk = Disk::instance();
  uint64_t inode = disk.object(fd);
  if (inode == 0) return call();
  auto lock = disk.lock();
  disk.changing_data(fd, inode, from, to);
  return call();
}

uint64_t write_position(int fd) {
  if (fcntl(fd, F_GETFL) & O_APPEND) return static_cast<uint64_t>(status_of(fd).st_size);
  return static_cast<uint64_t>(lseek(fd, 0, SEEK_CUR));
}

int sync_object(int fd, long call, bool honest) {
  Disk& disk = Disk::instance();
  uint64_t inode = disk.object(fd);
  if (inode != 0 && disk.fails(fd)) {
    errno = EIO;
    return -1;
  }
  uint64_t records = inode == 0 ? 0 : disk.records();
  int result = static_cast<int>(syscall(call, fd));
  if (result == 0 && inode != 0 && honest) disk.synced(inode, records);
  return result;
}

int remove_file(const char* path) {
  Disk& disk = Disk::instance();
  auto place = disk.place(AT_FDCWD, path);
  auto found = place ? place->found() : std::nullopt;
  if (!found || S_ISDIR(found->st_mode)) return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  auto lock = disk.lock();
  disk.keep_file(*place, found->st_ino);
  disk.changing_names(*place, {{place->name, found->st_ino}});
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

bool is_empty(const char* directory) {
  DIR* handle = opendir(directory);
  if (handle == nullptr) return false;
  int entries = 0;
  while (readdir(handle) != nullptr) ++entries;
  closedir(handle);
  return entries <= 2;
}

// Moved away instead, for its inode number.
int remove_directory(const char* path) {
  Disk& disk = Disk::instance();
  auto place = disk.place(AT_FDCWD, path);
  auto found = place ? place->found() : std::nullopt;
  if (!found || !S_ISDIR(found->st_mode)) return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
  auto lock = disk.lock();
  if (!is_empty(path)) {
    errno = ENOTEMPTY;
    return -1;
  }
  disk.changing_names(*place, {{place->name, found->st_ino}});
  return raw_rename(AT_FDCWD, path, AT_FDCWD, disk.removed(found->st_ino).c_str());
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_file(AT_FDCWD, path, flags, mode);
}

EXPORTED int openat(int at, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_file(at, path, flags, mode);
}

EXPORTED int close(int fd) {
  Disk::instance().closing(fd);
  return raw_close(fd);
}

EXPORTED ssize_t write(int fd, const void* bytes, size_t size) {
  if (Disk::instance().object(fd) == 0) return raw_write(fd, bytes, size);
  uint64_t from = write_position(fd);
  return change(fd, from, from + size, [&] { return raw_write(fd, bytes, size); });
}

EXPORTED ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  auto from = static_cast<uint64_t>(offset);
  return change(fd, from, from + size,
                [&] { return static_cast<ssize_t>(syscall(SYS_pwrite64, fd, bytes, size, offset)); });
}

EXPORTED ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  auto from = static_cast<uint64_t>(offset);
  uint64_t to = from;
  for (int i = 0; i < count; ++i) to += parts[i].iov_len;
  return change(fd, from, to, [&] { return static_cast<ssize_t>(syscall(SYS_pwritev, fd, parts, count, offset, 0)); });
}

EXPORTED int ftruncate(int fd, off_t size) noexcept {
  return change(fd, static_cast<uint64_t>(size), kToTheEnd,
                [&] { return static_cast<int>(syscall(SYS_ftruncate, fd, size)); });
}

EXPORTED int fallocate(int fd, int mode, off_t offset, off_t size) {
  if (mode & ~FALLOC_FL_KEEP_SIZE) give_up("fallocate that changes what is there is not known here");
  auto to = static_cast<uint64_t>(offset + size);
  return change(fd, to, to, [&] { return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size)); });
}

EXPORTED int fsync(int fd) { return sync_object(fd, SYS_fsync, true); }

EXPORTED int fdatasync(int fd) { return sync_object(fd, SYS_fdatasync, !Disk::instance().lies()); }

EXPORTED int mkdir(const char* path, mode_t mode) noexcept {
  Disk& disk = Disk::instance();
  auto place = disk.place(AT_FDCWD, path);
  auto lock = disk.lock();
  if (place && !place->found()) disk.changing_names(*place, {{place->name, 0}});
  return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

EXPORTED int rename(const char* from, const char* to) noexcept {
  Disk& disk = Disk::instance();
  auto source = disk.place(AT_FDCWD, from);
  auto target = disk.place(AT_FDCWD, to);
  if (!source && !target) return raw_rename(AT_FDCWD, from, AT_FDCWD, to);
  if (!source || !target || source->parent != target->parent) give_up("a rename between directories is not known here");
  auto lock = disk.lock();
  auto moved = source->found();
  auto replaced = target->found();
  if (replaced && S_ISDIR(replaced->st_mode)) give_up("a rename onto a directory is not known here");
  if (replaced && moved) disk.keep_file(*target, replaced->st_ino);
  if (moved) {
    disk.changing_names(*source,
                        {{source->name, moved->st_ino}, {target->name, replaced ? replaced->st_ino : uint64_t{0}}});
  }
  return raw_rename(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORTED int unlink(const char* path) noexcept { return remove_file(path); }

EXPORTED int rmdir(const char* path) noexcept { return remove_directory(path); }

EXPORTED int remove(const char* path) noexcept {
  int result = remove_file(path);
  return result != 0 && (errno == EISDIR || errno == EPERM) ? remove_directory(path) : result;
}

// The same with 64 bits, which is what they have anyway.
EXPORTED int open64(const char*, int, ...) __attribute__((alias("open")));
EXPORTED int openat64(int, const char*, int, ...) __attribute__((alias("openat")));
EXPORTED ssize_t pwrite64(int, const void*, size_t, off_t) __attribute__((alias("pwrite")));
EXPORTED ssize_t pwritev64(int, const iovec*, int, off_t) __attribute__((alias("pwritev")));
EXPORTED int ftruncate64(int, off_t) noexcept __attribute__((alias("ftruncate")));
EXPORTED int fallocate64(int, int, off_t, off_t) __attribute__((alias("fallocate")));
