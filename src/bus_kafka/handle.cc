#include "bus_kafka/internal/handle.h"

#include <fmt/format.h>

#include "base/logging.h"

namespace headrace::bus_kafka {
namespace {

/// librdkafka's syslog levels.
constexpr int kSyslogError = 3;
constexpr int kSyslogWarning = 4;

void on_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  // Warnings about properties that belong to the other kind of client: both kinds get the same ones here.
  if (std::string_view(facility) == "CONFWARN") return;
  LogLevel ours = level <= kSyslogError     ? LogLevel::kWarn
                  : level == kSyslogWarning ? LogLevel::kInfo
                                            : LogLevel::kDebug;
  log_line(ours, fmt::format("librdkafka {}: {}", facility, text));
}

void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  auto* state = static_cast<Handle::State*>(opaque);
  if (code == RD_KAFKA_RESP_ERR__FATAL) return;  // The call that meets it tells.
  state->troubles.set(reason);
}

void on_delivered(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque) {
  auto* state = static_cast<Handle::State*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) state->troubles.clear();
  state->delivered(handle, message, state->opaque);
}

Status set(rd_kafka_conf_t* conf, const Properties& properties) {
  for (const auto& [name, value] : properties) {
    char reason[512] = "";
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) != RD_KAFKA_CONF_OK) {
      return Error{ErrorCode::kInvalidArgument, fmt::format("librdkafka property {}: {}", name, reason)};
    }
  }
  return {};
}

bool is_connection_error(ErrorCode code) { return code == ErrorCode::kUnavailable || code == ErrorCode::kTimedOut; }

}  // namespace

void Troubles::set(std::string text) {
  std::lock_guard lock(mutex_);
  last_ = std::move(text);
}

void Troubles::clear() {
  std::lock_guard lock(mutex_);
  last_.clear();
}

std::string Troubles::last() const {
  std::lock_guard lock(mutex_);
  return last_;
}

Handle::Handle(rd_kafka_t* handle, std::unique_ptr<State> state) : handle_(handle), state_(std::move(state)) {}

Handle::Handle(Handle&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), state_(std::move(other.state_)) {}

Handle::~Handle() {
  if (handle_ != nullptr) rd_kafka_destroy(handle_);
}

Result<Handle> Handle::make(rd_kafka_type_t type, const Properties& defaults, const Properties& properties,
                            const Properties& fixed, DeliveryCallback delivered, void* opaque) {
  Owned<rd_kafka_conf_t> conf(rd_kafka_conf_new());
  RETURN_IF_ERROR(set(conf.get(), defaults));
  RETURN_IF_ERROR(set(conf.get(), properties));
  RETURN_IF_ERROR(set(conf.get(), fixed));
  auto state = std::make_unique<State>();
  state->delivered = delivered;
  state->opaque = opaque;
  rd_kafka_conf_set_opaque(conf.get(), state.get());
  rd_kafka_conf_set_log_cb(conf.get(), &on_log);
  rd_kafka_conf_set_error_cb(conf.get(), &on_error);
  if (delivered != nullptr) rd_kafka_conf_set_dr_msg_cb(conf.get(), &on_delivered);
  char reason[512] = "";
  rd_kafka_t* handle = rd_kafka_new(type, conf.get(), reason, sizeof(reason));
  if (handle == nullptr) return Error{ErrorCode::kInvalidArgument, fmt::format("starting a Kafka client: {}", reason)};
  (void)conf.release();  // The handle owns it now.
  return Handle(handle, std::move(state));
}

Error Handle::error(rd_kafka_resp_err_t code, std::string_view doing, const char* detail) const {
  ErrorCode ours = error_code(code);
  std::string text =
      fmt::format("{}: {}", doing, detail != nullptr && *detail != '\0' ? detail : rd_kafka_err2str(code));
  if (std::string last = troubles().last(); is_connection_error(ours) && !last.empty()) text += " (" + last + ")";
  return {ours, std::move(text)};
}

ErrorCode error_code(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_GROUP:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND: return ErrorCode::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: return ErrorCode::kAlreadyExists;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: return ErrorCode::kOutOfRange;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE: return ErrorCode::kTooLarge;
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION: return ErrorCode::kCorrupt;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM: return ErrorCode::kUnsupported;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND: return ErrorCode::kTimedOut;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID: return ErrorCode::kFenced;
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE: return ErrorCode::kOutOfOrder;
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR: return ErrorCode::kUnavailable;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED: return ErrorCode::kPermissionDenied;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return ErrorCode::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: return ErrorCode::kClosed;
    default: return ErrorCode::kUnavailable;  // Connections, elections, moving leaders and coordinators: try again.
  }
}

Status check_properties(const Properties& properties) {
  Owned<rd_kafka_conf_t> conf(rd_kafka_conf_new());
  return set(conf.get(), properties);
}

}  // namespace headrace::bus_kafka
