#include "app/bench/kafka_link.h"

#include <fmt/format.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>

#include "wire/kafka/messages/02_list_offsets.h"
#include "wire/kafka/messages/03_metadata.h"
#include "wire/kafka/messages/18_api_versions.h"

namespace headrace::app {
namespace {

constexpr size_t kSizeBytes = 4;
constexpr std::chrono::seconds kPatience{30};
// What Kafka 4 and Headrace both serve, with topics by their names.
constexpr int16_t kMetadataVersion = 9;
constexpr int16_t kListOffsetsVersion = 5;

}  // namespace

size_t KafkaLink::on_bytes(BytesView bytes) {
  size_t used = 0;
  while (bytes.size() - used >= kSizeBytes) {
    size_t size = static_cast<size_t>(codec::Reader(bytes.subspan(used)).read<int32_t>());
    if (bytes.size() - used - kSizeBytes < size) break;
    on_response(bytes.subspan(used + kSizeBytes, size));
    used += kSizeBytes + size;
  }
  return used;
}

void KafkaLink::on_close() {
  if (owner_) *owner_ = nullptr;
  if (on_lost) on_lost();
}

Result<std::unique_ptr<KafkaLinks>> KafkaLinks::connect(net::EventLoops& loops, const Address& address, size_t count) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    size_t left;
    std::optional<Error> error;
  } waiting{.left = count};
  auto done = [&](std::optional<Error> error) {
    std::lock_guard lock(waiting.mutex);
    if (error) waiting.error = std::move(error);
    --waiting.left;
    waiting.changed.notify_one();
  };
  auto links = std::make_unique<KafkaLinks>();
  links->links_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    links->loops_.push_back(&loops.next());
    links->connections_.push_back(net::connect(
        *links->loops_.back(), {.host = address.host, .port = address.port, .name = "bench"},
        [&, i](net::Connection& connection) {
          auto link = std::make_unique<KafkaLink>(connection);
          links->links_[i] = link.get();
          link->owner_ = &links->links_[i];
          done(std::nullopt);
          return link;
        },
        [&](Error error) { done(std::move(error)); }));
  }
  std::unique_lock lock(waiting.mutex);
  waiting.changed.wait(lock, [&] { return waiting.left == 0; });
  if (waiting.error) return *waiting.error;
  // A server may refuse a large request on a connection that has sent no small one yet.
  SharedBytes hello = frame_of(wire::kafka::ApiVersionsRequest(), /*version=*/0);
  for (size_t i = 0; i < count; ++i) RETURN_IF_ERROR(links->ask(i, hello));
  return links;
}

bool KafkaLinks::run_on(size_t i, Function<void(KafkaLink&)> task) {
  std::promise<bool> done;
  loops_[i]->post([&] {
    if (links_[i]) task(*links_[i]);
    done.set_value(links_[i] != nullptr);
  });
  return done.get_future().get();
}

Result<SharedBytes> KafkaLinks::ask(size_t i, SharedBytes frame) {
  auto answer = std::make_shared<std::promise<SharedBytes>>();
  auto answered = answer->get_future();
  bool sent = run_on(i, [&](KafkaLink& link) {
    link.on_response = [answer](BytesView bytes) { answer->set_value(SharedBytes(Bytes(bytes.begin(), bytes.end()))); };
    link.send(std::move(frame));
  });
  if (!sent) return Error{ErrorCode::kUnavailable, "the server closed a connection"};
  bool in_time = answered.wait_for(kPatience) == std::future_status::ready;
  run_on(i, [](KafkaLink& link) { link.on_response = {}; });
  if (!in_time) return Error{ErrorCode::kTimedOut, fmt::format("no answer within {} s", kPatience.count())};
  return answered.get();
}

Result<int32_t> partition_count(KafkaLinks& links, const std::string& topic) {
  namespace wire = wire::kafka;
  wire::MetadataRequest request;
  request.topics->push_back({.name = topic});
  request.allow_auto_topic_creation = false;
  ASSIGN_OR_RETURN(auto bytes, links.ask(0, frame_of(request, kMetadataVersion)));
  ASSIGN_OR_RETURN(auto response, read_response<wire::MetadataResponse>(std::move(bytes), kMetadataVersion));
  if (response.topics.size() != 1 || response.topics[0].error_code != 0) {
    return Error{ErrorCode::kNotFound, fmt::format("topic {} does not exist; create it first", topic)};
  }
  return static_cast<int32_t>(response.topics[0].partitions.size());
}

Result<std::vector<int64_t>> offsets_of(KafkaLinks& links, const std::string& topic, int32_t partitions,
                                        int64_t timestamp) {
  namespace wire = wire::kafka;
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  for (int32_t p = 0; p < partitions; ++p) asked.partitions.push_back({.partition_index = p, .timestamp = timestamp});
  ASSIGN_OR_RETURN(auto bytes, links.ask(0, frame_of(request, kListOffsetsVersion)));
  ASSIGN_OR_RETURN(auto response, read_response<wire::ListOffsetsResponse>(std::move(bytes), kListOffsetsVersion));
  std::vector<int64_t> offsets(static_cast<size_t>(partitions), -1);
  for (const auto& found : response.topics) {
    for (const auto& p : found.partitions) {
      if (p.error_code != 0) {
        return Error{ErrorCode::kUnavailable,
                     fmt::format("offsets of {}-{}: Kafka error {}", topic, p.partition_index, p.error_code)};
      }
      offsets.at(static_cast<size_t>(p.partition_index)) = p.offset;
    }
  }
  return offsets;
}

}  // namespace headrace::app
