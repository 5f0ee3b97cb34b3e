#include "bus_kafka/internal/offsets_call.h"

#include <atomic>
#include <future>
#include <thread>
#include <utility>

namespace headrace::bus_kafka {
namespace {

enum class CallState { kRunning, kDone, kAbandoned };

/// Shared by the caller and the call's thread.
struct OffsetsCall {
  std::shared_ptr<const Handle> client;
  Owned<rd_kafka_topic_partition_list_t> offsets;
  Owned<rd_kafka_consumer_group_metadata_t> group;
  std::promise<Owned<rd_kafka_error_t>> answer;
  std::atomic<CallState> state{CallState::kRunning};
};

std::atomic<size_t> abandoned{0};

Owned<rd_kafka_topic_partition_list_t> to_list(const std::vector<bus::Position>& positions) {
  Owned<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const bus::Position& position : positions) {
    rd_kafka_topic_partition_list_add(list.get(), position.tp.topic.c_str(), position.tp.partition.value)->offset =
        position.next.value;
  }
  return list;
}

void run(std::shared_ptr<OffsetsCall> call, std::chrono::milliseconds timeout) {
  call->answer.set_value(Owned<rd_kafka_error_t>(rd_kafka_send_offsets_to_transaction(
      call->client->get(), call->offsets.get(), call->group.get(), static_cast<int>(timeout.count()))));
  bool late = call->state.exchange(CallState::kDone) == CallState::kAbandoned;
  call.reset();  // Closes the client when its producer has gone.
  if (late) --abandoned;
}

}  // namespace

std::optional<Owned<rd_kafka_error_t>> send_offsets(std::shared_ptr<const Handle> client, const std::string& group,
                                                    const std::vector<bus::Position>& positions,
                                                    OffsetsCallTimes times) {
  auto call = std::make_shared<OffsetsCall>();
  call->client = std::move(client);
  call->offsets = to_list(positions);
  call->group.reset(rd_kafka_consumer_group_metadata_new(group.c_str()));
  auto answer = call->answer.get_future();
  std::thread(run, call, times.timeout).detach();
  if (answer.wait_for(times.timeout + times.grace) == std::future_status::ready) return answer.get();
  ++abandoned;
  if (call->state.exchange(CallState::kAbandoned) == CallState::kRunning) return std::nullopt;
  --abandoned;  // It came back at the last moment.
  return answer.get();
}

size_t abandoned_clients() { return abandoned; }

}  // namespace headrace::bus_kafka
