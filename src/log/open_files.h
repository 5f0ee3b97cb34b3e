// Bounds the file descriptors that many logs hold between them: what was not used lately is closed when others open,
// and opened again on demand.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>

#include "log/log_health.h"

namespace headrace::log {

/// Thread-safe. Holders take their own lock first, then the one in here; the other way round only by trying.
class OpenFiles {
 public:
  /// Something that keeps one file open and can open it again.
  class Holder {
   public:
    Holder() = default;
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    virtual ~Holder() = default;

   protected:
    enum class Close {
      kIfClean,      ///< Leave it open when it has data that no fsync covered: its errors would reach nobody.
      kAfterSyncing  ///< Sync such data first, and keep the error for whoever syncs next.
    };
    /// Closes the file without waiting for a lock or an operation in progress; false when it stays open.
    virtual bool try_close(Close how) = 0;
    /// Says that the file was used: it is closed later than others. Free of locks.
    void touch() { used_.store(true, std::memory_order_relaxed); }

   private:
    friend class OpenFiles;
    std::atomic<bool> used_{false};
    bool listed_ = false;  // The list's lock guards these.
    std::list<Holder*>::iterator place_;
  };

  /// `files_max`: descriptors; more are only held where every one of them is in use at this moment.
  explicit OpenFiles(size_t files_max) : files_max_(files_max) {}

  /// `holder` has opened its file. Closes the file of another one when there are too many.
  void opened(Holder& holder);
  /// `holder` has closed its file, or goes away.
  void closed(Holder& holder);
  size_t count() const;

 private:
  bool close_one(Holder::Close how, const Holder& but);

  const size_t files_max_;
  mutable std::mutex mutex_;
  std::list<Holder*> holders_;  // Second chance: the front goes first, unless it was used since it was last looked at.
};

/// What the logs of one broker share.
struct LogResources {
  OpenFiles open_files;
  std::atomic<bool> preallocate{true};  ///< Whether segments grow in preallocated steps: not on a disk nearly full.
  std::shared_ptr<HealthListener> health = nullptr;  ///< Null: nobody listens.
};

}  // namespace headrace::log
