// librdkafka's handles as owned objects, its configuration and its error codes as ours.
#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::bus_kafka {

using Properties = std::map<std::string, std::string>;

/// librdkafka's objects with the function that frees each.
struct Deleter {
  void operator()(rd_kafka_conf_t* p) const { rd_kafka_conf_destroy(p); }
  void operator()(rd_kafka_topic_t* p) const { rd_kafka_topic_destroy(p); }
  void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
  void operator()(rd_kafka_event_t* p) const { rd_kafka_event_destroy(p); }
  void operator()(rd_kafka_error_t* p) const { rd_kafka_error_destroy(p); }
  void operator()(rd_kafka_topic_partition_list_t* p) const { rd_kafka_topic_partition_list_destroy(p); }
  void operator()(rd_kafka_AdminOptions_t* p) const { rd_kafka_AdminOptions_destroy(p); }
  void operator()(rd_kafka_NewTopic_t* p) const { rd_kafka_NewTopic_destroy(p); }
  void operator()(rd_kafka_DeleteTopic_t* p) const { rd_kafka_DeleteTopic_destroy(p); }
  void operator()(rd_kafka_NewPartitions_t* p) const { rd_kafka_NewPartitions_destroy(p); }
  void operator()(rd_kafka_ConfigResource_t* p) const { rd_kafka_ConfigResource_destroy(p); }
  void operator()(rd_kafka_ListConsumerGroupOffsets_t* p) const { rd_kafka_ListConsumerGroupOffsets_destroy(p); }
  void operator()(rd_kafka_AlterConsumerGroupOffsets_t* p) const { rd_kafka_AlterConsumerGroupOffsets_destroy(p); }
  void operator()(rd_kafka_consumer_group_metadata_t* p) const { rd_kafka_consumer_group_metadata_destroy(p); }
  void operator()(const rd_kafka_metadata_t* p) const { rd_kafka_metadata_destroy(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Deleter>;

/// What a handle's callbacks tell the rest: set by librdkafka's threads, read by ours.
class Troubles {
 public:
  void set(std::string text);
  void clear();
  /// The last connection trouble ("localhost:9092: Connection refused"), empty when there is none.
  std::string last() const;

 private:
  mutable std::mutex mutex_;
  std::string last_;
};

/// One librdkafka client. Destroying it closes its connections and threads.
class Handle {
 public:
  using DeliveryCallback = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);

  /// `defaults` may be overridden by `properties`, `fixed` may not be. `opaque` comes back in the callbacks.
  static Result<Handle> make(rd_kafka_type_t type, const Properties& defaults, const Properties& properties,
                             const Properties& fixed, DeliveryCallback delivered = nullptr, void* opaque = nullptr);
  ~Handle();
  Handle(Handle&&) noexcept;

  rd_kafka_t* get() const { return handle_; }
  const Troubles& troubles() const { return state_->troubles; }
  /// An Error for `code`; the message says what was being done and, where the cluster can't be reached, why.
  Error error(rd_kafka_resp_err_t code, std::string_view doing, const char* detail = nullptr) const;

  /// What librdkafka's callbacks get as their opaque.
  struct State {
    Troubles troubles;
    DeliveryCallback delivered = nullptr;
    void* opaque = nullptr;
  };

 private:
  Handle(rd_kafka_t* handle, std::unique_ptr<State> state);
  rd_kafka_t* handle_ = nullptr;
  std::unique_ptr<State> state_;
};

/// The one mapping from librdkafka's (and so Kafka's) error codes to ours.
ErrorCode error_code(rd_kafka_resp_err_t code);

/// Checks every property's name and value as librdkafka does.
Status check_properties(const Properties& properties);

}  // namespace headrace::bus_kafka
