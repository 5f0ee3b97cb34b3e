#include "log/compaction_transactions.h"

#include <algorithm>

namespace headrace::log {

CompactionTransactions::CompactionTransactions(std::vector<TransactionIndexEntry> aborted)
    : ahead_(aborted.begin(), aborted.end()) {
  std::sort(ahead_.begin(), ahead_.end(), [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; });
}

void CompactionTransactions::begin_until(Offset offset) {
  while (!ahead_.empty() && ahead_.front().first_offset <= offset) {
    aborted_[ahead_.front().producer_id] = {ahead_.front()};
    ahead_.pop_front();
  }
}

bool CompactionTransactions::is_aborted(const record::BatchHeader& header) {
  begin_until(header.last_offset());
  if (!header.is_transactional()) return false;
  auto found = aborted_.find(header.producer_id);
  if (found != aborted_.end() && header.base_offset <= found->second.entry.last_offset) {
    found->second.met = true;
    return true;
  }
  others_.insert(header.producer_id);
  return false;
}

CompactionTransactions::Marker CompactionTransactions::end(const record::BatchHeader& header) {
  begin_until(header.last_offset());
  Marker marker{.empty = others_.erase(header.producer_id) == 0};
  auto found = aborted_.find(header.producer_id);
  if (found == aborted_.end()) return marker;
  if (found->second.entry.last_offset == header.last_offset() && found->second.met) {
    marker.empty = false;
    marker.aborted = found->second.entry;
  }
  if (found->second.entry.last_offset <= header.last_offset()) aborted_.erase(found);
  return marker;
}

}  // namespace headrace::log
