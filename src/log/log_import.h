// Takes over a partition folder that Apache Kafka wrote: every batch is checked and copied with its offset, time and
// producer; indexes, snapshots and the checkpoint are made anew. The source is only read. Transactions that are open at
// its end have nobody who could end them here: Kafka's coordinator keeps that elsewhere.
#pragma once

#include <string>

#include "base/function.h"
#include "base/ids.h"
#include "base/result.h"
#include "log/log_config.h"
#include "os/clock.h"
#include "os/file.h"

namespace headrace::log {

struct LogImport {
  std::string from;              ///< Kafka's folder, "<log.dirs>/<topic>-<partition>", of a broker that does not run.
  std::string to;                ///< Created; must not exist.
  Offset log_start = kNoOffset;  ///< Records below were deleted (Kafka's log-start-offset-checkpoint).
  /// Lower ids are other producers' here: what these wrote last is left out, so that nobody is taken for them.
  ProducerId producers_from{0};
  bool abort_open_transactions = false;  ///< Ends them with an abort marker each instead of failing.
  Function<void(int64_t bytes)> copied;  ///< Told of progress; may be empty.
};

struct ImportedLog {
  Offset log_start, log_end;
  int64_t bytes = 0;
  int64_t batches = 0;
  int64_t torn_bytes = 0;  ///< At the end of the last segment, no whole batch: left out, as Kafka's recovery does.
  int64_t aborted_transactions = 0;  ///< Were open; by a marker that the source does not have.
  ProducerId producer_max{-1};       ///< The largest id that wrote.
};

/// Durable on return. kNotFound: no segments. kCorrupt: a bad batch before the end, named by file and byte.
/// kUnsupported: a batch older than message format 2 (Kafka 0.11). kUnavailable: Kafka was stopped amid compaction, or
/// a transaction is open.
/// Batches get leader epoch 0, which is this broker's.
Result<ImportedLog> import_log(os::FileSystem& files, os::Clock& clock, LogImport options);

}  // namespace headrace::log
