// Topics, offsets and groups through librdkafka's admin API and metadata.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/logging.h"
#include "bus_kafka/internal/parts.h"

namespace headrace::bus_kafka {
namespace {

using List = Owned<rd_kafka_topic_partition_list_t>;

/// How long a request may take before it has timed out.
constexpr int kRequestTimeoutMs = 10'000;
/// How long a topic's creation or deletion may take to reach the brokers.
constexpr std::chrono::seconds kPropagationMax{20};
constexpr std::chrono::milliseconds kPropagationPause{50};
/// How long positions in an unfinished transaction are waited for.
constexpr std::chrono::seconds kTransactionEndMax{2};
/// How long a request that meets a moving leader is made again.
constexpr std::chrono::seconds kLeadersMoveMax{5};

List make_list(const std::vector<TopicPartition>& partitions, int64_t offset) {
  List list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& tp : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition.value)->offset = offset;
  }
  return list;
}

TopicPartition partition_of(const rd_kafka_topic_partition_t& p) { return {p.topic, PartitionId(p.partition)}; }

class KafkaAdmin final : public bus::Admin {
 public:
  KafkaAdmin(Handle handle, Properties properties)
      : properties_(std::move(properties)), handle_(std::make_shared<const Handle>(std::move(handle))) {}

  Status create_topic(const bus::TopicSpec& spec) override;
  Status delete_topic(std::string_view name) override;
  Status create_partitions(std::string_view topic, int32_t total) override;
  Result<std::vector<bus::TopicInfo>> topics() override;
  Result<bus::TopicInfo> topic(std::string_view name) override;
  Result<int32_t> partition_count(std::string_view topic) override;
  Result<std::vector<bus::Position>> offsets(const std::vector<TopicPartition>& partitions,
                                             bus::OffsetQuery query) override;
  Result<std::vector<bus::Position>> committed(std::string_view group,
                                               const std::vector<TopicPartition>& partitions) override;
  Status commit(std::string_view group, const std::vector<bus::Position>& positions) override;

 private:
  template <typename Request>
  Result<Owned<rd_kafka_event_t>> ask(const std::shared_ptr<const Handle>& handle, rd_kafka_admin_op_t operation,
                                      std::string_view doing, Request request);
  template <typename Request>
  Result<Owned<rd_kafka_event_t>> ask(rd_kafka_admin_op_t operation, std::string_view doing, Request request) {
    return ask(handle_, operation, doing, std::move(request));
  }
  Status topic_results(const rd_kafka_topic_result_t** results, size_t count, std::string_view doing) const;
  Result<std::vector<bus::Position>> committed_once(const std::string& group, rd_kafka_topic_partition_list_t* list,
                                                    bool require_stable, bool& unstable);
  Result<Owned<const rd_kafka_metadata_t>> metadata(const std::string* topic);
  Status await_partitions(const std::string& topic, int32_t count);
  Status await_deletion(const std::string& topic);
  Result<std::vector<bus::Position>> list_offsets(const std::vector<TopicPartition>& partitions, int64_t timestamp);
  Result<std::vector<bus::Position>> list_offsets_once(const std::vector<TopicPartition>& partitions,
                                                       int64_t timestamp);
  Status fill(std::vector<bus::TopicInfo>& topics);
  Status fill_offsets(std::vector<bus::TopicInfo>& topics);
  Status fill_configs(std::vector<bus::TopicInfo>& topics);

  /// Handle::error() with the connection's troubles up to now, which this handle serves nowhere else.
  Error error(rd_kafka_resp_err_t code, std::string_view doing, const char* detail = nullptr) const {
    rd_kafka_poll(handle_->get(), 0);
    return handle_->error(code, doing, detail);
  }

  std::shared_ptr<const Handle> group_handle();
  Error request_error(const std::shared_ptr<const Handle>& used, rd_kafka_resp_err_t code, std::string_view doing,
                      const char* detail = nullptr);

  const Properties properties_;
  const std::shared_ptr<const Handle> handle_;
  std::mutex group_mutex_;
  std::shared_ptr<const Handle> group_handle_;  ///< Asks about groups in handle_'s place.
};

Result<Handle> make_handle(const Properties& properties) {
  // A consumer's kind of handle: looking a topic up through a producer's would create it. The group is never joined,
  // but without one librdkafka crashes when a coordinator on the move answers an offsets request (librdkafka #5040).
  return Handle::make(RD_KAFKA_CONSUMER, {{"client.id", "headrace-admin"}}, properties,
                      {{"allow.auto.create.topics", "false"}, {"group.id", "headrace-admin"}});
}

std::shared_ptr<const Handle> KafkaAdmin::group_handle() {
  std::lock_guard lock(group_mutex_);
  return group_handle_ ? group_handle_ : handle_;
}

/// Has the next request about a group made by a new client, where `used` asked the wrong broker: a librdkafka client
/// goes on asking the coordinator that it found once, for as long as it asks, though that answers each time that it is
/// none.
Error KafkaAdmin::request_error(const std::shared_ptr<const Handle>& used, rd_kafka_resp_err_t code,
                                std::string_view doing, const char* detail) {
  if (code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR) {
    auto made = make_handle(properties_);
    if (made.ok()) {
      auto fresh = std::make_shared<const Handle>(*std::move(made));
      std::lock_guard lock(group_mutex_);
      if (used == (group_handle_ ? group_handle_ : handle_)) group_handle_ = std::move(fresh);
    } else {
      log_warn("a client that looks for coordinators anew: {}", made.error().message);
    }
  }
  return error(code, doing, detail);
}

/// Makes one admin request and waits for its event; the event's own error is an Error.
template <typename Request>
Result<Owned<rd_kafka_event_t>> KafkaAdmin::ask(const std::shared_ptr<const Handle>& handle,
                                                rd_kafka_admin_op_t operation, std::string_view doing,
                                                Request request) {
  Owned<rd_kafka_AdminOptions_t> options(rd_kafka_AdminOptions_new(handle->get(), operation));
  char reason[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kRequestTimeoutMs, reason, sizeof(reason));
  Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(handle->get()));
  request(options.get(), queue.get());
  Owned<rd_kafka_event_t> event(rd_kafka_queue_poll(queue.get(), 2 * kRequestTimeoutMs));
  if (!event) return error(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
  if (auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return request_error(handle, code, doing, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

Status KafkaAdmin::topic_results(const rd_kafka_topic_result_t** results, size_t count, std::string_view doing) const {
  for (size_t i = 0; i < count; ++i) {
    auto code = rd_kafka_topic_result_error(results[i]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error(code, doing, rd_kafka_topic_result_error_string(results[i]));
  }
  return {};
}

Status KafkaAdmin::create_topic(const bus::TopicSpec& spec) {
  std::string doing = "creating topic " + spec.name;
  char reason[256] = "";
  Owned<rd_kafka_NewTopic_t> topic(
      rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, spec.replication_factor, reason, sizeof(reason)));
  if (!topic) return Error{ErrorCode::kInvalidArgument, doing + ": " + reason};
  for (const auto& [name, value] : spec.configs) rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  ASSIGN_OR_RETURN(auto event, ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, doing, [&](auto* options, auto* queue) {
                     rd_kafka_CreateTopics(handle_->get(), topics, 1, options, queue);
                   }));
  size_t count = 0;
  const auto** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  RETURN_IF_ERROR(topic_results(results, count, doing));
  return await_partitions(spec.name, spec.partitions);
}

/// A cluster answers before every broker knows: waits until the partitions have leaders, so that the next call finds
/// them.
Status KafkaAdmin::await_partitions(const std::string& topic, int32_t count) {
  auto deadline = std::chrono::steady_clock::now() + kPropagationMax;
  while (std::chrono::steady_clock::now() < deadline) {
    auto found = metadata(&topic);
    if (!found.ok() && found.error().code != ErrorCode::kNotFound) return found.error();
    if (found.ok()) {
      const rd_kafka_metadata_topic_t& t = (*found)->topics[0];
      auto led =
          std::count_if(t.partitions, t.partitions + t.partition_cnt, [](const auto& p) { return p.leader >= 0; });
      if (led >= count) return {};
    }
    std::this_thread::sleep_for(kPropagationPause);
  }
  return Error{ErrorCode::kTimedOut, fmt::format("topic {} exists, but its partitions have no leaders yet", topic)};
}

Status KafkaAdmin::delete_topic(std::string_view name) {
  std::string doing = fmt::format("deleting topic {}", name);
  Owned<rd_kafka_DeleteTopic_t> topic(rd_kafka_DeleteTopic_new(std::string(name).c_str()));
  rd_kafka_DeleteTopic_t* topics[] = {topic.get()};
  ASSIGN_OR_RETURN(auto event, ask(RD_KAFKA_ADMIN_OP_DELETETOPICS, doing, [&](auto* options, auto* queue) {
                     rd_kafka_DeleteTopics(handle_->get(), topics, 1, options, queue);
                   }));
  size_t count = 0;
  const auto** results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  RETURN_IF_ERROR(topic_results(results, count, doing));
  return await_deletion(std::string(name));
}

/// The controller answers before every broker has forgotten the topic.
Status KafkaAdmin::await_deletion(const std::string& topic) {
  auto deadline = std::chrono::steady_clock::now() + kPropagationMax;
  while (std::chrono::steady_clock::now() < deadline) {
    auto found = metadata(&topic);
    if (!found.ok()) return found.error().code == ErrorCode::kNotFound ? Status() : found.error();
    std::this_thread::sleep_for(kPropagationPause);
  }
  return Error{ErrorCode::kTimedOut, fmt::format("topic {} is deleted, but brokers still tell of it", topic)};
}

Status KafkaAdmin::create_partitions(std::string_view name, int32_t total) {
  std::string topic(name), doing = fmt::format("growing topic {} to {} partitions", name, total);
  char reason[256] = "";
  if (total < 1) return Error{ErrorCode::kInvalidArgument, doing + ": a topic has at least one partition"};
  Owned<rd_kafka_NewPartitions_t> partitions(
      rd_kafka_NewPartitions_new(topic.c_str(), static_cast<size_t>(total), reason, sizeof(reason)));
  if (!partitions) return Error{ErrorCode::kInvalidArgument, doing + ": " + reason};
  rd_kafka_NewPartitions_t* all[] = {partitions.get()};
  ASSIGN_OR_RETURN(auto event, ask(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, doing, [&](auto* options, auto* queue) {
                     rd_kafka_CreatePartitions(handle_->get(), all, 1, options, queue);
                   }));
  size_t count = 0;
  const auto** results =
      rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event.get()), &count);
  RETURN_IF_ERROR(topic_results(results, count, doing));
  return await_partitions(topic, total);
}

/// Metadata of one topic (kNotFound where there is none) or of all.
Result<Owned<const rd_kafka_metadata_t>> KafkaAdmin::metadata(const std::string* topic) {
  Owned<rd_kafka_topic_t> only;
  if (topic != nullptr) {
    only.reset(rd_kafka_topic_new(handle_->get(), topic->c_str(), nullptr));
    if (!only) return error(rd_kafka_last_error(), "looking up topic " + *topic);
  }
  const rd_kafka_metadata_t* raw = nullptr;
  auto code = rd_kafka_metadata(handle_->get(), topic == nullptr, only.get(), &raw, kRequestTimeoutMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error(code, "reading the cluster's metadata");
  Owned<const rd_kafka_metadata_t> metadata(raw);
  if (topic == nullptr) return metadata;
  if (metadata->topic_cnt == 0) return error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic " + *topic);
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  if (found.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    return error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic " + *topic);
  }
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return error(found.err, "topic " + *topic);
  return metadata;
}

Result<int32_t> KafkaAdmin::partition_count(std::string_view topic) {
  std::string name(topic);
  ASSIGN_OR_RETURN(auto found, metadata(&name));
  return found->topics[0].partition_cnt;
}

// Kafka's Topic.isInternal(); metadata of librdkafka does not tell.
bool is_internal(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" || topic == "__share_group_state";
}

bus::TopicInfo topic_info(const rd_kafka_metadata_topic_t& topic) {
  bus::TopicInfo info;
  info.name = topic.topic;
  info.internal = is_internal(info.name);
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition_t& partition = topic.partitions[i];
    info.partitions.push_back({PartitionId(partition.id), Offset(0), Offset(0), -1, partition.isr_cnt == 0});
  }
  std::sort(info.partitions.begin(), info.partitions.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return info;
}

Result<std::vector<bus::TopicInfo>> KafkaAdmin::topics() {
  ASSIGN_OR_RETURN(auto found, metadata(nullptr));
  std::vector<bus::TopicInfo> infos;
  for (int i = 0; i < found->topic_cnt; ++i) {
    if (found->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) infos.push_back(topic_info(found->topics[i]));
  }
  RETURN_IF_ERROR(fill(infos));
  return infos;
}

Result<bus::TopicInfo> KafkaAdmin::topic(std::string_view name) {
  std::string text(name);
  ASSIGN_OR_RETURN(auto found, metadata(&text));
  std::vector<bus::TopicInfo> infos{topic_info(found->topics[0])};
  RETURN_IF_ERROR(fill(infos));
  return std::move(infos.front());
}

Status KafkaAdmin::fill(std::vector<bus::TopicInfo>& topics) {
  if (topics.empty()) return {};
  RETURN_IF_ERROR(fill_offsets(topics));
  return fill_configs(topics);
}

Status KafkaAdmin::fill_offsets(std::vector<bus::TopicInfo>& topics) {
  std::vector<TopicPartition> partitions;
  for (const bus::TopicInfo& topic : topics) {
    for (const bus::PartitionInfo& p : topic.partitions) partitions.push_back({topic.name, p.id});
  }
  ASSIGN_OR_RETURN(auto starts, list_offsets(partitions, RD_KAFKA_OFFSET_BEGINNING));
  ASSIGN_OR_RETURN(auto ends, list_offsets(partitions, RD_KAFKA_OFFSET_END));
  size_t next = 0;
  for (bus::TopicInfo& topic : topics) {
    for (bus::PartitionInfo& p : topic.partitions) {
      p.log_start = starts[next].next;
      p.high_watermark = ends[next].next;
      ++next;
    }
  }
  return {};
}

Status KafkaAdmin::fill_configs(std::vector<bus::TopicInfo>& topics) {
  std::vector<Owned<rd_kafka_ConfigResource_t>> owned;
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const bus::TopicInfo& topic : topics) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.name.c_str()));
    resources.push_back(owned.back().get());
  }
  constexpr std::string_view kDoing = "reading the topics' configuration";
  ASSIGN_OR_RETURN(auto event, ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, kDoing, [&](auto* options, auto* queue) {
                     rd_kafka_DescribeConfigs(handle_->get(), resources.data(), resources.size(), options, queue);
                   }));
  size_t count = 0;
  const auto** results =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    // A topic deleted meanwhile, or one whose configuration we may not read, has none to show.
    if (rd_kafka_ConfigResource_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    std::string_view name = rd_kafka_ConfigResource_name(results[i]);
    auto topic = std::find_if(topics.begin(), topics.end(), [&](const auto& t) { return t.name == name; });
    size_t entries = 0;
    const auto** configs = rd_kafka_ConfigResource_configs(results[i], &entries);
    for (size_t k = 0; topic != topics.end() && k < entries; ++k) {
      if (const char* value = rd_kafka_ConfigEntry_value(configs[k]))
        topic->configs[rd_kafka_ConfigEntry_name(configs[k])] = value;
    }
  }
  return {};
}

Result<std::vector<bus::Position>> KafkaAdmin::offsets(const std::vector<TopicPartition>& partitions,
                                                       bus::OffsetQuery query) {
  using Kind = bus::OffsetQuery::Kind;
  if (query.kind == Kind::kEarliest) return list_offsets(partitions, RD_KAFKA_OFFSET_BEGINNING);
  if (query.kind == Kind::kLatest) return list_offsets(partitions, RD_KAFKA_OFFSET_END);
  ASSIGN_OR_RETURN(auto found, list_offsets(partitions, std::max<int64_t>(0, query.timestamp_ms)));
  std::vector<TopicPartition> beyond;  // The cluster says -1 where nothing is as late.
  for (const bus::Position& p : found) {
    if (p.next.value < 0) beyond.push_back(p.tp);
  }
  if (beyond.empty()) return found;
  ASSIGN_OR_RETURN(auto ends, list_offsets(beyond, RD_KAFKA_OFFSET_END));
  size_t next = 0;
  for (bus::Position& p : found) {
    if (p.next.value < 0) p.next = ends[next++].next;
  }
  return found;
}

/// Asks again while leaders move, as they do just after a topic's creation.
Result<std::vector<bus::Position>> KafkaAdmin::list_offsets(const std::vector<TopicPartition>& partitions,
                                                            int64_t timestamp) {
  constexpr std::chrono::milliseconds kPause{50};
  auto deadline = std::chrono::steady_clock::now() + kLeadersMoveMax;
  while (true) {
    auto positions = list_offsets_once(partitions, timestamp);
    bool moving = !positions.ok() && positions.error().code == ErrorCode::kUnavailable;
    if (!moving || std::chrono::steady_clock::now() > deadline) return positions;
    std::this_thread::sleep_for(kPause);
  }
}

/// ListOffsets for all partitions at once, in their order. Its two special timestamps, -1 and -2, are librdkafka's
/// RD_KAFKA_OFFSET_END and _BEGINNING, and pass through offsets_for_times unchanged.
Result<std::vector<bus::Position>> KafkaAdmin::list_offsets_once(const std::vector<TopicPartition>& partitions,
                                                                 int64_t timestamp) {
  constexpr std::string_view kDoing = "reading partitions' offsets";
  if (partitions.empty()) return std::vector<bus::Position>();
  List list = make_list(partitions, timestamp);
  auto code = rd_kafka_offsets_for_times(handle_->get(), list.get(), kRequestTimeoutMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error(code, kDoing);
  std::vector<bus::Position> positions;
  for (const TopicPartition& tp : partitions) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), tp.topic.c_str(), tp.partition.value);
    if (found == nullptr) return error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, to_string(tp));
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) return error(found->err, "reading offsets of " + to_string(tp));
    positions.push_back({tp, Offset(found->offset)});
  }
  return positions;
}

/// A transaction that is just ending is waited for, as its positions become the committed ones (KIP-447); positions in
/// one that stays open are not committed, and those before it are the answer.
Result<std::vector<bus::Position>> KafkaAdmin::committed(std::string_view group,
                                                         const std::vector<TopicPartition>& partitions) {
  constexpr std::chrono::milliseconds kPause{20};
  if (partitions.empty()) return std::vector<bus::Position>();
  List list = make_list(partitions, RD_KAFKA_OFFSET_INVALID);
  auto deadline = std::chrono::steady_clock::now() + kTransactionEndMax;
  while (true) {
    bool unstable = false;
    bool wait = std::chrono::steady_clock::now() < deadline;
    auto positions = committed_once(std::string(group), list.get(), wait, unstable);
    if (!unstable) return positions;
    std::this_thread::sleep_for(kPause);
  }
}

Result<std::vector<bus::Position>> KafkaAdmin::committed_once(const std::string& group,
                                                              rd_kafka_topic_partition_list_t* list,
                                                              bool require_stable, bool& unstable) {
  std::string doing = "reading the positions of group " + group;
  Owned<rd_kafka_ListConsumerGroupOffsets_t> request(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list));
  rd_kafka_ListConsumerGroupOffsets_t* requests[] = {request.get()};
  auto handle = group_handle();
  ASSIGN_OR_RETURN(
      auto event, ask(handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, doing, [&](auto* options, auto* queue) {
        Owned<rd_kafka_error_t> unsupported(rd_kafka_AdminOptions_set_require_stable_offsets(options, require_stable));
        rd_kafka_ListConsumerGroupOffsets(handle->get(), requests, 1, options, queue);
      }));
  size_t count = 0;
  const auto** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(event.get()), &count);
  auto failed = [&](rd_kafka_resp_err_t code, const char* detail) {
    unstable = require_stable && code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    return request_error(handle, code, doing, detail);
  };
  std::vector<bus::Position> positions;
  for (size_t i = 0; i < count; ++i) {
    if (const auto* failure = rd_kafka_group_result_error(groups[i])) {
      return failed(rd_kafka_error_code(failure), rd_kafka_error_string(failure));
    }
    const auto* found = rd_kafka_group_result_partitions(groups[i]);
    for (int k = 0; found != nullptr && k < found->cnt; ++k) {
      const auto& p = found->elems[k];
      if (p.err != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(p.err, nullptr);
      if (p.offset >= 0) positions.push_back({partition_of(p), Offset(p.offset)});
    }
  }
  return positions;
}

Status KafkaAdmin::commit(std::string_view group, const std::vector<bus::Position>& positions) {
  std::string doing = fmt::format("committing positions of group {}", group);
  if (positions.empty()) return {};
  List list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const bus::Position& p : positions) {
    rd_kafka_topic_partition_list_add(list.get(), p.tp.topic.c_str(), p.tp.partition.value)->offset = p.next.value;
  }
  Owned<rd_kafka_AlterConsumerGroupOffsets_t> request(
      rd_kafka_AlterConsumerGroupOffsets_new(std::string(group).c_str(), list.get()));
  rd_kafka_AlterConsumerGroupOffsets_t* requests[] = {request.get()};
  auto handle = group_handle();
  ASSIGN_OR_RETURN(auto event,
                   ask(handle, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, doing, [&](auto* options, auto* queue) {
                     rd_kafka_AlterConsumerGroupOffsets(handle->get(), requests, 1, options, queue);
                   }));
  size_t count = 0;
  const auto** groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    if (const auto* failure = rd_kafka_group_result_error(groups[i])) {
      return request_error(handle, rd_kafka_error_code(failure), doing, rd_kafka_error_string(failure));
    }
    const auto* done = rd_kafka_group_result_partitions(groups[i]);
    for (int k = 0; done != nullptr && k < done->cnt; ++k) {
      if (done->elems[k].err != RD_KAFKA_RESP_ERR_NO_ERROR) return request_error(handle, done->elems[k].err, doing);
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<bus::Admin>> make_admin(const Properties& properties) {
  ASSIGN_OR_RETURN(Handle handle, make_handle(properties));
  return std::unique_ptr<bus::Admin>(std::make_unique<KafkaAdmin>(std::move(handle), properties));
}

}  // namespace headrace::bus_kafka
