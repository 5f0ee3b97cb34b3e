// The inside of GroupMachine: one group and its members.
#pragma once

#include "broker/group_machine.h"

namespace headrace::broker {

struct GroupMachine::Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  milliseconds session_timeout{0};
  milliseconds rebalance_timeout{0};
  std::vector<GroupProtocol> protocols;
  bool supports_skip_assignment = false;
  Bytes assignment;
  bool told_assignment = true;
  Bytes previous_assignment;  ///< The last one before it that the member was told: what it may have until it joins.
  JoinCallback joining;       ///< Waits for the other members.
  SyncCallback syncing;       ///< Waits for the leader.
  bool synced = false;        ///< In this generation.
  bool knows_id = true;       ///< Not while its first join, which named none, waits.
  std::chrono::nanoseconds expires{0};
  Timers::Id session_timer = 0;
  GroupMemory::Share memory;

  /// What the member tells of itself when it joins.
  void take(JoinGroupRequest request) {
    client_id = std::move(request.client_id);
    client_host = std::move(request.client_host);
    session_timeout = request.session_timeout;
    rebalance_timeout = request.rebalance_timeout;
    protocols = std::move(request.protocols);
    supports_skip_assignment = request.supports_skip_assignment;
  }
  JoinGroupRequest told() const {
    return {.client_id = client_id,
            .client_host = client_host,
            .session_timeout = session_timeout,
            .rebalance_timeout = rebalance_timeout,
            .protocols = protocols,
            .supports_skip_assignment = supports_skip_assignment};
  }

  const Bytes& metadata(std::string_view protocol) const {
    static const Bytes kNone;
    for (const GroupProtocol& p : protocols) {
      if (p.name == protocol) return p.metadata;
    }
    return kNone;
  }
  bool supports(std::string_view protocol) const {
    for (const GroupProtocol& p : protocols) {
      if (p.name == protocol) return true;
    }
    return false;
  }
};

struct GroupMachine::Group {
  std::string id;
  GroupState state = GroupState::kEmpty;
  int64_t state_time_ms = 0;
  int32_t generation = 0;
  std::string protocol_type;
  std::optional<std::string> protocol;
  std::string leader;
  std::map<std::string, Member> members;
  std::map<std::string, std::string> static_members;  ///< Instance id -> member id.
  std::map<std::string, Timers::Id> pending_members;  ///< Ids given out by KIP-394 that have not joined yet.
  Timers::Id rebalance_timer = 0;
  Timers::Id sync_timer = 0;
  int64_t rebalance_round = 0;  ///< Tells a late timer from the present one.
  bool initial_delay = false;   ///< The first rebalance waits for more members.
  milliseconds initial_left{0};
  bool joined_in_delay = false;
  bool storing = false;  ///< The leader's assignments are on their way to the disk.

  bool all_joined() const {
    for (const auto& [id, member] : members) {
      if (!member.joining) return false;
    }
    return pending_members.empty();
  }
  milliseconds rebalance_timeout() const {
    milliseconds longest{0};
    for (const auto& [id, member] : members) longest = std::max(longest, member.rebalance_timeout);
    return longest;
  }
  /// Whether there is a protocol that every member and these support.
  bool fits(const std::vector<GroupProtocol>& protocols) const {
    if (members.empty()) return !protocols.empty();
    for (const GroupProtocol& p : protocols) {
      bool all = true;
      for (const auto& [id, member] : members) all = all && member.supports(p.name);
      if (all) return true;
    }
    return false;
  }
  std::string choose_protocol() const;
  void cancel_timers(Timers& timers) {
    timers.cancel(rebalance_timer);
    timers.cancel(sync_timer);
    for (auto& [id, timer] : pending_members) timers.cancel(timer);
    for (auto& [id, member] : members) timers.cancel(member.session_timer);
  }
};

}  // namespace headrace::broker
