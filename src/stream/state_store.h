// The state of a pipeline on the local disk: a RocksDB database that is a cache of the changelog topic and nothing
// more. It may be lost at any time.
//
// Writes skip RocksDB's log: after a crash the database holds the state of some earlier commit, whole, with the
// changelog offset that goes with it, and the changelog has the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/function.h"
#include "base/ids.h"
#include "base/result.h"

namespace headrace::stream {

/// Changes that are applied together or not at all.
class StateBatch {
 public:
  StateBatch();
  ~StateBatch();
  StateBatch(StateBatch&&) noexcept;
  StateBatch& operator=(StateBatch&&) noexcept;

  void put(std::string_view key, BytesView value);
  void remove(std::string_view key);
  void clear();
  bool empty() const;
  size_t bytes() const;

 private:
  friend class StateStore;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One database in one folder. One thread.
class StateStore {
 public:
  /// Opens or creates it. kUnavailable: another process (or pipeline) has it open. A damaged database is kept aside in
  /// `<path>.damaged` and a new one begun.
  static Result<std::unique_ptr<StateStore>> open(std::string path);
  /// Keeps the database in that folder, which nobody has open, aside in `<path>.damaged`.
  static Status set_aside(const std::string& path);
  ~StateStore();

  /// Applies `batch` and notes that the store reflects the changelog at least up to `changelog` (exclusive).
  Status write(StateBatch& batch, Offset changelog, int64_t now_ms);
  /// What write() noted last; nothing for an empty store.
  struct Mark {
    Offset changelog;
    int64_t written_ms;
  };
  std::optional<Mark> mark() const;
  Result<std::optional<std::string>> get(std::string_view key) const;
  /// Every key and value; stops at the first error that `visit` gives.
  Status scan(Function<Status(std::string_view key, BytesView value)> visit) const;
  /// Removes everything.
  Status clear();
  /// Makes what was written so far survive a crash.
  Status flush();

 private:
  struct Impl;
  explicit StateStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::stream
