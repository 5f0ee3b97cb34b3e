// Who is connected under which client identifier: one at a time [MQTT-3.1.4-2].
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "ingest/mqtt/batch_lane.h"

namespace headrace::ingest::mqtt {

/// From any thread.
class ClientRegistry {
 public:
  struct Holder {
    std::shared_ptr<Mailbox> mailbox;
    SessionRef session;
  };

  /// Enters `holder` under `client_id`; the one that it takes the name from, where there is one.
  std::optional<Holder> claim(const std::string& client_id, Holder holder) {
    std::lock_guard lock(mutex_);
    auto [at, fresh] = holders_.try_emplace(client_id, holder);
    if (fresh) return std::nullopt;
    return std::exchange(at->second, std::move(holder));
  }

  /// Takes `client_id` out, if it is still `holder`'s.
  void release(const std::string& client_id, const Holder& holder) {
    std::lock_guard lock(mutex_);
    auto found = holders_.find(client_id);
    if (found == holders_.end()) return;
    if (found->second.mailbox == holder.mailbox && found->second.session == holder.session) holders_.erase(found);
  }

  /// A name for a client that gave none [MQTT-3.1.3-6].
  std::string make_name() {
    std::lock_guard lock(mutex_);
    return "auto-" + std::to_string(++made_);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, Holder> holders_;
  uint64_t made_ = 0;
};

}  // namespace headrace::ingest::mqtt
