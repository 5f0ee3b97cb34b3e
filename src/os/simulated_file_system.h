// A disk in memory that behaves as badly as real ones are allowed to: what was not fsynced may be kept, lost or torn at
// 512-byte sectors by a crash, and any call can be made to fail.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/function.h"
#include "os/file.h"
#include "os/random.h"

namespace headrace::os {

enum class DiskCall {
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kSync,
  kAllocate,
  kTruncate,
  kRename,
  kRemove,
  kMakeDirectory,
  kSyncDirectory,
  kList,
};
inline constexpr int kDiskCalls = 12;
const char* to_string(DiskCall call);

/// How an injected call goes wrong.
enum class DiskFault {
  kIoError,        ///< EIO. A failed fsync forgets the unsynced data, as Linux does: a second one succeeds and lies.
  kOutOfSpace,     ///< ENOSPC; a write has written half of its bytes.
  kInterrupted,    ///< EINTR from a read or a write, which is repeated.
  kShort,          ///< A read or write of half of its bytes.
  kNoDescriptors,  ///< EMFILE from a call that opens something.
};

/// What a crash does to what was not synced.
enum class CrashMode {
  kKeep,    ///< All of it reached the disk.
  kDrop,    ///< None of it did.
  kTear,    ///< The first half of each file's last unsynced write did, cut at a sector, and all before it.
  kRandom,  ///< Of each sector its first writes, some or all; of directory changes, a prefix in each directory.
  kKill,    ///< Only the process is gone: all is there, and what was not synced still is not.
};

class SimulatedFileSystem final : public FileSystem {
 public:
  struct Operation {
    DiskCall call;
    std::string path;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  SimulatedFileSystem();
  ~SimulatedFileSystem() override;

  /// After `operations` more changing operations (all but open, read and list) the power is off: every call fails.
  void crash_after(uint64_t operations);
  /// The power is off now.
  void crash() { crash_after(0); }
  bool crashed() const;
  /// The disk as it is, what is not synced yet included; nothing in it is open, and its power is on.
  std::unique_ptr<SimulatedFileSystem> copy() const;
  /// Calls `watcher` with a copy before each changing operation. It may not use the disk itself.
  void before_each_operation(Function<void(SimulatedFileSystem& copy)> watcher);
  /// Turns the power on again with what survived. Files opened before stay dead.
  void restart(CrashMode mode, uint64_t seed);
  /// The `nth` (from 1) call of this kind from now on goes wrong, once; `of` what ends in this, if something is named.
  void fail(DiskCall call, uint64_t nth, DiskFault fault, std::string of = "");
  /// While there are none left, nothing can be opened.
  void set_descriptors_left(bool left);
  /// Whether the fault asked for has happened.
  bool fault_happened() const;
  /// No write can grow the disk's content beyond this; ENOSPC.
  void set_capacity(uint64_t bytes);

  /// What was done since the start, changing operations only.
  std::vector<Operation> operations() const;
  uint64_t calls(DiskCall call) const;

  /// Direct access for tests: a file's bytes as a process would see them, changed durably behind everybody's back.
  Bytes content(const std::string& path) const;
  void set_content(const std::string& path, Bytes bytes);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directories(const std::string& directory) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Result<std::unique_ptr<Directory>> open_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<SpaceInfo> space(const std::string& path) override;

 private:
  friend class SimulatedDirectory;
  friend class SimulatedFile;
  friend class SimulatedLock;

  // A change of a file that no fsync has covered yet.
  struct Change {
    uint64_t offset;
    Bytes bytes;                     // Written at offset...
    std::optional<uint64_t> resize;  // ...or a new size.
  };
  struct Inode {
    Bytes now;      // What processes see.
    Bytes durable;  // What the disk holds.
    std::vector<Change> unsynced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // By path; a null inode is a directory.
  struct NameChange {
    std::string directory;
    std::string from;  // Removed, when not empty.
    std::string to;    // Added, when not empty.
    std::shared_ptr<Inode> inode;
    /// Of a directory that is removed: where what the disk holds of it is kept, as another one may take its path.
    std::string grave = {};
  };

  Status sync_names(const std::string& directory, uint64_t generation);
  void copy_to(SimulatedFileSystem& copy) const;

  // All of these want mutex_.
  bool crashed_locked() const { return operations_left_ && *operations_left_ == 0; }
  int begin(DiskCall call, const std::string& path, uint64_t offset = 0, uint64_t size = 0);
  std::optional<DiskFault> take_fault(DiskCall call, const std::string& path);
  void change_name(const std::string& directory, std::string from, std::string to, std::shared_ptr<Inode> inode);
  std::string bury(const std::string& directory);
  void give_way(const std::string& path);
  void commit_names(const std::string& directory);
  void bring_back(const std::vector<NameChange>& lost);
  static void follow(std::vector<NameChange>& changes, const NameChange& renamed);
  static void apply_name_change(Names& names, const NameChange& change);
  static void apply(Bytes& content, const Change& change);
  void lose_power(CrashMode mode, uint64_t seed);
  void lose_unsynced(Inode& inode, CrashMode mode, Random& random);
  uint64_t used_bytes() const;
  ssize_t raw_write(Inode& inode, const std::string& path, const iovec* vectors, int count, uint64_t offset);
  ssize_t raw_read(Inode& inode, const std::string& path, uint8_t* to, size_t size, uint64_t offset);

  mutable std::mutex mutex_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> unsynced_names_;
  uint64_t graves_ = 0;
  std::set<std::string> locked_;
  std::vector<Operation> operations_;
  uint64_t calls_[kDiskCalls] = {};
  uint64_t generation_ = 0;  // Grows at each restart: older files are dead.
  std::optional<uint64_t> operations_left_;
  struct Fault {
    DiskCall call;
    uint64_t left;
    DiskFault fault;
    std::string of;
  };
  std::optional<Fault> fault_;
  bool fault_happened_ = false;
  bool descriptors_left_ = true;
  uint64_t capacity_ = UINT64_MAX;
  Function<void(SimulatedFileSystem&)> watcher_;
};

}  // namespace headrace::os
