// Fetch (1): reads record batches from partitions, and waits for them.
//
// Behavior:
// - Answers when min_bytes are there, a partition has an error, or max_wait_ms is over. Whole batches are sent from
//   where the log has them in memory; the first may begin before the offset asked for.
// - max_bytes and partition_max_bytes are honoured, except that the first batch of the response is always sent
//   (KIP-74).
// - read_committed readers see nothing at or above the last stable offset, and are told the aborted transactions.
// - Sessions (KIP-227, fetch_session.h): epoch 0 asks for one, which is given while there is room; requests in it name
//   changes only, and answers hold the partitions with news. Those that had records go to the end of the order, so that
//   a busy partition does not keep the others from their turn.
// - Over the client's consumer_byte_rate the answer is empty, and tells how long to wait (KIP-219).
// - Requests of followers (a replica id) are refused: there are none.
//
// Version notes:
// - 7 adds sessions, 9 the leader epoch, 11 the rack, 12 is flexible, 13 names topics by id, 15 moves the replica id
//   into a tagged field.
#include <algorithm>

#include "broker/data_waiter.h"
#include "kafka/api.h"
#include "kafka/fetch_session.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"
#include "wire/kafka/messages/01_fetch.h"

namespace headrace::kafka {
namespace {

using wire::kafka::FetchRequest;
using wire::kafka::FetchResponse;
using PartitionRequest = FetchRequest::Topic::Partition;
using PartitionData = FetchResponse::FetchableTopicResponse::PartitionData;

constexpr int16_t kSessionsSince = 7;
constexpr int16_t kTopicIdsSince = 13;
/// The most that one response carries, whatever the client asks for: Kafka's fetch.max.bytes of brokers.
constexpr int32_t kFetchBytesMax = 55 << 20;
/// A response with less room left reads from no partition whose records are not in the page cache: a batch that is read
/// and does not fit is read in vain.
constexpr int64_t kColdReadBytesMin = 16 << 10;
/// The longest wait; clients ask for less. Bounds how long a vanished client's fetch is remembered.
constexpr int32_t kFetchWaitMsMax = 60'000;

/// Without what says nothing. A few repeated partitions do no harm, and looking for them takes time.
void tidy(std::vector<FetchRequest::Topic>& topics) {
  constexpr size_t kManyPartitions = 1000;
  std::erase_if(topics, [](const FetchRequest::Topic& topic) { return topic.partitions.empty(); });
  size_t partitions = 0;
  for (const auto& topic : topics) partitions += topic.partitions.size();
  if (partitions <= kManyPartitions) return;
  keep_last_of_each_partition(
      topics, [](const FetchRequest::Topic& topic) { return std::pair(topic.topic_id, topic.topic); },
      &PartitionRequest::partition);
}

/// A fetch from its request to its response; on the connection's loop, except that partitions fire its waiter anywhere.
class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  /// `session`: of an incremental request; null for one that names all its partitions.
  Fetch(const Call& call, FetchRequest request, std::shared_ptr<FetchSession> session, Reply<FetchResponse> reply)
      : server_(call.server),
        loop_(call.loop),
        user_(call.peer.user),
        client_id_(call.client_id),
        by_id_(call.version >= kTopicIdsSince),
        wants_session_(call.version >= kSessionsSince && request.session_epoch == kInitialFetchEpoch),
        request_(std::move(request)),
        session_(std::move(session)),
        reply_(std::move(reply)),
        isolation_(request_.isolation_level == 0 ? bus::Isolation::kReadUncommitted : bus::Isolation::kReadCommitted) {
    tidy(request_.topics);
    bytes_max_ = std::min(request_.max_bytes, kFetchBytesMax);
    if (auto most = server_.rates.fetch_bytes_max(user_, client_id_)) bytes_max_ = std::min(bytes_max_, *most);
  }

  void start() {
    auto lock = lock_session();
    read();
    bool enough = failed_ || total_bytes_ >= request_.min_bytes || request_.max_wait_ms <= 0 || readers_.empty();
    if (!enough && may_wait()) return wait();
    FetchResponse response = take_response();
    if (lock) lock.unlock();
    reply_(response);
  }

 private:
  struct Reader {
    std::shared_ptr<broker::Partition> partition;
    Offset next;
  };
  /// One partition's part of the response, while it is not certain that it is sent.
  struct Read {
    const std::string* topic;
    const wire::kafka::Uuid* topic_id;
    PartitionData data;
    FetchSession::Entries::iterator entry;  ///< In an incremental request.
  };

  /// The session's mutex; no lock without a session.
  std::unique_lock<std::mutex> lock_session() const {
    return session_ ? std::unique_lock(session_->mutex) : std::unique_lock<std::mutex>();
  }

  void read() {
    reads_.clear();
    readers_.clear();
    total_bytes_ = memory_bytes_ = 0;
    budget_share_ = server_.fetch_budget.share();
    found_for_ = nullptr;
    if (session_) {
      session_epoch_ = session_->epoch;
      reads_.reserve(session_->size());
      auto& entries = session_->entries();
      for (auto at = entries.begin(); at != entries.end(); ++at) {
        read_one(at->topic->name, at->topic->id, at->request).entry = at;
      }
      return;
    }
    for (const auto& topic : request_.topics) {
      for (const auto& partition : topic.partitions) read_one(topic.topic, topic.topic_id, partition);
    }
  }

  Read& read_one(const std::string& topic, const wire::kafka::Uuid& topic_id, const PartitionRequest& request) {
    if (found_for_ != &topic) found_ = find_topic(server_.broker, topic, topic_id, by_id_);
    found_for_ = &topic;
    Read& read = reads_.emplace_back(Read{&topic, &topic_id, {}, {}});
    read.data.partition_index = request.partition;
    KafkaError error = found_.topic ? read_partition(*found_.topic, request, read.data) : found_.error;
    if (error != KafkaError::kNone) set_error(read.data, error);
    return read;
  }

  KafkaError read_partition(const broker::Topic& topic, const PartitionRequest& request, PartitionData& out) {
    auto partition = topic.partition(PartitionId(request.partition));
    if (!partition) return KafkaError::kUnknownTopicOrPartition;
    KafkaError epoch_error = check_leader_epoch(*partition, request.current_leader_epoch);
    if (epoch_error != KafkaError::kNone) return epoch_error;

    int64_t room = std::max<int64_t>(0, bytes_max_ - total_bytes_);
    int64_t memory_room = std::min(room, std::max<int64_t>(0, budget_share_ - memory_bytes_));
    int64_t wanted = std::min<int64_t>(std::max(request.partition_max_bytes, 0), room);
    bool first = total_bytes_ == 0;
    Offset offset(request.fetch_offset);
    if (wanted == 0 && !first) return describe_only(*partition, offset, out);
    auto read = partition->read(offset,
                                {.memory_max = static_cast<size_t>(std::min(wanted, memory_room)),
                                 .range_max = static_cast<size_t>(wanted),
                                 .range_only = !first && memory_room < kColdReadBytesMin},
                                isolation_);
    if (!read.ok()) {
      out.log_start_offset = partition->log_start().value;
      out.high_watermark = partition->high_watermark().value;
      return partition_error(read.error().code);
    }
    out.high_watermark = read->high_watermark.value;
    out.last_stable_offset = read->last_stable.value;
    out.log_start_offset = read->log_start.value;
    set_aborted(out, read->aborted);
    bool fits = first || static_cast<int64_t>(read->batches.size()) <= memory_room;
    if (!read->range.empty()) {
      out.records = wire::kafka::Records(std::move(read->range));
    } else {
      out.records = wire::kafka::Records(fits ? server_.fetch_budget.charge(std::move(read->batches)) : SharedBytes());
      memory_bytes_ += static_cast<int64_t>(out.records.size());
    }
    total_bytes_ += static_cast<int64_t>(out.records.size());
    readers_.push_back({std::move(partition), fits ? read->next_offset : offset});
    return KafkaError::kNone;
  }

  /// The offsets of a partition for whose records the response has no room left.
  KafkaError describe_only(broker::Partition& partition, Offset offset, PartitionData& out) {
    out.high_watermark = partition.high_watermark().value;
    out.last_stable_offset = partition.last_stable().value;
    out.log_start_offset = partition.log_start().value;
    if (offset < partition.log_start() || offset > partition.log().log_end_offset())
      return KafkaError::kOffsetOutOfRange;
    set_aborted(out, {});
    out.records = wire::kafka::Records(SharedBytes());
    return KafkaError::kNone;
  }

  void set_aborted(PartitionData& out, const std::vector<log::AbortedTransaction>& aborted) const {
    out.aborted_transactions.reset();
    if (isolation_ != bus::Isolation::kReadCommitted) return;
    auto& list = out.aborted_transactions.emplace();
    for (const auto& one : aborted) list.push_back({one.producer_id.value, one.first_offset.value});
  }

  void set_error(PartitionData& out, KafkaError error) {
    failed_ = true;
    out.error_code = wire_code(error);
    if (error != KafkaError::kOffsetOutOfRange) out.high_watermark = -1;
    out.records = wire::kafka::Records(SharedBytes());
  }

  /// Whether what it holds while it waits has room beside what others hold.
  bool may_wait() {
    size_t bytes = request_.rack_id.size();
    if (!session_) {
      for (const auto& topic : request_.topics) {
        bytes += sizeof(topic) + topic.topic.size() + topic.partitions.size() * sizeof(PartitionRequest);
      }
    }
    waiting_ = server_.wait_budget.admit(bytes);
    return waiting_ != nullptr;
  }

  void wait() {
    auto self = shared_from_this();
    waiter_ = std::make_shared<broker::DataWaiter>(request_.min_bytes - total_bytes_,
                                                   [self] { self->loop_.post([self] { self->read_again(); }); });
    auto wait = std::chrono::milliseconds(std::min(request_.max_wait_ms, kFetchWaitMsMax));
    timer_ = loop_.after(wait, [self] {
      if (self->waiter_->cancel()) self->read_again();
    });
    for (auto& reader : readers_) reader.partition->add_waiter(waiter_, reader.next, isolation_);
    reads_.clear();
    readers_.clear();
    if (session_) request_.topics.clear();
    request_.forgotten_topics_data.clear();
    request_.topics.shrink_to_fit();
    request_.forgotten_topics_data.shrink_to_fit();
  }

  void read_again() {
    auto self = shared_from_this();  // The timer's task may hold the last reference.
    timer_.reset();
    waiter_.reset();
    if (reply_.slot().gone()) return reply_.done_without_response();
    auto lock = lock_session();
    FetchResponse response;
    if (session_ && session_->epoch != session_epoch_) {  // Another request of the session came meanwhile.
      response.error_code = wire_code(KafkaError::kInvalidFetchSessionEpoch);
    } else {
      read();
      response = take_response();
    }
    if (lock) lock.unlock();
    reply_(response);
  }

  /// What was read, as far as the client has to hear of it. The session is locked.
  FetchResponse take_response() {
    FetchResponse response;
    readers_.clear();
    found_ = {};
    if (session_) response.session_id = session_->id;
    auto wait =
        server_.rates.record_unless_over(RateKind::kFetch, user_, client_id_, static_cast<double>(total_bytes_));
    if (wait.count() > 0) {
      reply_.throttle(wait);
      reads_.clear();
      return response;
    }
    if (session_) {
      take_news(response);
    } else {
      auto session = wants_session_ ? new_session() : nullptr;
      if (session) response.session_id = session->id;
      for (auto& read : reads_) {
        auto* entry = session ? session->find(*read.topic, *read.topic_id, read.data.partition_index) : nullptr;
        if (entry) entry->take_news(read.data);
        add(response, read);
      }
    }
    reads_.clear();
    return response;
  }

  void take_news(FetchResponse& response) {
    auto& entries = session_->entries();
    for (auto& read : reads_) {
      bool has_records = read.data.records.size() > 0;
      if (read.entry->take_news(read.data)) add(response, read);
      if (has_records) entries.splice(entries.end(), entries, read.entry);
    }
  }

  std::shared_ptr<FetchSession> new_session() {
    if (!FetchSession::may_remember(request_)) return nullptr;
    auto session = server_.fetch_sessions.create(reads_.size(), by_id_);
    if (session) {
      std::lock_guard lock(session->mutex);
      session->update(request_);
    }
    return session;
  }

  static void add(FetchResponse& response, Read& read) {
    auto& topics = response.responses;
    if (topics.empty() || topics.back().topic != *read.topic || topics.back().topic_id != *read.topic_id) {
      topics.push_back({*read.topic, *read.topic_id, {}});
    }
    topics.back().partitions.push_back(std::move(read.data));
  }

  ServerContext& server_;
  net::EventLoop& loop_;
  const std::string user_, client_id_;
  int64_t bytes_max_ = 0;
  bool by_id_;
  bool wants_session_;
  FetchRequest request_;
  std::shared_ptr<FetchSession> session_;
  int32_t session_epoch_ = 0;
  Reply<FetchResponse> reply_;
  bus::Isolation isolation_;

  std::vector<Read> reads_;
  std::vector<Reader> readers_;
  const std::string* found_for_ = nullptr;  ///< The name for which found_ is.
  FoundTopic found_;
  int64_t total_bytes_ = 0;
  int64_t memory_bytes_ = 0;  ///< Of those what is no range of a file.
  int64_t budget_share_ = 0;
  std::unique_ptr<const WaitBudget::Charge> waiting_;
  bool failed_ = false;
  std::shared_ptr<broker::DataWaiter> waiter_;
  std::unique_ptr<net::EventLoop::Timer> timer_;
};

void fetch(const Call& call, FetchRequest request, Reply<FetchResponse> reply) {
  auto refuse = [&](KafkaError error) {
    FetchResponse response;
    response.error_code = wire_code(error);
    reply(response);
  };
  if (request.replica_id >= 0 || request.replica_state.replica_id >= 0) {
    return refuse(KafkaError::kClusterAuthorizationFailed);
  }
  FetchSessionCache::Resumed resumed;
  if (request.session_epoch != kInitialFetchEpoch && request.session_epoch != kFinalFetchEpoch) {
    resumed = call.server.fetch_sessions.resume(request, call.version >= kTopicIdsSince);
    if (resumed.error != KafkaError::kNone) return refuse(resumed.error);
    if (!resumed.session) request.topics.clear();  // The session ended with its last partition.
  } else if (request.session_id != kNoFetchSession) {
    call.server.fetch_sessions.remove(request.session_id);
  }
  std::make_shared<Fetch>(call, std::move(request), std::move(resumed.session), std::move(reply))->start();
}

}  // namespace

const Api& api_1() {
  static const Api api = make_api<1, fetch>({.name = "Fetch", .versions = "4-18"});
  return api;
}

}  // namespace headrace::kafka
