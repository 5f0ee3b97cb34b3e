#include "log/open_files.h"

namespace headrace::log {

void OpenFiles::opened(Holder& holder) {
  std::lock_guard lock(mutex_);
  if (holder.listed_) return;
  holder.place_ = holders_.insert(holders_.end(), &holder);
  holder.listed_ = true;
  holder.touch();
  while (holders_.size() > files_max_) {
    if (!close_one(Holder::Close::kIfClean, holder) && !close_one(Holder::Close::kAfterSyncing, holder)) return;
  }
}

void OpenFiles::closed(Holder& holder) {
  std::lock_guard lock(mutex_);
  if (!holder.listed_) return;
  holders_.erase(holder.place_);
  holder.listed_ = false;
}

size_t OpenFiles::count() const {
  std::lock_guard lock(mutex_);
  return holders_.size();
}

// The first round takes the flags of what was used, so the second one finds something, if anything can be closed.
bool OpenFiles::close_one(Holder::Close how, const Holder& but) {
  for (size_t left = 2 * holders_.size(); left > 0; --left) {
    Holder& oldest = *holders_.front();
    bool used = oldest.used_.exchange(false, std::memory_order_relaxed);
    if (&oldest != &but && !used && oldest.try_close(how)) {
      holders_.pop_front();
      oldest.listed_ = false;
      return true;
    }
    holders_.splice(holders_.end(), holders_, holders_.begin());
  }
  return false;
}

}  // namespace headrace::log
