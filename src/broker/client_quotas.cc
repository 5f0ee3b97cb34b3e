#include "broker/client_quotas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headrace::broker {
namespace {

struct QuotaKey {
  std::string_view name;
  bool whole;   ///< Its unit can't be divided.
  bool for_ip;  ///< For addresses, else for users and clients.
};
constexpr QuotaKey kKeys[] = {{kProducerByteRate, true, false},
                              {kConsumerByteRate, true, false},
                              {kRequestPercentage, false, false},
                              {kControllerMutationRate, false, false},
                              {kConnectionCreationRate, true, true}};

Error invalid(std::string what) { return {ErrorCode::kInvalidArgument, std::move(what)}; }

bool is_plain(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.'; }

std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) out += is_plain(c) ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    out += static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
    i += 2;
  }
  return out;
}

}  // namespace

Status check_quota_entity(const QuotaEntity& entity) {
  if (entity.empty()) return invalid("a quota is for a user, a client-id, both, or an ip");
  for (const auto& [type, name] : entity) {
    if (type != kUserPart && type != kClientPart && type != kIpPart) return invalid("no quota entity type " + type);
    if (name && name->empty()) return invalid("the name of a " + type + " is empty");
  }
  if (entity.contains(kIpPart) && entity.size() > 1) return invalid("an ip has quotas of its own only");
  return {};
}

Status check_quota_value(const QuotaEntity& entity, std::string_view key, double value) {
  auto found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const QuotaKey& one) { return one.name == key; });
  bool for_ip = entity.contains(kIpPart);
  if (found == std::end(kKeys) || found->for_ip != for_ip) {
    return invalid(fmt::format("there is no quota {} for {}", key, for_ip ? "an ip" : "users and clients"));
  }
  if (!std::isfinite(value) || value <= 0) return invalid(fmt::format("quota {}: {} is not above 0", key, value));
  if (found->whole && std::abs(value - std::round(value)) > 1e-6) {
    return invalid(fmt::format("quota {}: {} is no whole number", key, value));
  }
  return {};
}

std::string ClientQuotas::key_of(const QuotaEntity& entity) {
  std::string key;
  for (const auto& [type, name] : entity) {
    if (!key.empty()) key += ';';
    key += type;
    if (name) key += "=" + escape(*name);
  }
  return key;
}

std::optional<QuotaEntity> ClientQuotas::parse_key(std::string_view key) {
  QuotaEntity entity;
  while (!key.empty()) {
    size_t end = std::min(key.find(';'), key.size());
    std::string_view part = key.substr(0, end);
    size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      entity[std::string(part)] = std::nullopt;
    } else {
      auto name = unescape(part.substr(equals + 1));
      if (!name) return std::nullopt;
      entity[std::string(part.substr(0, equals))] = std::move(name);
    }
    key.remove_prefix(std::min(end + 1, key.size()));
  }
  if (!check_quota_entity(entity).ok()) return std::nullopt;
  return entity;
}

void ClientQuotas::put(const QuotaEntity& entity, QuotaValues values) {
  if (values.empty()) {
    entries_.erase(entity);
  } else {
    entries_[entity] = std::move(values);
  }
}

QuotaValues ClientQuotas::values_of(const QuotaEntity& entity) const {
  auto found = entries_.find(entity);
  return found == entries_.end() ? QuotaValues() : found->second;
}

std::optional<double> ClientQuotas::value(const QuotaEntity& entity, std::string_view key) const {
  auto found = entries_.find(entity);
  if (found == entries_.end()) return std::nullopt;
  auto value = found->second.find(key);
  return value == found->second.end() ? std::nullopt : std::optional(value->second);
}

std::optional<AppliedQuota> ClientQuotas::find(std::string_view key, std::string_view user,
                                               std::string_view client) const {
  if (entries_.empty()) return std::nullopt;
  const std::string kUser(kUserPart), kClient(kClientPart);
  for (const auto& user_name : {std::optional(std::string(user)), std::optional<std::string>()}) {
    for (const auto& client_name : {std::optional(std::string(client)), std::optional<std::string>()}) {
      auto limit = value({{kUser, user_name}, {kClient, client_name}}, key);
      if (limit) return AppliedQuota{*limit, std::string(user), std::string(client)};
    }
    if (auto limit = value({{kUser, user_name}}, key)) return AppliedQuota{*limit, std::string(user), ""};
  }
  for (const auto& client_name : {std::optional(std::string(client)), std::optional<std::string>()}) {
    auto limit = value({{kClient, client_name}}, key);
    if (limit) return AppliedQuota{*limit, "", std::string(client)};
  }
  return std::nullopt;
}

std::optional<double> ClientQuotas::find_for_ip(std::string_view key, std::string_view ip) const {
  const std::string kIp(kIpPart);
  auto limit = value({{kIp, std::string(ip)}}, key);
  return limit ? limit : value({{kIp, std::nullopt}}, key);
}

}  // namespace headrace::broker
