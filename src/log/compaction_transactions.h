// Transactions as compaction meets them, batch by batch from the log's start: which data belongs to an aborted one, and
// which markers have nothing left to say (as Kafka's CleanedTransactionMetadata).
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "log/transaction_index.h"
#include "record/batch.h"

namespace headrace::log {

/// One thread at a time.
class CompactionTransactions {
 public:
  /// `aborted`: every aborted transaction that ends at or after the first batch to be shown.
  explicit CompactionTransactions(std::vector<TransactionIndexEntry> aborted);

  /// Whether the data batch belongs to an aborted transaction.
  bool is_aborted(const record::BatchHeader& header);

  struct Marker {
    bool empty = false;  ///< No batch of its transaction was met: nobody needs it but for its producer's epoch.
    std::optional<TransactionIndexEntry> aborted;  ///< Readers need to know the transaction still.
  };
  Marker end(const record::BatchHeader& header);

 private:
  struct Ongoing {
    TransactionIndexEntry entry;
    bool met = false;  ///< Some of its data.
  };
  void begin_until(Offset offset);

  std::deque<TransactionIndexEntry> ahead_;  ///< By first offset.
  std::unordered_map<ProducerId, Ongoing> aborted_;
  std::unordered_set<ProducerId> others_;  ///< With data in transactions that are not known to be aborted.
};

}  // namespace headrace::log
