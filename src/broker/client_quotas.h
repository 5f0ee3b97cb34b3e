// Quotas of users and clients: what was set, and which one applies to whom (KIP-13, KIP-55, KIP-124, KIP-546).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::broker {

/// Whom a quota is for: parts by type ("user", "client-id", "ip"), each with a name, or without one for the default of
/// its type.
using QuotaEntity = std::map<std::string, std::optional<std::string>, std::less<>>;
/// Limits by key, such as "producer_byte_rate".
using QuotaValues = std::map<std::string, double, std::less<>>;

inline constexpr std::string_view kUserPart = "user", kClientPart = "client-id", kIpPart = "ip";

inline constexpr std::string_view kProducerByteRate = "producer_byte_rate";
inline constexpr std::string_view kConsumerByteRate = "consumer_byte_rate";
/// Percent of one thread's time.
inline constexpr std::string_view kRequestPercentage = "request_percentage";
/// Partitions created and deleted, a second (KIP-599).
inline constexpr std::string_view kControllerMutationRate = "controller_mutation_rate";
/// Connections from an address, a second (KIP-612).
inline constexpr std::string_view kConnectionCreationRate = "connection_creation_rate";

/// kInvalidArgument with what is wrong: no part, an unknown one, an empty name, an address beside other parts.
Status check_quota_entity(const QuotaEntity& entity);
/// kInvalidArgument: a key that there is not for such an entity, a value that is no positive number, or one with a
/// fraction where the unit has none.
Status check_quota_value(const QuotaEntity& entity, std::string_view key, double value);

/// A limit, and who shares it: those for whom `user` and `client` are the same.
struct AppliedQuota {
  double limit = 0;
  std::string user, client;  ///< Empty where the entity that it comes from does not name the part.
};

/// Immutable once published; replaced as a whole when it changes.
class ClientQuotas {
 public:
  /// Names an entity in one line: "user=alice;client-id=". A default is told by a missing "=".
  static std::string key_of(const QuotaEntity& entity);
  static std::optional<QuotaEntity> parse_key(std::string_view key);

  const std::map<QuotaEntity, QuotaValues>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  /// Without values the entity is removed.
  void put(const QuotaEntity& entity, QuotaValues values);
  QuotaValues values_of(const QuotaEntity& entity) const;

  /// Kafka's order: user and client by name, user by name with the default client, user by name; the same with the
  /// default user; client by name, default client. Nothing: no limit.
  std::optional<AppliedQuota> find(std::string_view key, std::string_view user, std::string_view client) const;
  std::optional<double> find_for_ip(std::string_view key, std::string_view ip) const;

 private:
  std::optional<double> value(const QuotaEntity& entity, std::string_view key) const;

  std::map<QuotaEntity, QuotaValues> entries_;
};

}  // namespace headrace::broker
